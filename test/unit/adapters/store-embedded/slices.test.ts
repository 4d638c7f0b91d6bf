import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Part } from '../../../../adapters/store-embedded/parts.ts'
import { createSlicer } from '../../../../adapters/store-embedded/slices.ts'
import type { TimeRange } from '../../../../core/ports.ts'

const part = (minMs: number, maxMs: number, records: number) => ({ minMs, maxMs, records }) as Part

function slicesOf(parts: readonly Part[], range: TimeRange, order: 'newest' | 'oldest', records: number) {
  const slicer = createSlicer(parts, range, order)
  const slices: TimeRange[] = []
  for (let slice = slicer.next(records); slice !== null; slice = slicer.next(records)) slices.push(slice)
  return slices
}

test('a slice has about as many records as asked for', () => {
  const parts = [part(0, 999, 1_000), part(1_000, 1_999, 10_000)]
  const [first, second] = slicesOf(parts, { fromMs: 0, toMs: 2_000 }, 'newest', 1_000)
  expect(first).toEqual({ fromMs: 1_900, toMs: 2_000 })
  expect(second).toEqual({ fromMs: 1_800, toMs: 1_900 })
  expect(slicesOf(parts, { fromMs: 0, toMs: 2_000 }, 'oldest', 500)[0]).toEqual({ fromMs: 0, toMs: 500 })
})

test('records of one millisecond are one slice, whatever is asked for', () => {
  expect(slicesOf([part(5, 5, 1_000_000)], { fromMs: 0, toMs: 10 }, 'newest', 10)).toEqual([
    { fromMs: 5, toMs: 6 },
  ])
})

test('nothing has no slices', () => {
  expect(slicesOf([], { fromMs: 0, toMs: 10 }, 'newest', 10)).toEqual([])
  expect(slicesOf([part(20, 30, 5)], { fromMs: 0, toMs: 10 }, 'oldest', 10)).toEqual([])
})

test('slices follow each other in order and cover what the parts have in the range', () => {
  const time = fc.oneof(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -8.64e15, max: 8.64e15 }))
  const span = fc
    .tuple(time, time)
    .map((pair) => pair.toSorted((left, right) => left - right) as [number, number])
  const some = fc.array(fc.tuple(span, fc.integer({ min: 1, max: 1e6 })), { minLength: 1, maxLength: 5 })
  const shape = fc.record({ some, range: span, order: fc.constantFrom('newest' as const, 'oldest' as const) })
  fc.assert(
    fc.property(shape, ({ some, range: [fromMs, toMs], order }) => {
      const parts = some.map(([[minMs, maxMs], records]) => part(minMs, maxMs, records))
      const slices = slicesOf(parts, { fromMs, toMs }, order, 100_000)
      if (order === 'newest') slices.reverse()
      const startMs = Math.max(fromMs, Math.min(...parts.map(({ minMs }) => minMs)))
      const endMs = Math.min(toMs, Math.max(...parts.map(({ maxMs }) => maxMs)) + 1)
      const edges = slices.flatMap((slice) => [slice.fromMs, slice.toMs])
      // Each slice ends where the next one starts.
      expect(edges.slice(2).filter((_, at) => at % 2 === 0)).toEqual(
        edges.slice(1, -1).filter((_, at) => at % 2 === 0),
      )
      expect(edges).toEqual(edges.toSorted((left, right) => left - right))
      expect([edges[0], edges.at(-1)]).toEqual(startMs < endMs ? [startMs, endMs] : [undefined, undefined])
      expect(slices.every((slice) => slice.fromMs < slice.toMs)).toBe(true)
    }),
  )
})
