import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  metricOldestMs,
  metricSlotMs,
  portionsOf,
  resolutionFor,
} from '../../../../core/metrics/resolutions.ts'
import { METRIC_RESOLUTIONS, ROLL_UP_MS } from '../../../../core/metrics/types.ts'

const HOUR_MS = 3_600_000
const none = { raw: 0, minute: 0, hour: 0 }
const retention = { raw: 48 * HOUR_MS, minute: 336 * HOUR_MS, hour: 720 * HOUR_MS }

test('the middle of a range is read wide, its edges as narrow as need be', () => {
  const range = { fromMs: 0.5 * HOUR_MS + 30_000, toMs: 3 * HOUR_MS + 90_000 }
  expect(portionsOf(range, 'hour', none)).toEqual({
    portions: [
      { resolution: 'raw', range: { fromMs: 1_830_000, toMs: 1_860_000 } },
      { resolution: 'minute', range: { fromMs: 1_860_000, toMs: HOUR_MS } },
      { resolution: 'hour', range: { fromMs: HOUR_MS, toMs: 3 * HOUR_MS } },
      { resolution: 'minute', range: { fromMs: 3 * HOUR_MS, toMs: 3 * HOUR_MS + 60_000 } },
      { resolution: 'raw', range: { fromMs: 3 * HOUR_MS + 60_000, toMs: 3 * HOUR_MS + 90_000 } },
    ],
    oldestMs: null,
  })
})

test('portions follow each other without a hole, start where their points do, and read nothing that is gone', () => {
  const time = fc.nat(200 * HOUR_MS)
  const gone = fc.tuple(time, time, time).map(([raw, minute, hour]) => {
    const [one = 0, two = 0, three = 0] = [raw, minute, hour].toSorted((a, b) => b - a)
    // As they are: ends of slots.
    return {
      raw: one - (one % 600_000),
      minute: two - (two % HOUR_MS),
      hour: three - (three % (24 * HOUR_MS)),
    }
  })
  fc.assert(
    fc.property(time, time, gone, fc.constantFrom(...METRIC_RESOLUTIONS), (one, other, oldest, widest) => {
      const range = { fromMs: Math.min(one, other), toMs: Math.max(one, other) }
      const { portions, oldestMs } = portionsOf(range, widest, oldest)
      const fromMs = Math.max(range.fromMs, oldest[widest])
      expect(oldestMs).toBe(fromMs > range.fromMs ? fromMs : null)
      expect(portions.length > 0).toBe(fromMs < range.toMs)
      if (portions.length === 0) return
      expect(portions[0]?.range.fromMs).toBeLessThanOrEqual(fromMs)
      expect(portions.at(-1)?.range.toMs).toBeGreaterThanOrEqual(range.toMs)
      for (const [at, { resolution, range: part }] of portions.entries()) {
        expect(part.fromMs).toBeLessThan(part.toMs)
        expect(part.toMs).toBe(portions[at + 1]?.range.fromMs ?? part.toMs)
        expect(part.fromMs).toBeGreaterThanOrEqual(oldest[resolution])
        if (resolution === 'raw') continue
        expect([part.fromMs % ROLL_UP_MS[resolution], part.toMs % ROLL_UP_MS[resolution]]).toEqual([0, 0])
      }
    }),
  )
})

test.each([
  { stepMs: 1_000, expected: 'raw' },
  { stepMs: 60_000, expected: 'minute' },
  { stepMs: 5_400_000, expected: 'minute' },
  { stepMs: 86_400_000, expected: 'hour' },
])('steps of $stepMs ms are made of $expected points', ({ stepMs, expected }) => {
  expect(resolutionFor(stepMs)).toBe(expected)
})

test('a slot is at most a quarter of the age, as far as it can hold a point', () => {
  for (const resolution of METRIC_RESOLUTIONS)
    expect(metricSlotMs(resolution, retention)).toBeLessThanOrEqual(retention[resolution] / 4)
  expect(metricSlotMs('hour', { raw: HOUR_MS, minute: HOUR_MS, hour: HOUR_MS })).toBe(HOUR_MS)
})

test('what is kept is between three quarters of the age and the age old', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...METRIC_RESOLUTIONS),
      fc.integer({ min: 1e12, max: 2e12 }),
      (resolution, nowMs) => {
        const ageMs = nowMs - metricOldestMs(resolution, retention, nowMs)
        expect(ageMs).toBeLessThan(retention[resolution])
        expect(ageMs).toBeGreaterThanOrEqual(0.75 * retention[resolution])
      },
    ),
  )
})
