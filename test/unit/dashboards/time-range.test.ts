import { describe, expect, test } from 'vitest'
import {
  PRESETS,
  absoluteRange,
  lengthMs,
  parseRange,
  rangeLabel,
  rangeParameters,
  resolveRange,
  widen,
  type TimeRange,
} from '../../../dashboards/src/model/time-range.ts'

const NOW = new Date(2026, 0, 5, 4, 0, 0).getTime()
const MINUTE = 60_000

describe('reading a range', () => {
  test.each(PRESETS)('the preset %s survives being written and read', (length) => {
    const { from, to } = rangeParameters({ kind: 'relative', length })
    expect(parseRange(from, to)).toEqual({ kind: 'relative', length })
  })

  test('two fixed times survive being written and read', () => {
    const range: TimeRange = { kind: 'absolute', fromMs: NOW - 1234, toMs: NOW }
    const { from, to } = rangeParameters(range)
    expect(parseRange(from, to)).toEqual(range)
  })

  test('unix milliseconds are times too', () => {
    expect(parseRange(String(NOW), String(NOW + 1))).toEqual({ kind: 'absolute', fromMs: NOW, toMs: NOW + 1 })
  })

  test.each([
    [null, null],
    ['now-', null],
    ['now-0m', null],
    ['now-15x', null],
    ['soon', 'later'],
    ['2026-01-05T04:00:00Z', null],
    ['2026-01-05T04:00:00Z', '2026-01-05T03:00:00Z'],
  ])('from=%s to=%s is no range', (from, to) => {
    expect(parseRange(from, to)).toBeNull()
  })
})

test('lengths are in ms', () => {
  expect([lengthMs('30s'), lengthMs('15m'), lengthMs('1h'), lengthMs('7d'), lengthMs('x')]).toEqual([
    30_000,
    15 * MINUTE,
    60 * MINUTE,
    7 * 1440 * MINUTE,
    null,
  ])
})

test('a fixed range needs two times in order', () => {
  expect(absoluteRange(1, 2)).toEqual({ kind: 'absolute', fromMs: 1, toMs: 2 })
  expect(absoluteRange(2, 2)).toBeNull()
  expect(absoluteRange(Number.NaN, 2)).toBeNull()
})

test('a relative range ends now', () => {
  expect(resolveRange({ kind: 'relative', length: '15m' }, NOW)).toEqual({
    fromMs: NOW - 15 * MINUTE,
    toMs: NOW,
  })
})

test('labels say what a person would', () => {
  expect(rangeLabel({ kind: 'relative', length: '15m' }, NOW)).toBe('Last 15 minutes')
  expect(rangeLabel({ kind: 'relative', length: '1h' }, NOW)).toBe('Last hour')
  expect(rangeLabel({ kind: 'absolute', fromMs: NOW - 15 * MINUTE, toMs: NOW }, NOW)).toBe(
    '03:45:00 – 04:00:00',
  )
  const yesterday = NOW - 1440 * MINUTE
  expect(rangeLabel({ kind: 'absolute', fromMs: yesterday, toMs: NOW }, NOW)).toBe(
    '4 Jan, 04:00:00 – 04:00:00',
  )
})

describe('widening', () => {
  test('a relative range goes to the next longer preset, then doubles', () => {
    expect(widen({ kind: 'relative', length: '15m' }, NOW)).toEqual({ kind: 'relative', length: '1h' })
    expect(widen({ kind: 'relative', length: '20m' }, NOW)).toEqual({ kind: 'relative', length: '1h' })
    expect(widen({ kind: 'relative', length: '7d' }, NOW)).toEqual({ kind: 'relative', length: '14d' })
  })

  test('a fixed range grows by its length on both sides, and never before 1970', () => {
    expect(widen({ kind: 'absolute', fromMs: 100, toMs: 110 }, NOW)).toEqual({
      kind: 'absolute',
      fromMs: 90,
      toMs: 120,
    })
    expect(widen({ kind: 'absolute', fromMs: 5, toMs: 15 }, NOW)).toEqual({
      kind: 'absolute',
      fromMs: 0,
      toMs: 25,
    })
  })
})
