import { expect, test } from 'vitest'
import {
  clockTimeMs,
  count,
  duration,
  moment,
  plural,
  shortCount,
  span,
} from '../../../dashboards/src/model/format.ts'

const at = (day: number, hour: number, minute = 0, second = 0, ms = 0) =>
  new Date(2026, 0, day, hour, minute, second, ms).getTime()

test('a time of today is a clock time; of another day it has the day in front', () => {
  expect(moment(at(5, 3, 12, 7), at(5, 4))).toBe('03:12:07')
  expect(moment(at(4, 23, 59, 59), at(5, 4))).toBe('4 Jan 23:59:59')
  expect(clockTimeMs(at(5, 3, 12, 7, 42))).toBe('03:12:07.042')
})

test('a span names its second day only when it is another one', () => {
  expect(span(at(5, 3, 10, 1), at(5, 3, 10, 4), at(5, 4))).toBe('03:10:01–03:10:04')
  expect(span(at(4, 3), at(4, 5), at(5, 4))).toBe('4 Jan 03:00:00–05:00:00')
  expect(span(at(4, 23), at(5, 1), at(5, 4))).toBe('4 Jan 23:00:00–01:00:00')
})

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [42_900, '42 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3 * 3_600_000, '3 h'],
  [50 * 3_600_000, '2 d'],
])('duration of %i ms is %s', (ms, words) => {
  expect(duration(ms)).toBe(words)
})

test('numbers are grouped, counted and shortened', () => {
  expect(count(1_234_567)).toBe('1,234,567')
  expect([plural(0, 'gap'), plural(1, 'gap'), plural(1024, 'record')]).toEqual([
    '0 gaps',
    '1 gap',
    '1,024 records',
  ])
  expect([999, 1200, 34_000, 5_600_000, 2e9].map(shortCount)).toEqual(['999', '1.2k', '34k', '5.6M', '2G'])
})
