import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  VALUES_MAX,
  brushRange,
  countsOf,
  niceCeiling,
  timeTicks,
} from '../../../dashboards/src/model/histogram.ts'

const MINUTE = 60_000
const NOON = new Date(2026, 0, 5, 12, 0, 0).getTime()
const bucket = (startMs: number, by: Record<string, number>, total?: number) => ({
  start: new Date(startMs).toISOString(),
  total: total ?? Object.values(by).reduce((sum, count) => sum + count, 0),
  by,
})

describe('filling', () => {
  test('intervals without a line get an empty bar, from the first that touches the range to the last', () => {
    const { bars } = countsOf({
      by: 'level',
      buckets: [bucket(NOON + MINUTE, { info: 2 })],
      intervalMs: MINUTE,
      fromMs: NOON + 30_000,
      toMs: NOON + 3 * MINUTE + 1,
    })
    expect(bars.map((bar) => [(bar.startMs - NOON) / MINUTE, bar.total])).toEqual([
      [0, 0],
      [1, 2],
      [2, 0],
      [3, 0],
    ])
  })

  test('bars stand where the server put its buckets, however those are aligned', () => {
    const { bars } = countsOf({
      by: 'level',
      buckets: [bucket(NOON + 7000, { warn: 1 })],
      intervalMs: 10_000,
      fromMs: NOON,
      toMs: NOON + 20_000,
    })
    expect(bars.map((bar) => bar.startMs - NOON)).toEqual([-3000, 7000, 17_000])
    expect(bars[1]?.total).toBe(1)
  })

  test('the most severe level is first, and unknown levels keep the height of the bar', () => {
    const { bars, series } = countsOf({
      by: 'level',
      buckets: [bucket(NOON, { info: 3, error: 1, notice: 2 })],
      intervalMs: MINUTE,
      fromMs: NOON,
      toMs: NOON + MINUTE,
    })
    expect(series.map(({ value, count }) => [value, count])).toEqual([
      ['error', 1],
      ['info', 3],
      ['', 2],
    ])
    expect(bars[0]?.parts).toEqual([1, 3, 2])
  })

  test('no line is lost or counted twice', () => {
    const counts = fc.dictionary(fc.constantFrom('fatal', 'error', 'info', '', 'odd'), fc.nat(99))
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(59)), counts, fc.nat(999), (minutes, by, shift) => {
        const buckets = minutes.toSorted((a, b) => a - b).map((minute) => bucket(NOON + minute * MINUTE, by))
        const { bars, series } = countsOf({
          by: 'level',
          buckets,
          intervalMs: MINUTE,
          fromMs: NOON - shift,
          toMs: NOON + 60 * MINUTE,
        })
        const expected = buckets.reduce((sum, { total }) => sum + total, 0)
        expect(bars.reduce((sum, { total }) => sum + total, 0)).toBe(expected)
        expect(series.reduce((sum, { count }) => sum + count, 0)).toBe(expected)
        for (const [index, { count }] of series.entries())
          expect(bars.reduce((sum, { parts }) => sum + (parts[index] ?? 0), 0)).toBe(count)
      }),
    )
  })

  test('split by a field, the most frequent values have a colour, all others one together, and none its own', () => {
    const values = Array.from({ length: VALUES_MAX + 2 }, (_, index): [string, number] => [
      `h${index}`,
      20 - index,
    ])
    const by = Object.fromEntries([...values, ['', 4]])
    const range = { fromMs: NOON, toMs: NOON + MINUTE }
    const { bars, series } = countsOf({
      by: 'host',
      buckets: [bucket(NOON, by, 4 + 3 + values.reduce((sum, [, count]) => sum + count, 0))],
      intervalMs: MINUTE,
      ...range,
    })
    expect(series.map(({ value }) => value)).toEqual(['h0', 'h1', 'h2', 'h3', 'h4', 'h5', null, ''])
    expect(series.slice(-2).map(({ count }) => count)).toEqual([14 + 13, 4 + 3])
    expect(bars[0]?.parts).toEqual(series.map(({ count }) => count))
  })

  test('an empty range has no bars', () => {
    expect(countsOf({ by: 'level', buckets: [], intervalMs: MINUTE, fromMs: NOON, toMs: NOON }).bars).toEqual(
      [],
    )
  })
})

test('the top of an axis is round, and never below the highest bar', () => {
  expect([0, 1, 7, 12, 68, 101, 999].map(niceCeiling)).toEqual([1, 1, 8, 15, 80, 150, 1000])
  fc.assert(fc.property(fc.integer({ min: 1, max: 1e9 }), (value) => niceCeiling(value) >= value))
})

describe('ticks', () => {
  test('minutes inside an hour, seconds inside a minute', () => {
    const labels = (lengthMs: number, ticksMax: number) =>
      timeTicks({ fromMs: NOON, toMs: NOON + lengthMs }, ticksMax).map(({ label }) => label)
    expect(labels(60 * MINUTE, 6)).toEqual(['12:00', '12:10', '12:20', '12:30', '12:40', '12:50'])
    expect(labels(MINUTE, 4)).toEqual(['12:00:00', '12:00:15', '12:00:30', '12:00:45'])
  })

  test('midnight is told by its day', () => {
    const ticks = timeTicks({ fromMs: NOON - 24 * 60 * MINUTE, toMs: NOON }, 4)
    expect(ticks.map(({ label }) => label)).toContain('5 Jan')
  })

  test('there are never more than asked for, and all lie inside the range', () => {
    const lengths = fc.integer({ min: 1000, max: 90 * 86_400_000 })
    fc.assert(
      fc.property(lengths, fc.integer({ min: 2, max: 20 }), (length, ticksMax) => {
        const ticks = timeTicks({ fromMs: NOON, toMs: NOON + length }, ticksMax)
        expect(ticks.length).toBeLessThanOrEqual(ticksMax + 1)
        expect(ticks.every(({ timeMs }) => timeMs >= NOON && timeMs < NOON + length)).toBe(true)
      }),
    )
  })
})

test('a brush selects whole bars, in either direction', () => {
  const range = { fromMs: NOON, toMs: NOON + 5 * MINUTE }
  const { bars } = countsOf({ by: 'level', buckets: [], intervalMs: MINUTE, ...range })
  const selected = { fromMs: NOON + MINUTE, toMs: NOON + 3 * MINUTE }
  expect(brushRange(bars, NOON + 90_000, NOON + 150_000)).toEqual(selected)
  expect(brushRange(bars, NOON + 150_000, NOON + 90_000)).toEqual(selected)
  expect(brushRange(bars, NOON - 9, NOON - 5)).toBeNull()
})
