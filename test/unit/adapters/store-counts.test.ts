import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCounts, nearestRank } from '../../../adapters/store-counts.ts'

test.each([
  { p: 0.5, count: 4, rank: 2 },
  { p: 0.51, count: 4, rank: 3 },
  { p: 0.99, count: 4, rank: 4 },
  { p: 1e-9, count: 4, rank: 1 },
  { p: 1, count: 1, rank: 1 },
  { p: 1, count: 1_000_000, rank: 1_000_000 },
  // p * count is a little too large in doubles.
  { p: 0.07, count: 100, rank: 7 },
  { p: 0.55, count: 100, rank: 55 },
  { p: 0.14, count: 50, rank: 7 },
])('of $count values the $p quantile is number $rank', ({ p, count, rank }) => {
  expect(nearestRank(p, count)).toBe(rank)
})

test('for every p in thousandths the rank is the share, rounded up', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 1_000_000 }), (p, count) => {
      expect(nearestRank(p / 1_000, count)).toBe(Math.floor((p * count + 999) / 1_000))
    }),
    { numRuns: 2_000 },
  )
})

test('a quantile that a database has found stands as it is', () => {
  const counts = createCounts({ of: 'bytes', p: 0.5 })
  counts.add(0, 'a', 5)
  counts.setQuantile(0, 'a', 7)
  counts.add(0, 'b', 2)
  counts.addNumber(0, 'b', 9)
  counts.addNumber(0, 'b', 1)
  counts.add(0, 'c', 1)
  const expected = { startMs: 0, total: 8, by: { a: 5, b: 2, c: 1 }, quantiles: { a: 7, b: 1 } }
  expect(counts.buckets(true)).toEqual([expected])
})
