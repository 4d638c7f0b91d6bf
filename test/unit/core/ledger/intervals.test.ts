import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { containsSeq, missingIn, unionRange } from '../../../../core/ledger/intervals.ts'
import type { StoredRange } from '../../../../core/ledger/types.ts'

const range = fc
  .record({
    seqFrom: fc.integer({ min: 1, max: 60 }),
    length: fc.integer({ min: 0, max: 5 }),
    fromMs: fc.nat(99),
  })
  .map(({ seqFrom, length, fromMs }) => ({ seqFrom, seqTo: seqFrom + length, fromMs, toMs: fromMs + 10 }))

const seqsOf = ({ seqFrom, seqTo }: { seqFrom: number; seqTo: number }) =>
  Array.from({ length: seqTo - seqFrom + 1 }, (_, index) => seqFrom + index)

test('a union holds what went in, in any order, as ascending ranges that do not touch', () => {
  fc.assert(
    fc.property(fc.array(range), fc.integer({ min: 0, max: 70 }), (added, lastSeq) => {
      const seqs = new Set(added.flatMap(seqsOf))
      const union = added.reduce<StoredRange[]>(unionRange, [])
      expect(union.flatMap(seqsOf)).toEqual([...seqs].sort((left, right) => left - right))
      for (const [index, { seqFrom }] of union.slice(1).entries()) {
        expect(seqFrom).toBeGreaterThan((union[index]?.seqTo ?? 0) + 1)
      }
      expect(added.toReversed().reduce<StoredRange[]>(unionRange, [])).toEqual(union)
      const upTo = Array.from({ length: lastSeq }, (_, index) => index + 1)
      expect(missingIn(union, lastSeq).flatMap(seqsOf)).toEqual(upTo.filter((seq) => !seqs.has(seq)))
      for (const seq of upTo) expect(containsSeq(union, seq)).toBe(seqs.has(seq))
    }),
  )
})

test('a merged range has the time bounds of all that is in it', () => {
  const union = [
    { seqFrom: 1, seqTo: 1, fromMs: 50, toMs: 60 },
    { seqFrom: 3, seqTo: 3, fromMs: 10, toMs: 20 },
    { seqFrom: 2, seqTo: 2, fromMs: 70, toMs: 80 },
  ].reduce<StoredRange[]>(unionRange, [])
  expect(union).toEqual([{ seqFrom: 1, seqTo: 3, fromMs: 10, toMs: 80 }])
})
