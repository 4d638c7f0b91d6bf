import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { SPLITS } from '../../../dashboards/src/model/histogram.ts'
import type { TimeRange } from '../../../dashboards/src/model/time-range.ts'
import {
  TABS,
  askedKey,
  codeOfFragment,
  codeOfPaste,
  formatView,
  parseView,
} from '../../../dashboards/src/model/url-state.ts'

const relative = fc
  .tuple(fc.integer({ min: 1, max: 999 }), fc.constantFrom('s', 'm', 'h', 'd'))
  .map(([amount, unit]): TimeRange => ({ kind: 'relative', length: `${amount}${unit}` }))
const absolute = fc
  .tuple(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 1, max: 1e9 }))
  .map(([fromMs, length]): TimeRange => ({ kind: 'absolute', fromMs, toMs: fromMs + length }))

test('a link brings back the view that it was made from', () => {
  const views = fc.record({
    q: fc.string({ unit: 'grapheme' }),
    range: fc.oneof(relative, absolute),
    live: fc.boolean(),
    tab: fc.constantFrom(...TABS),
    by: fc.constantFrom(...SPLITS),
    field: fc.string({ unit: 'grapheme', minLength: 1 }),
  })
  fc.assert(
    fc.property(views, (view) => {
      const shown = { ...view, live: view.live && view.range.kind === 'relative' }
      expect(parseView(formatView(shown))).toEqual(shown)
    }),
  )
})

test('what is missing or wrong in a link becomes its default', () => {
  expect(parseView('')).toEqual({
    q: '',
    range: { kind: 'relative', length: '15m' },
    live: false,
    tab: 'lines',
    by: 'level',
    field: 'service',
  })
  expect(parseView('?from=yesterday&live=yes&tab=x&by=y&field=')).toEqual(parseView(''))
})

test('a fixed range is never live', () => {
  expect(parseView('?from=2026-01-05T03:00:00Z&to=2026-01-05T04:00:00Z&live=1').live).toBe(false)
})

test('a question is the same however its answer is looked at', () => {
  expect(askedKey(parseView('?q=a'))).toBe(askedKey(parseView('?from=now-15m&q=a&tab=top&by=host')))
  expect(askedKey(parseView('?q=a'))).not.toBe(askedKey(parseView('?q=b')))
})

test.each([
  ['#code=abc', 'abc'],
  ['#x=1&code=a-b_c', 'a-b_c'],
  ['#code=', null],
  ['#other', null],
  ['', null],
])('the fragment %s has the code %s', (fragment, code) => {
  expect(codeOfFragment(fragment)).toBe(code)
})

test('a pasted link, a code and a token are all understood', () => {
  expect(codeOfPaste(' http://127.0.0.1:7070/?q=x#code=abc ')).toBe('abc')
  expect(codeOfPaste(' abc\n')).toBe('abc')
  expect(codeOfPaste('noc_token')).toBe('noc_token')
})
