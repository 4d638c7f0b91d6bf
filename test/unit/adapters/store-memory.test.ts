import { expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { MATCH_ALL } from '../../../core/query/plan.ts'
import { storeContract } from '../../contracts/store.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { storedBatch } from '../../support/records.ts'

const never = new AbortController().signal

storeContract('memory', async (options) => {
  const store = createMemoryStore(options)
  return { store, [Symbol.asyncDispose]: () => store.close() }
})

test('a full memory store refuses a batch instead of forgetting an older one', async () => {
  const store = createMemoryStore({ recordsMax: 2 })
  await store.append(storedBatch([{}, {}]), never)
  await expect(store.append(storedBatch([{}], { seq: 2 }), never)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    details: { recordsMax: 2 },
  })
  expect(await store.stats()).toMatchObject({ records: 2 })
})

test('to explain, the memory store is one block that is read record by record', async () => {
  const store = createMemoryStore()
  await store.append(storedBatch([{}, { timeMs: 86_400_000, ingestedMs: 86_400_000 }, {}]), never)
  expect(await store.explain({ plan: MATCH_ALL, range: { fromMs: 0, toMs: 1 } }, never)).toEqual({
    partitions: 2,
    partitionsRead: 2,
    blocks: { total: 1, outOfRange: 0, excludedByValues: 0, excludedByWords: 0, read: 1 },
    records: 3,
    bytes: 0,
    exact: false,
  })
})

test('a full memory store has room again once records are purged', async () => {
  const clock = createFakeClock({ nowMs: 0 })
  const retention = { classes: [{ name: 'all', maxAgeMs: 4_000, bytesMax: null, match: {} }], bytesMax: null }
  const store = createMemoryStore({ recordsMax: 1, retention, clock })
  await store.append(storedBatch([{}]), never)
  await expect(store.append(storedBatch([{ timeMs: 1 }], { seq: 2 }), never)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  })
  clock.jump(4_000)
  const expired = { timeMs: 1, ingestedMs: 4_000 }
  await store.append(storedBatch([expired, { timeMs: 4_000, ingestedMs: 4_000 }], { seq: 2 }), never)
  expect(await store.stats()).toMatchObject({
    records: 1,
    oldestMs: 4_000,
    purged: { partitions: 1, records: 1 },
  })
})

test('a batch that is refused because the store is full leaves no trace of expired records', async () => {
  const clock = createFakeClock({ nowMs: 10_000 })
  const retention = { classes: [{ name: 'all', maxAgeMs: 4_000, bytesMax: null, match: {} }], bytesMax: null }
  const store = createMemoryStore({ recordsMax: 0, retention, clock })
  const batch = storedBatch([{}, { timeMs: 10_000, ingestedMs: 10_000 }])
  await expect(store.append(batch, never)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(await store.purged({ plan: MATCH_ALL, range: { fromMs: 0, toMs: 1e6 } })).toEqual([])
})
