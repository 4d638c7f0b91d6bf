import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  EMPTY_TAIL,
  liveRows,
  resume,
  tailRate,
  takeArrivals,
  type TailBuffer,
} from '../../../dashboards/src/model/tail-buffer.ts'

const line = (number: number) => ({ id: `l${number}`, time: new Date(number * 1000).toISOString() })
const lines = (...numbers: number[]) => numbers.map(line)
const ids = (records: readonly { id: string }[]) => records.map((record) => record.id).join(' ')

function take(
  buffer: TailBuffer,
  numbers: number[],
  options: { paused?: boolean; nowMs?: number; rowsMax?: number } = {},
) {
  return takeArrivals(buffer, lines(...numbers), { paused: false, nowMs: 0, ...options })
}

test('new lines come on top, newest first', () => {
  const buffer = take(take(EMPTY_TAIL, [1, 2]), [4, 3])
  expect(ids(buffer.shown)).toBe('l4 l3 l2 l1')
})

test('a line that is sent again after a reconnect is taken once', () => {
  const buffer = take(take(EMPTY_TAIL, [1, 2]), [2, 3, 3])
  expect(ids(buffer.shown)).toBe('l3 l2 l1')
})

describe('while paused', () => {
  const paused = take(take(EMPTY_TAIL, [1]), [2, 3], { paused: true })

  test('new lines wait, and what is shown does not move', () => {
    expect(ids(paused.shown)).toBe('l1')
    expect(ids(paused.waiting)).toBe('l3 l2')
  })

  test('resuming shows them', () => {
    expect(ids(resume(paused).shown)).toBe('l3 l2 l1')
    expect(resume(paused).waiting).toEqual([])
    expect(ids(take(paused, [4]).shown)).toBe('l4 l3 l2 l1')
  })
})

describe('the bound', () => {
  test('the oldest lines leave first', () => {
    const buffer = take(take(EMPTY_TAIL, [1, 2], { rowsMax: 3 }), [3, 4], { rowsMax: 3 })
    expect(ids(buffer.shown)).toBe('l4 l3 l2')
    expect(buffer.dropped).toBeGreaterThan(0)
  })

  test('lines that wait are bounded too, and never leave a hole below them', () => {
    const buffer = take(take(EMPTY_TAIL, [1], { rowsMax: 3 }), [2, 3, 4, 5], { rowsMax: 3, paused: true })
    expect(ids(buffer.waiting)).toBe('l5 l4 l3')
    expect(ids(resume(buffer, 3).shown)).toBe('l5 l4 l3')
    expect(buffer.dropped).toBeGreaterThan(0)
  })
})

describe('what a live view shows', () => {
  test('what arrived stands above what was found, no line twice', () => {
    const buffer = take(EMPTY_TAIL, [3, 4])
    expect(ids(liveRows(buffer, lines(3, 2, 1)))).toBe('l4 l3 l2 l1')
  })

  test('a line that waits is not shown as found', () => {
    const buffer = take(EMPTY_TAIL, [3], { paused: true })
    expect(ids(liveRows(buffer, lines(3, 2)))).toBe('l2')
  })

  test('after a loss nothing older follows, because there would be a hole between', () => {
    const buffer = take(take(EMPTY_TAIL, [4], { rowsMax: 2 }), [5, 6], { rowsMax: 2 })
    expect(ids(liveRows(buffer, lines(3, 2, 1)))).toBe('l6 l5')
  })
})

test('the rate counts the last five seconds', () => {
  const buffer = take(take(EMPTY_TAIL, [1, 2, 3], { nowMs: 1000 }), [4, 5], { nowMs: 5000 })
  expect(tailRate(buffer, 5000)).toBe(1)
  expect(tailRate(buffer, 7000)).toBe(0.4)
  expect(tailRate(buffer, 60_000)).toBe(0)
})

test('every line is shown, waits, or is counted as dropped', () => {
  const pause = fc.record({ paused: fc.boolean(), count: fc.nat(30) })
  fc.assert(
    fc.property(fc.array(pause, { maxLength: 20 }), (steps) => {
      let buffer = EMPTY_TAIL
      let taken = 0
      for (const [at, { paused, count }] of steps.entries()) {
        const records = Array.from({ length: count }, (_, n) => ({ id: `${at} ${n}`, time: String(at) }))
        buffer = takeArrivals(buffer, records, { paused, nowMs: at, rowsMax: 50 })
        taken += count
        expect(buffer.shown.length + buffer.waiting.length + buffer.dropped).toBe(taken)
      }
    }),
  )
})
