import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SEVERAL_SLICES, createPairCounts } from '../../../../adapters/store-embedded/pair-counts.ts'

const small = fc.integer({ min: -2, max: 2 })
const addition = fc.tuple(small, small, fc.nat({ max: 2 }))
const keyOf = (low: number, high: number, group: number) => `${low} ${high} ${group}`

describe('pair counts', () => {
  test('count each pair once a record', () => {
    fc.assert(
      fc.property(fc.array(fc.array(addition, { maxLength: 6 }), { maxLength: 20 }), (records) => {
        const counts = createPairCounts()
        const expected = new Map<string, number>()
        const slices = new Map<string, number>()
        records.forEach((additions, record) => {
          const seen = new Set<string>()
          for (const [low, high, group] of additions) {
            const key = keyOf(low, high, group)
            const slice = record % 3
            slices.set(key, (slices.get(key) ?? slice) === slice ? slice : SEVERAL_SLICES)
            if (!seen.has(key)) expected.set(key, (expected.get(key) ?? 0) + 1)
            expect(counts.add(low, high, group, record, slice)).toBe(seen.has(key) ? 0 : expected.get(key))
            seen.add(key)
          }
        })
        const found: [string, number, number][] = []
        counts.forEach((low, high, group, count, slice) =>
          found.push([keyOf(low, high, group), count, slice]),
        )
        expect(found).toEqual([...expected].map(([key, count]) => [key, count, slices.get(key)]))
        expect(counts.size).toBe(expected.size)
      }),
    )
  })

  test('grow, and are found again', () => {
    const counts = createPairCounts()
    for (let n = 0; n < 100_000; n++) counts.add(n, n % 3, n % 5, 0, 0)
    expect(counts.size).toBe(100_000)
    const lost = Array.from({ length: 100_000 }, (_, n) => n).filter(
      (n) => counts.find(n, n % 3, n % 5) !== n,
    )
    expect(lost).toEqual([])
    expect(counts.find(1, 1, 2)).toBe(-1)
  })

  test('of more than the limit, those counted stay right', () => {
    const counts = createPairCounts(2)
    for (let record = 0; record < 3; record++) for (const low of [1, 2, 3]) counts.add(low, 0, 0, record, 0)
    expect(counts.isOver).toBe(true)
    expect([1, 2].map((low) => counts.countOf(counts.find(low, 0, 0)))).toEqual([3, 3])
    expect(counts.find(3, 0, 0)).toBe(-1)
  })

  test('are empty once cleared', () => {
    const counts = createPairCounts(1)
    counts.add(1, 0, 0, 0, 0)
    counts.add(2, 0, 0, 0, 0)
    counts.clear()
    expect([counts.size, counts.isOver, counts.find(1, 0, 0)]).toEqual([0, false, -1])
    expect(counts.add(2, 0, 0, 0, 0)).toBe(1)
  })
})
