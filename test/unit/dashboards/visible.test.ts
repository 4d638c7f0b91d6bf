import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { cut, visible } from '../../../dashboards/src/model/visible.ts'

test.each([
  ['a colour of a terminal', '\u001b[31mred', '␛[31mred'],
  ['a text that turns round what follows', 'a\u202eb', 'a‹U+202E›b'],
  ['half a pair', 'a\ud800', 'a‹U+D800›'],
  ['whole pairs, accents and other scripts stay', '\u{1f98a} é שלום', '\u{1f98a} é שלום'],
  ['tabs and line ends stay', 'a\tb\nc', 'a\tb\nc'],
  ['NUL and DEL', '\0\u007f', '␀␡'],
])('%s', (_, text, wanted) => {
  expect(visible(text)).toBe(wanted)
})

test('what is visible stays as it is, so showing twice is showing once', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (text) => {
      expect(visible(visible(text))).toBe(visible(text))
    }),
  )
})

test('cut never leaves half a pair', () => {
  expect(cut('a\u{1f98a}b', 2)).toBe('a')
  expect(cut('a\u{1f98a}b', 3)).toBe('a\u{1f98a}')
  expect(cut('abc', 3)).toBe('abc')
})
