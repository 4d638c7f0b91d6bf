import { appendFile, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as yieldNow } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { openEmbeddedStore } from '../../../../adapters/store-embedded/store.ts'
import { nodeFs } from '../../../../core/fs.ts'
import type { Store, StoredBatch } from '../../../../core/ports.ts'
import { MATCH_ALL } from '../../../../core/query/plan.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import type { StoreFolder } from '../../../support/embedded-store.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createFaultyFs, systemError } from '../../../support/faulty-fs.ts'
import { quietLog } from '../../../support/quiet-log.ts'
import { storedBatch } from '../../../support/records.ts'

const EVER = { fromMs: -8.64e15, toMs: 8.64e15 }
const never = new AbortController().signal

function batch(seq: number, records = 10): StoredBatch {
  const fields = Array.from({ length: records }, (_, i) => ({
    timeMs: seq * 10 + i,
    message: `batch ${seq}`,
  }))
  return storedBatch(fields, { seq })
}

/** How many records of each batch are found, by sequence number. */
async function found(store: Store): Promise<ReadonlyMap<number, number>> {
  const { records } = await store.search({ plan: MATCH_ALL, range: EVER, limit: 10_000 }, never)
  const counts = new Map<number, number>()
  for (const { message } of records) {
    const seq = Number(message.slice('batch '.length))
    counts.set(seq, (counts.get(seq) ?? 0) + 1)
  }
  return counts
}

function everyBatch(from: number, to: number): ReadonlyMap<number, number> {
  return new Map(Array.from({ length: to - from + 1 }, (_, i) => [from + i, 10]))
}

async function appendAll(store: Store, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++) await store.append(batch(seq), never)
}

async function segmentsBecome(store: Store, segments: number): Promise<void> {
  await vi.waitFor(async () => expect(await store.stats()).toMatchObject({ segments }), { timeout: 5_000 })
}

async function flipByte(path: string, at: (bytes: Buffer) => number): Promise<void> {
  const bytes = await readFile(path)
  const index = at(bytes)
  bytes[index] = (bytes[index] ?? 0) ^ 0x5a
  await writeFile(path, bytes)
}

async function onlyFile(folder: string, suffix = ''): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(suffix))
  expect(names).toHaveLength(1)
  return join(folder, names[0] ?? '')
}

describe('dying at any file operation', () => {
  const BATCHES = 3

  /** Two generations, one of them sealed; returns what was acknowledged, and how many operations it took. */
  async function run(
    folder: StoreFolder,
    dieAt: number,
  ): Promise<{ acked: Set<number>; operations: number }> {
    const fs = createFaultyFs(nodeFs)
    fs.tornShare = 0.5
    fs.fault = () => (fs.operations >= dieAt ? systemError('EIO') : undefined)
    const acked = new Set<number>()
    const store = await folder.open({ fs }).catch(() => undefined)
    if (store === undefined) return { acked, operations: fs.operations }
    for (let seq = 1; seq <= BATCHES; seq++) {
      const stored = store.append(batch(seq), never)
      await stored.then(() => acked.add(seq)).catch(() => undefined)
    }
    await vi.waitFor(async () => {
      const { segments } = await store.stats()
      if (fs.operations < dieAt && segments === 0) throw new Error('sealing goes on')
    })
    await store.close()
    return { acked, operations: fs.operations }
  }

  test('what was acknowledged is there once, and nothing is there by half', async () => {
    await using whole = await createStoreFolder({ segmentRecords: 20 })
    const { operations } = await run(whole, Infinity)
    expect(operations).toBeGreaterThan(20)
    for (let dieAt = 1; dieAt <= operations; dieAt++) {
      await using folder = await createStoreFolder({ segmentRecords: 20 })
      const { acked } = await run(folder, dieAt)
      const store = await folder.open()
      const counts = await found(store)
      for (const seq of acked) expect(counts.get(seq), `batch ${seq}, dying at ${dieAt}`).toBe(10)
      for (const [seq, count] of counts) expect(count, `batch ${seq}, dying at ${dieAt}`).toBe(10)
      for (let seq = 1; seq <= BATCHES; seq++)
        expect(await store.append(batch(seq), never)).toBe(counts.has(seq) ? 'duplicate' : 'stored')
      expect(await found(store)).toEqual(new Map([...counts, ...everyBatch(1, BATCHES)]))
      expect((await store.stats()).setAside).toEqual([])
    }
  })
})

describe('damaged files', () => {
  test('a torn end of the log is cut, and writing goes on behind it', async () => {
    await using folder = await createStoreFolder()
    const store = await folder.open()
    await appendAll(store, 1, 3)
    await store.close()
    await appendFile(await onlyFile(join(folder.dir, 'wal')), 'half a frame')
    const again = await folder.open()
    await appendAll(again, 4, 4)
    await again.close()
    const last = await folder.open()
    expect(await found(last)).toEqual(everyBatch(1, 4))
    expect((await last.stats()).setAside).toEqual([])
  })

  test('a bad frame with good ones behind it is reported; the good ones stay', async () => {
    await using folder = await createStoreFolder()
    const store = await folder.open()
    await appendAll(store, 1, 3)
    await store.close()
    await flipByte(await onlyFile(join(folder.dir, 'wal')), (bytes) => bytes.indexOf('batch 2'))
    for (const _ of ['when it is found', 'and ever after']) {
      const again = await folder.open()
      expect(await found(again)).toEqual(new Map([1, 3].map((seq) => [seq, 10])))
      expect((await again.stats()).setAside).toMatchObject([
        { records: 10, problem: 'frames in it are damaged' },
      ])
      await again.close()
    }
    expect(await readdir(join(folder.dir, 'aside'))).toHaveLength(1)
    const last = await folder.open()
    expect(await last.append(batch(2), never)).toBe('stored')
  })

  async function withSegment(folder: StoreFolder): Promise<string> {
    const store = await folder.open()
    await appendAll(store, 1, 3)
    await segmentsBecome(store, 1)
    await store.close()
    return onlyFile(join(folder.dir, 'seg'), '1.parquet')
  }

  test('a rotten segment fails one query whole; then the rest is served and the loss reported', async () => {
    await using folder = await createStoreFolder({ segmentRecords: 20 })
    await flipByte(await withSegment(folder), (bytes) => bytes.length >> 1)
    const store = await folder.open()
    await expect(found(store)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await found(store)).toEqual(everyBatch(3, 3))
    await store.close()
    const again = await folder.open()
    expect(await found(again)).toEqual(everyBatch(3, 3))
    const lost = { problem: 'checksum is wrong', fromMs: 10, toMs: 30, records: 20 }
    expect((await again.stats()).setAside).toMatchObject([lost])
    const missing = { reason: 'damaged', fromMs: 10, toMs: 30, records: 20 }
    expect(await again.purged({ plan: MATCH_ALL, range: EVER })).toMatchObject([missing])
    expect(await again.purged({ plan: MATCH_ALL, range: { fromMs: 30, toMs: 40 } })).toEqual([])
    expect(await again.append(batch(1), never)).toBe('duplicate')
  })

  test('a segment that vanishes while the store runs fails one query whole', async () => {
    await using folder = await createStoreFolder({ segmentRecords: 20 })
    const path = await withSegment(folder)
    const store = await folder.open()
    expect(await found(store)).toEqual(everyBatch(1, 3))
    await rm(path)
    await expect(found(store)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await found(store)).toEqual(everyBatch(3, 3))
    expect((await store.stats()).setAside).toMatchObject([{ problem: 'missing', records: 20 }])
  })

  test('a lost catalog loses no file: stray segments are put aside and reported', async () => {
    await using folder = await createStoreFolder({ segmentRecords: 20 })
    await withSegment(folder)
    await rm(join(folder.dir, 'catalog'))
    const store = await folder.open()
    expect(await found(store)).toEqual(everyBatch(3, 3))
    expect((await store.stats()).setAside).toMatchObject([{ problem: 'it is not in the catalog' }])
    // What it held is not known any more: it may be missing anywhere.
    expect(await store.purged({ plan: MATCH_ALL, range: { fromMs: 0, toMs: 1 } })).toMatchObject([
      { reason: 'damaged', records: 0 },
    ])
  })

  test('a damaged ledger is reported and begun anew', async () => {
    await using folder = await createStoreFolder({ segmentRecords: 20 })
    await withSegment(folder)
    await flipByte(join(folder.dir, 'ledger'), (bytes) => bytes.length - 5)
    const store = await folder.open()
    expect(await found(store)).toEqual(everyBatch(1, 3))
    expect((await store.stats()).setAside).toMatchObject([{ file: 'ledger' }])
    expect(await store.purged({ plan: MATCH_ALL, range: EVER })).toEqual([])
  })
})

describe('a full disk', () => {
  test('refuses a batch whole, answers queries, and takes it once there is room', async () => {
    await using folder = await createStoreFolder()
    const fs = createFaultyFs(nodeFs)
    const store = await folder.open({ fs })
    await appendAll(store, 1, 2)
    fs.tornShare = 0.5
    fs.fault = (operation) => (operation === 'write' ? systemError('ENOSPC') : undefined)
    for (const _ of ['once', 'again'])
      await expect(store.append(batch(3), never)).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(await found(store)).toEqual(everyBatch(1, 2))
    fs.fault = undefined
    expect(await store.append(batch(3), never)).toBe('stored')
    await store.close()
    const again = await folder.open()
    expect(await found(again)).toEqual(everyBatch(1, 3))
    expect((await again.stats()).setAside).toEqual([])
  })

  test('keeps what cannot be sealed searchable, and seals it later', async () => {
    await using folder = await createStoreFolder({ segmentRecords: 20 })
    const fs = createFaultyFs(nodeFs)
    const clock = createFakeClock()
    const store = await folder.open({ fs, clock })
    fs.fault = (operation) => (operation === 'replaceFile' ? systemError('ENOSPC') : undefined)
    await appendAll(store, 1, 3)
    await vi.waitFor(() => expect(clock.timers).toBeGreaterThan(1))
    expect(await found(store)).toEqual(everyBatch(1, 3))
    fs.fault = undefined
    await vi.waitFor(async () => {
      await clock.advance(1_000)
      expect(await store.stats()).toMatchObject({ segments: 1 })
    })
    expect(await found(store)).toEqual(everyBatch(1, 3))
  })

  test('stops taking batches before unsealed ones fill the memory', async () => {
    await using folder = await createStoreFolder({ segmentRecords: 10 })
    const fs = createFaultyFs(nodeFs)
    const store = await folder.open({ fs })
    fs.fault = (operation) => (operation === 'replaceFile' ? systemError('ENOSPC') : undefined)
    await expect(appendAll(store, 1, 20)).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect((await found(store)).size).toBeLessThan(8)
  })
})

test('an old hot table is sealed, however small', async () => {
  await using folder = await createStoreFolder({ segmentAgeMsMax: 60_000 })
  const clock = createFakeClock()
  const store = await folder.open({ clock })
  await appendAll(store, 1, 1)
  await clock.advance(60_000)
  await segmentsBecome(store, 1)
  await appendAll(store, 2, 2)
  expect(await found(store)).toEqual(everyBatch(1, 2))
  expect(await readdir(join(folder.dir, 'wal'))).toHaveLength(1)
})

test('queries see every batch once while generations are sealed under them', async () => {
  await using folder = await createStoreFolder({ segmentRecords: 20 })
  const store = await folder.open()
  let done = false
  const writing = appendAll(store, 1, 20).finally(() => (done = true))
  while (!done) {
    await yieldNow()
    const counts = await found(store)
    expect([...counts.keys()].sort((left, right) => left - right)).toEqual([
      ...everyBatch(1, counts.size).keys(),
    ])
    expect(new Set([10, ...counts.values()])).toEqual(new Set([10]))
  }
  await writing
  expect(await found(store)).toEqual(everyBatch(1, 20))
})

describe('in its own thread', () => {
  test('errors, aborts and large batches cross it; the folder has one owner', async () => {
    await using folder = await createStoreFolder({ segmentRecords: 4_000 })
    const options = { ...folder.options, log: quietLog }
    const store = await openEmbeddedStore(options)
    await expect(openEmbeddedStore(options)).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' })
    const large = batch(1, 5_000)
    expect(await store.append(large, never)).toBe('stored')
    const page = await store.search({ plan: MATCH_ALL, range: EVER, limit: 5_000 }, never)
    expect(page.records).toEqual(large.records.toReversed())
    await expect(store.append(batch(1), never)).rejects.toMatchObject({
      code: 'SEQUENCE_CONFLICT',
      details: { seq: 1 },
      retryable: false,
    })
    const abort = new AbortController()
    const asked = store.search({ plan: MATCH_ALL, range: EVER, limit: 10 }, abort.signal)
    const reason = new Error('gone')
    abort.abort(reason)
    await expect(asked).rejects.toBe(reason)
    const arrived = new Promise<void>((resolve) => {
      store.onArrival(resolve)
    })
    await store.append(batch(2), never)
    await arrived
    expect(await store.head()).toBe(5_010)
    await store.close()
    await store.close()
    await expect(store.head()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  })
})
