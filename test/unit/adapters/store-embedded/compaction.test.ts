import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { SegmentEntry } from '../../../../adapters/store-embedded/catalog.ts'
import { COMPACTED_RECORDS_MAX, toCompact } from '../../../../adapters/store-embedded/compactor.ts'
import { nodeFs } from '../../../../core/fs.ts'
import type { Fs, Store, StoredBatch } from '../../../../core/ports.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import type { StoreFolder } from '../../../support/embedded-store.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createFaultyFs, systemError } from '../../../support/faulty-fs.ts'
import { storedBatch } from '../../../support/records.ts'
import { EVER, all, messages, never, query } from '../../../support/store-under-test.ts'

const RECORDS = 20
const TO_COMPACT = 8
const DAY_MS = 86_400_000

/** Times of neighbours overlap, so that records have to be mixed. */
function batch(seq: number): StoredBatch {
  const fields = Array.from({ length: RECORDS }, (_, i) => ({
    timeMs: seq * 10 + i,
    ingestedMs: 1_000,
    message: `batch ${seq} record ${i}`,
    level: i % 2 === 0 ? ('error' as const) : ('info' as const),
    service: 'shop',
    latencyMs: i,
  }))
  return storedBatch(fields, { seq })
}

async function appendAll(store: Store, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++) await store.append(batch(seq), never)
}

function everything(to: number): string[] {
  return Array.from({ length: to }, (_, i) => messages(batch(i + 1).records))
    .flat()
    .toSorted()
}

async function found(store: Store, text = ''): Promise<string[]> {
  return messages(await all(store, query(text))).toSorted()
}

async function segmentsBecome(store: Store, segments: number): Promise<void> {
  await vi.waitFor(async () => expect((await store.stats()).segments).toBe(segments), { timeout: 10_000 })
}

const folderOf = () => createStoreFolder({ segmentRecords: RECORDS })

/** A folder with one segment less than is compacted. */
async function almost(): Promise<StoreFolder> {
  const folder = await folderOf()
  const store = await folder.open()
  await appendAll(store, 1, TO_COMPACT)
  await segmentsBecome(store, TO_COMPACT - 1)
  await store.close()
  return folder
}

describe('what is compacted', () => {
  const policies = { purgeAtMs: () => Infinity }
  const segment = (id: number, records: number, more: Partial<SegmentEntry> = {}): SegmentEntry => ({
    id,
    class: 'all',
    slotMs: 0,
    slotEndMs: DAY_MS,
    records,
    bytes: records,
    files: { parquet: { bytes: 0, crc32: 0 }, index: { bytes: 0, crc32: 0 }, rollup: null },
    firstPosition: 0,
    lastPosition: 0,
    minMs: id,
    maxMs: id,
    levels: [],
    services: [],
    rollups: [],
    ...more,
  })
  const segments = (count: number, records: number, more: Partial<SegmentEntry> = {}) =>
    Array.from({ length: count }, (_, i) => segment(i + 1, records, more))
  const during = { nowMs: 0, quiet: new Set<string>() }
  const behind = { nowMs: DAY_MS, quiet: new Set([JSON.stringify(['all', 0])]) }
  const M = COMPACTED_RECORDS_MAX

  test.each([
    { name: 'too few', given: segments(7, 100), at: during, ids: undefined },
    { name: 'enough', given: segments(8, 100), at: during, ids: [1, 2, 3, 4, 5, 6, 7, 8] },
    { name: 'as many as fit', given: segments(10, M / 8), at: during, ids: [1, 2, 3, 4, 5, 6, 7, 8] },
    { name: 'large ones', given: segments(10, M), at: during, ids: undefined },
    {
      name: 'a large one among small ones stays',
      given: [...segments(8, 100), segment(9, 100_000)],
      at: during,
      ids: [1, 2, 3, 4, 5, 6, 7, 8],
    },
    {
      name: 'not across partitions',
      given: [...segments(4, 100), ...segments(4, 100, { class: 'other' })],
      at: during,
      ids: undefined,
    },
    { name: 'two, when the slot is over', given: segments(2, 100), at: behind, ids: [1, 2] },
    {
      name: 'two, when the slot is over but records still come',
      given: segments(2, 100),
      at: { ...behind, quiet: new Set<string>() },
      ids: undefined,
    },
    { name: 'one, when the slot is over', given: segments(1, 100), at: behind, ids: undefined },
    {
      name: 'two large ones, when the slot is over',
      given: segments(2, 100_000),
      at: behind,
      ids: undefined,
    },
    {
      name: 'four large ones, when the slot is over',
      given: segments(4, 100_000),
      at: behind,
      ids: [1, 2, 3, 4],
    },
    { name: 'two that do not fit together', given: segments(2, M - 1), at: behind, ids: undefined },
    {
      name: 'not what would be too many bytes',
      given: segments(8, 100, { bytes: 100 << 20 }),
      at: during,
      ids: undefined,
    },
  ])('$name', ({ given, at, ids }) => {
    expect(toCompact(given, policies, at)?.map(({ id }) => id)).toEqual(ids)
  })

  test('a partition that is purged soon is left alone', () => {
    const soon = { purgeAtMs: () => 1_000 }
    expect(toCompact(segments(8, 100), soon, during)).toBeUndefined()
  })
})

test('many small segments become one; every answer stays the same', async () => {
  await using folder = await almost()
  const store = await folder.open()
  await appendAll(store, TO_COMPACT + 1, TO_COMPACT + 1)
  await segmentsBecome(store, 1)
  const sealed = TO_COMPACT * RECORDS
  expect(await found(store)).toEqual(everything(TO_COMPACT + 1))
  const request = { plan: query('level:error'), range: EVER, intervalMs: 60_000, by: 'level' as const }
  const { buckets } = await store.histogram(request, never)
  expect(buckets).toEqual([
    { startMs: 0, total: (sealed + RECORDS) / 2, by: { error: (sealed + RECORDS) / 2 } },
  ])
  const { arrivals } = await store.arrivals({ plan: query(''), after: 0, limit: 1_000 }, never)
  expect(arrivals.map(({ position }) => position)).toEqual(
    Array.from({ length: sealed + RECORDS }, (_, i) => i + 1),
  )
  await store.close()
  expect(await readdir(join(folder.dir, 'seg'))).toHaveLength(3)
  const again = await folder.open()
  expect(await found(again)).toEqual(everything(TO_COMPACT + 1))
})

test('what is left of a slot that is over becomes one segment when nothing new comes', async () => {
  await using folder = await folderOf()
  const clock = createFakeClock()
  const store = await folder.open({ clock })
  await appendAll(store, 1, 4)
  await segmentsBecome(store, 3)
  await vi.waitFor(async () => {
    await clock.advance(60_000)
    expect((await store.stats()).segments).toBe(1)
  })
  expect(await found(store)).toEqual(everything(4))
})

test('readers keep their answers whole while what they read is compacted', async () => {
  await using folder = await almost()
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  const readSlowly: Fs['readFile'] = async (path) => {
    if (path.endsWith('.index')) {
      waiting += 1
      await gate.promise
    }
    return nodeFs.readFile(path)
  }
  const store = await folder.open({ fs: { ...nodeFs, readFile: readSlowly } })
  const readers = [found(store), found(store, 'level:error')]
  await vi.waitFor(() => expect(waiting).toBeGreaterThan(0))
  await appendAll(store, TO_COMPACT + 1, TO_COMPACT + 1)
  await segmentsBecome(store, 1)
  expect((await readdir(join(folder.dir, 'seg'))).length).toBeGreaterThan(3)
  gate.resolve()
  const [whole, errors] = await Promise.all(readers)
  expect(whole).toEqual(everything(TO_COMPACT))
  expect(errors).toHaveLength((TO_COMPACT * RECORDS) / 2)
  await vi.waitFor(async () => expect(await readdir(join(folder.dir, 'seg'))).toHaveLength(3))
})

/** Opens, and dies at the n-th file operation behind that, while a generation is sealed and then all are compacted. */
async function compactAndDie(
  folder: StoreFolder,
  dieAt: number,
): Promise<{ operations: number; sealed: number }> {
  const fs = createFaultyFs(nodeFs)
  const clock = createFakeClock()
  const store = await folder.open({ fs, clock })
  const before = fs.operations
  fs.tornShare = 0.5
  let sealed = 0
  fs.fault = (operation, path) => {
    if (operation === 'remove' && path.endsWith('.wal')) sealed = fs.operations - before
    return fs.operations - before >= dieAt ? systemError('EIO') : undefined
  }
  await store.append(batch(TO_COMPACT + 1), never).catch(() => undefined)
  await vi.waitFor(
    async () => {
      const names = await readdir(join(folder.dir, 'seg'))
      if (fs.operations - before < dieAt && names.length !== 3) throw new Error('compaction goes on')
    },
    { timeout: 10_000 },
  )
  await store.close()
  return { operations: fs.operations - before, sealed }
}

test('dying at any file operation of a compaction leaves the old or the new', async () => {
  await using made = await almost()
  const template = join(made.dir, '..', `${made.dir}-template`)
  await cp(made.dir, template, { recursive: true })
  const restored = async () => {
    await rm(made.dir, { recursive: true })
    await cp(template, made.dir, { recursive: true })
  }
  try {
    const { operations, sealed } = await compactAndDie(made, Infinity)
    expect(operations - sealed).toBeGreaterThan(20)
    for (let dieAt = sealed; dieAt <= operations; dieAt++) {
      await restored()
      await compactAndDie(made, dieAt)
      const store = await made.open()
      const seen = await found(store)
      expect([everything(TO_COMPACT), everything(TO_COMPACT + 1)], `dying at ${dieAt}`).toContainEqual(seen)
      expect((await store.stats()).setAside, `dying at ${dieAt}`).toEqual([])
      await store.close()
    }
  } finally {
    await rm(template, { recursive: true })
  }
}, 60_000)

test('a full disk stops a compaction; it is tried again later, and nothing is left behind', async () => {
  await using folder = await almost()
  const fs = createFaultyFs(nodeFs)
  const clock = createFakeClock()
  const store = await folder.open({ fs, clock })
  let refused = 0
  fs.fault = (operation, path) => {
    if (operation !== 'write' || !path.endsWith('.index.tmp') || refusedIsOver) return undefined
    refused += 1
    return refused > 1 ? systemError('ENOSPC') : undefined // The first one is of the seal.
  }
  let refusedIsOver = false
  await appendAll(store, TO_COMPACT + 1, TO_COMPACT + 1)
  await vi.waitFor(() => expect(refused).toBe(2))
  expect(await found(store)).toEqual(everything(TO_COMPACT + 1))
  refusedIsOver = true
  await vi.waitFor(async () => {
    await clock.advance(60_000)
    expect((await store.stats()).segments).toBe(1)
  })
  expect(await found(store)).toEqual(everything(TO_COMPACT + 1))
  await vi.waitFor(async () => expect(await readdir(join(folder.dir, 'seg'))).toHaveLength(3))
})

test('a full disk stops a seal; batches are taken meanwhile, and it goes on when there is room', async () => {
  await using folder = await folderOf()
  const fs = createFaultyFs(nodeFs)
  const clock = createFakeClock()
  const store = await folder.open({ fs, clock })
  fs.fault = (operation, path) =>
    operation === 'write' && path.endsWith('.index.tmp') ? systemError('ENOSPC') : undefined
  await appendAll(store, 1, 3)
  expect(await found(store)).toEqual(everything(3))
  fs.fault = undefined
  await vi.waitFor(async () => {
    await clock.advance(1_000)
    expect((await store.stats()).segments).toBe(2)
  })
  expect(await found(store)).toEqual(everything(3))
  expect(await readdir(join(folder.dir, 'seg'))).toHaveLength(6)
})

test.each(['.index', '.rollup.parquet'])('a damaged %s is made again from the records', async (suffix) => {
  await using folder = await folderOf()
  const store = await folder.open()
  await appendAll(store, 1, 2)
  await segmentsBecome(store, 1)
  await store.close()
  const name = (await readdir(join(folder.dir, 'seg'))).find((one) => one.endsWith(suffix)) ?? ''
  const path = join(folder.dir, 'seg', name)
  const whole = await readFile(path)
  const rotten = Buffer.from(whole)
  rotten[whole.length >> 1] = (rotten[whole.length >> 1] ?? 0) ^ 0x5a
  for (const damage of [() => writeFile(path, rotten), () => rm(path)]) {
    await damage()
    const again = await folder.open()
    expect(await found(again, 'batch')).toEqual(everything(2))
    expect((await again.stats()).setAside).toEqual([])
    await again.close()
    expect((await readFile(path)).length).toBeGreaterThan(0)
  }
  const last = await folder.open()
  expect(await found(last)).toEqual(everything(2))
})
