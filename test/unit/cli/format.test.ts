import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { cut, elapsed, mebibytes, percent, shownValue, sparkline, widthOf } from '../../../cli/format.ts'
import { jsonLine } from '../../../cli/records.ts'

test.each([
  { share: 0, text: '0.0 %' },
  { share: 0.0001, text: '<0.1 %' },
  { share: 0.0006, text: '0.1 %' },
  { share: 0.8127, text: '81.3 %' },
  { share: 0.9999, text: '99.9 %' },
  { share: 1, text: '100.0 %' },
])('the share $share is $text', ({ share, text }) => {
  expect(percent(share)).toBe(text)
})

test.each([
  { counts: [], text: '' },
  { counts: [0, 0], text: '··' },
  { counts: [1, 2, 4, 8], text: '▁▂▄█' },
  { counts: [0, 1, 1_000], text: '·▁█' },
  { name: 'more than fit are summed up', counts: [1, 1, 4, 4, 0, 0, 3], text: '▂█·▃' },
])('the sparkline of $counts is "$text"', ({ counts, text }) => {
  expect(sparkline(counts, 4)).toBe(text)
})

test('a sparkline never hides a record and never invents one', () => {
  const rows = fc.array(fc.nat(1_000), { maxLength: 200 })
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 40 }), (counts, charsMax) => {
      const line = sparkline(counts, charsMax)
      expect(line.length).toBeLessThanOrEqual(charsMax)
      expect(/[^·]/.test(line)).toBe(counts.some((count) => count > 0))
    }),
  )
})

test('numbers of machines in words of people', () => {
  expect(mebibytes(0)).toBe('0.0 MiB')
  expect(mebibytes(5_000 * 2 ** 20)).toBe('5,000.0 MiB')
  expect(elapsed(999)).toBe('999 ms')
  expect(elapsed(61_250)).toBe('61.3 s')
})

test.each([
  { text: 'abc', width: 3 },
  { text: '日本', width: 4 },
  { text: 'e\u0301', width: 1 },
  { text: '🦇', width: 2 },
])('"$text" takes $width columns', ({ text, width }) => {
  expect(widthOf(text)).toBe(width)
})

test('a text is cut to the columns that there are', () => {
  expect(cut('abcdef', 6)).toBe('abcdef')
  expect(cut('abcdefg', 6)).toBe('abcde…')
  expect(cut('日本語', 5)).toBe('日本…')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, widthMax) => {
      expect(widthOf(cut(text, widthMax))).toBeLessThanOrEqual(widthMax)
    }),
  )
})

test.each([
  { value: 'plain', text: 'plain' },
  { value: '', text: '""' },
  { value: 'a b', text: '"a b"' },
  { value: 'a,b', text: '"a,b"' },
  { value: 7, text: '7' },
  { value: true, text: 'true' },
  { value: '\u009b2J', text: String.raw`\x9b2J` },
])('the example $value is shown as $text', ({ value, text }) => {
  expect(shownValue(value)).toBe(text)
})

test('a line of JSON is the same value without a character that a terminal obeys', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0x2070 }).map((code) => String.fromCharCode(code)) }),
      (text) => {
        const line = jsonLine({ text })
        expect(JSON.parse(line)).toEqual({ text })
        // eslint-disable-next-line no-control-regex -- these are the ones to find
        expect(line.slice(0, -1)).not.toMatch(/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/)
      },
    ),
  )
})
