import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import {
  clockTimeMs,
  count,
  duration,
  moment,
  parseWallTime,
  plural,
  sameDay,
  shortCount,
  span,
  wallTime,
  writeTimesIn,
  zoneLabel,
  TIME_ZONES,
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

afterEach(() => writeTimesIn('local'))

test('a date field gets the time of the clock on the wall, to the second', () => {
  expect(wallTime(at(5, 3, 2, 1, 900))).toBe('2026-01-05T03:02:01')
})

test('times are written in UTC when that is chosen', () => {
  writeTimesIn('utc')
  const timeMs = Date.parse('2026-01-05T23:30:00.005Z')
  expect(clockTimeMs(timeMs)).toBe('23:30:00.005')
  expect(wallTime(timeMs)).toBe('2026-01-05T23:30:00')
  expect(zoneLabel(timeMs)).toBe('UTC')
  expect(moment(timeMs, timeMs + 3_600_000)).toBe('5 Jan 23:30:00')
  expect(sameDay(timeMs, timeMs + 3_600_000)).toBe(false)
})

test.each(TIME_ZONES)('what is written of a time is read as that time again: %s', (zone) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e9 }), (seconds) => {
      writeTimesIn(zone)
      const timeMs = seconds * 1000
      // The hour that a clock change repeats is written the same twice.
      const read = parseWallTime(wallTime(timeMs))
      return read === timeMs || wallTime(read) === wallTime(timeMs)
    }),
  )
})
