import { array, assert, constantFrom, integer, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GAPS_LISTED_MAX } from '../../../../core/ledger/judge.ts'
import { withPurged } from '../../../../core/ledger/purged.ts'
import type { SiteCompleteness } from '../../../../core/ledger/types.ts'
import type { PurgedRange } from '../../../../core/ports.ts'

const RANGE = { fromMs: 1_000, toMs: 2_000 }
const COVERED: SiteCompleteness = { complete: true, completeToMs: 2_000, gaps: [], gapsTotal: 0 }

function purged(fields: Partial<PurgedRange>): PurgedRange {
  return { class: 'debug', reason: 'age', fromMs: 1_200, toMs: 1_300, records: 1_024, atMs: 9, ...fields }
}

describe('withPurged', () => {
  test('of a damaged file nobody may know how much it held: that is lost, not purged', () => {
    const lost = purged({ class: 'catalog', reason: 'damaged', fromMs: -8.64e15, toMs: 1_500, records: 0 })
    const { complete, completeToMs, gaps } = withPurged(COVERED, [lost], RANGE)
    expect({ complete, completeToMs }).toEqual({ complete: false, completeToMs: null })
    const detail =
      'catalog: some of an unknown number of records lost with a damaged file, which was put aside'
    expect(gaps).toEqual([{ reason: 'lost', fromMs: 1_000, toMs: 1_500, detail }])
  })

  test('a purged slot is a gap, and the answer is complete up to it', () => {
    expect(withPurged(COVERED, [purged({})], RANGE)).toEqual({
      complete: false,
      completeToMs: 1_200,
      gaps: [
        {
          reason: 'purged',
          fromMs: 1_200,
          toMs: 1_300,
          records: 1_024,
          detail: 'debug: 1,024 records purged by age',
        },
      ],
      gapsTotal: 1,
    })
  })

  test.each([
    { name: 'by size', reason: 'size', detail: 'debug: 1,024 records purged by size' },
    {
      name: 'for coming late',
      reason: 'expired',
      detail: 'debug: 1,024 records came when their time was purged already',
    },
    {
      name: 'with a damaged file',
      reason: 'damaged',
      detail: 'debug: 1,024 records lost with a damaged file, which was put aside',
    },
  ] as const)('the detail says what went $name', ({ reason, detail }) => {
    expect(withPurged(COVERED, [purged({ reason })], RANGE).gaps[0]?.detail).toBe(detail)
  })

  test.each([
    { name: 'ends where the range starts', slot: { fromMs: 900, toMs: 1_000 } },
    { name: 'starts where the range ends', slot: { fromMs: 2_000, toMs: 2_100 } },
  ])('a slot that $name is no gap', ({ slot }) => {
    expect(withPurged(COVERED, [purged(slot)], RANGE)).toEqual(COVERED)
  })

  test('a slot over the edge is cut to the range, and does not say how many are missing of it', () => {
    expect(withPurged(COVERED, [purged({ fromMs: 500, toMs: 1_500 })], RANGE)).toEqual({
      complete: false,
      completeToMs: null,
      gaps: [
        {
          reason: 'purged',
          fromMs: 1_000,
          toMs: 1_500,
          detail: 'debug: some of 1,024 records purged by age',
        },
      ],
      gapsTotal: 1,
    })
  })

  test.each([
    { name: 'earlier than the purge', completeToMs: 1_100, expected: 1_100 },
    { name: 'later than the purge', completeToMs: 1_900, expected: 1_200 },
    { name: 'unknown', completeToMs: null, expected: null },
  ])('a covered end that is $name: the earlier one counts', ({ completeToMs, expected }) => {
    const judged = { ...COVERED, complete: false, completeToMs, gapsTotal: 1 }
    expect(withPurged(judged, [purged({})], RANGE).completeToMs).toBe(expected)
  })

  test('slots of a class that touch are one gap; another class or reason is another', () => {
    const slots = [
      purged({ fromMs: 1_300, toMs: 1_400, records: 6 }),
      purged({ fromMs: 1_200, toMs: 1_300, records: 4 }),
      purged({ fromMs: 1_500, toMs: 1_600, records: 1 }),
      purged({ fromMs: 1_300, toMs: 1_400, records: 7, class: 'info' }),
      purged({ fromMs: 1_400, toMs: 1_500, records: 8, reason: 'size' }),
    ]
    const { gaps, gapsTotal } = withPurged(COVERED, slots, RANGE)
    expect(gapsTotal).toBe(4)
    expect(gaps.map(({ fromMs, toMs, records }) => [fromMs, toMs, records])).toEqual([
      [1_200, 1_400, 10],
      [1_500, 1_600, 1],
      [1_400, 1_500, 8],
      [1_300, 1_400, 7],
    ])
  })

  test('gaps of the ledger stay, at most so many are listed, and all are counted', () => {
    const silent = { reason: 'silent', fromMs: 1_000, toMs: 2_000 } as const
    const judged = { complete: false, completeToMs: null, gaps: [silent], gapsTotal: 30 }
    const slots = Array.from({ length: 25 }, (_, index) => {
      const fromMs = 1_000 + index * 20
      return purged({ fromMs, toMs: fromMs + 10 })
    })
    const word = withPurged(judged, slots, RANGE)
    expect(word.gaps).toHaveLength(GAPS_LISTED_MAX)
    expect(word.gaps[0]).toEqual(silent)
    expect(word.gapsTotal).toBe(55)
  })

  test('whatever was purged: nothing outside the range is named, and completeness only shrinks', () => {
    const ms = integer({ min: 0, max: 60 })
    const slot = record({ start: ms, length: integer({ min: 1, max: 20 }), name: constantFrom('a', 'b') })
    const asked = record({ start: ms, length: integer({ min: 1, max: 30 }) })
    assert(
      property(array(slot, { maxLength: 12 }), asked, (slots, { start, length }) => {
        const range = { fromMs: start, toMs: start + length }
        const judged: SiteCompleteness = { ...COVERED, completeToMs: range.toMs }
        const ranges = slots.map(({ start, length, name }) =>
          purged({ fromMs: start, toMs: start + length, class: name }),
        )
        const touching = ranges.filter(({ fromMs, toMs }) => fromMs < range.toMs && toMs > range.fromMs)
        const word = withPurged(judged, ranges, range)
        expect(word.complete).toBe(touching.length === 0)
        expect(word.gapsTotal).toBe(word.gaps.length)
        for (const gap of word.gaps) {
          expect(range.fromMs <= gap.fromMs && gap.fromMs < gap.toMs && gap.toMs <= range.toMs).toBe(true)
        }
        for (let at = range.fromMs; at < range.toMs; at++) {
          const inGap = word.gaps.some(({ fromMs, toMs }) => fromMs <= at && at < toMs)
          expect(inGap).toBe(touching.some(({ fromMs, toMs }) => fromMs <= at && at < toMs))
          expect(inGap && word.completeToMs !== null && word.completeToMs > at).toBe(false)
        }
      }),
    )
  })
})
