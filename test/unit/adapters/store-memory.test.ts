import { expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { storeContract } from '../../contracts/store.ts'
import { storedBatch } from '../../support/records.ts'

const never = new AbortController().signal

storeContract('memory', async () => {
  const store = createMemoryStore()
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
