import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBatchKeys } from '../../../../core/metrics/batch-keys.ts'
import { createSeriesLimit } from '../../../../core/metrics/series-limit.ts'

const key = (seq: number, collector = 'c1') => ({ site: 'eu', collector, epoch: 'e', seq })

test('keys are known once they are added, also by a reader of the document', () => {
  const some = fc.array(
    fc.record({ seq: fc.integer({ min: 1, max: 40 }), collector: fc.constantFrom('a', 'b') }),
  )
  fc.assert(
    fc.property(some, (added) => {
      const keys = createBatchKeys()
      for (const { seq, collector } of added) keys.add(key(seq, collector), 1)
      const read = createBatchKeys(keys.document())
      for (const collector of ['a', 'b']) {
        for (let seq = 1; seq <= 40; seq += 1) {
          const known = added.some((one) => one.seq === seq && one.collector === collector)
          expect([keys.has(key(seq, collector)), read.has(key(seq, collector))]).toEqual([known, known])
        }
      }
    }),
  )
})

test('keys in order cost one range, and go when their newest is old', () => {
  const keys = createBatchKeys()
  for (let seq = 1; seq <= 1_000; seq += 1) keys.add(key(seq), seq)
  keys.add(key(5_000), 2_000)
  expect(keys.document()[0]?.[3]).toHaveLength(2)
  keys.forget(1_000)
  expect(keys.has(key(1))).toBe(true)
  keys.forget(1_001)
  expect([keys.has(key(1)), keys.has(key(5_000))]).toEqual([false, true])
  keys.forget(2_001)
  expect(keys.document()).toEqual([])
})

test('a day has room for so many series, the next one again', () => {
  const limit = createSeriesLimit(2)
  const DAY_MS = 86_400_000
  expect(['a', 'b', 'c', 'a'].map((name) => limit.admits(name, DAY_MS - 1))).toEqual([
    true,
    true,
    false,
    true,
  ])
  expect(limit.size).toBe(2)
  expect(limit.admits('c', DAY_MS)).toBe(true)
  expect(limit.size).toBe(1)
})
