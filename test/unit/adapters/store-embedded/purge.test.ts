import { cp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { SegmentEntry } from '../../../../adapters/store-embedded/catalog.ts'
import { EMPTY_CATALOG } from '../../../../adapters/store-embedded/catalog.ts'
import { createPolicies } from '../../../../adapters/store-embedded/partitions.ts'
import { toPurge } from '../../../../adapters/store-embedded/purger.ts'
import { nodeFs } from '../../../../core/fs.ts'
import type { Fs, Store, StoredBatch } from '../../../../core/ports.ts'
import { MATCH_ALL } from '../../../../core/query/plan.ts'
import type { Retention } from '../../../../core/retention.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import type { StoreFolder } from '../../../support/embedded-store.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import type { FakeClock } from '../../../support/fake-clock.ts'
import { createFaultyFs, systemError } from '../../../support/faulty-fs.ts'
import { storedBatch } from '../../../support/records.ts'
import { EVER, all, messages, never, query } from '../../../support/store-under-test.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const START_MS = Date.UTC(2025, 0, 1)
const RECORDS = 20

/** Debug for 1 h in slots of 15 min, the rest for 4 h in slots of 1 h. */
const RETENTION: Retention = {
  classes: [
    { name: 'debug', maxAgeMs: HOUR_MS, bytesMax: null, match: { levels: ['debug'] } },
    { name: 'logs', maxAgeMs: 4 * HOUR_MS, bytesMax: null, match: {} },
  ],
  bytesMax: null,
}

/** Half debug, half info. */
function batch(seq: number, timeMs = START_MS): StoredBatch {
  const fields = Array.from({ length: RECORDS }, (_, i) => ({
    timeMs: timeMs + i,
    ingestedMs: timeMs + i,
    message: `batch ${seq} record ${i}`,
    level: i % 2 === 0 ? ('debug' as const) : ('info' as const),
  }))
  return storedBatch(fields, { seq })
}

async function segmentsBecome(store: Store, segments: number): Promise<void> {
  await vi.waitFor(async () => expect((await store.stats()).segments).toBe(segments), { timeout: 10_000 })
}

async function filesBecome(folder: StoreFolder, files: number): Promise<void> {
  await vi.waitFor(async () => expect(await readdir(join(folder.dir, 'seg'))).toHaveLength(files))
}

const found = async (store: Store) => messages(await all(store)).toSorted()
const purged = (store: Store) => store.purged({ plan: MATCH_ALL, range: EVER })
const folderOf = (retention = RETENTION) => createStoreFolder({ segmentRecords: RECORDS, retention })
const clockAt = () => createFakeClock({ nowMs: START_MS })

/** One sealed generation: a segment of each class; and one in memory. */
async function withSegments(folder: StoreFolder, clock: FakeClock, fs: Fs = nodeFs): Promise<Store> {
  const store = await folder.open({ clock, fs })
  await store.append(batch(1), never)
  await store.append(batch(2), never)
  await segmentsBecome(store, 2)
  return store
}

test('a partition goes whole when it is due: out of answers at once, off the disk with the next purge', async () => {
  await using folder = await folderOf()
  const clock = clockAt()
  const store = await withSegments(folder, clock)
  const before = (await store.stats()).bytesOnDisk
  clock.jump(HOUR_MS)
  const infos = [1, 2].flatMap((seq) =>
    Array.from({ length: 10 }, (_, i) => `batch ${seq} record ${2 * i + 1}`),
  )
  expect(await found(store)).toEqual(infos.toSorted())
  await clock.advance(MINUTE_MS)
  await vi.waitFor(async () => expect((await store.stats()).bytesOnDisk).toBeLessThan(before))
  const range = { class: 'debug', reason: 'age', fromMs: START_MS, toMs: START_MS + 19 }
  expect(await store.purge()).toMatchObject([{ ...range, records: 10 }])
  await store.close()
  const again = await folder.open({ clock })
  expect(await found(again)).toEqual(infos.toSorted())
  expect(await purged(again)).toMatchObject([
    { ...range, records: 10 },
    { ...range, records: 10 },
  ])
  expect((await again.stats()).purged).toMatchObject({ partitions: 2, records: 20 })
  expect((await again.stats()).setAside).toEqual([])
})

test('a store that was closed for long purges when it is opened', async () => {
  await using folder = await folderOf()
  const clock = clockAt()
  await (await withSegments(folder, clock)).close()
  clock.jump(24 * HOUR_MS)
  const store = await folder.open({ clock })
  expect((await store.stats()).segments).toBe(0)
  await filesBecome(folder, 0)
})

test('what expired on arrival is told after a crash, and after it was sealed', async () => {
  await using folder = await folderOf()
  const clock = clockAt()
  const store = await folder.open({ clock })
  await store.append(batch(1, START_MS - 2 * HOUR_MS), never)
  const told = [{ class: 'debug', reason: 'expired', records: 10, atMs: START_MS }]
  expect(await purged(store)).toMatchObject(told)
  await store.close() // The log stays, as after a crash.
  const replayed = await folder.open({ clock })
  expect(await purged(replayed)).toMatchObject(told)
  await replayed.append(batch(2), never)
  await replayed.append(batch(3), never)
  await vi.waitFor(async () => expect(await readdir(join(folder.dir, 'wal'))).toHaveLength(1))
  await replayed.close()
  const sealed = await folder.open({ clock })
  expect(await purged(sealed)).toMatchObject(told)
})

test('a reader keeps its answer whole while what it reads is purged', async () => {
  await using folder = await folderOf()
  const clock = clockAt()
  await (await withSegments(folder, clock)).close()
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  const readFile: Fs['readFile'] = async (path) => {
    if (path.endsWith('.index')) {
      waiting += 1
      await gate.promise
    }
    return nodeFs.readFile(path)
  }
  const store = await folder.open({ clock, fs: { ...nodeFs, readFile } })
  const reading = found(store)
  await vi.waitFor(() => expect(waiting).toBe(1))
  clock.jump(24 * HOUR_MS)
  const went = await store.purge()
  expect(went.reduce((sum, { records }) => sum + records, 0)).toBe(2 * RECORDS)
  expect((await readdir(join(folder.dir, 'seg'))).length).toBeGreaterThanOrEqual(4)
  gate.resolve()
  expect(await reading).toHaveLength(2 * RECORDS)
  expect(await found(store)).toEqual([])
  await filesBecome(folder, 0)
})

test('a clock that jumps back purges nothing and takes records as before', async () => {
  await using folder = await folderOf()
  const clock = clockAt()
  const store = await withSegments(folder, clock)
  clock.jump(HOUR_MS)
  await store.purge()
  const left = await found(store)
  clock.jump(-10 * HOUR_MS)
  expect(await store.purge()).toEqual([])
  await store.append(batch(3, START_MS - 9 * HOUR_MS), never)
  expect(await found(store)).toHaveLength(left.length + RECORDS)
  await store.close()
  const again = await folder.open({ clock })
  expect(await found(again)).toHaveLength(left.length + RECORDS)
})

test('records of a hundred slots in one generation become a hundred partitions', async () => {
  const SLOTS = 100
  const keep: Retention = {
    classes: [{ name: 'logs', maxAgeMs: 1_000 * 24 * HOUR_MS, bytesMax: null, match: {} }],
    bytesMax: null,
  }
  await using folder = await createStoreFolder({ segmentRecords: SLOTS, retention: keep })
  const clock = clockAt()
  const store = await folder.open({ clock })
  const fields = Array.from({ length: SLOTS }, (_, i) => {
    const timeMs = START_MS - ((i * 37) % SLOTS) * 24 * HOUR_MS
    return { timeMs, ingestedMs: START_MS, message: `slot ${i}` }
  })
  await store.append(storedBatch(fields, { seq: 1 }), never)
  await store.append(batch(2), never)
  await segmentsBecome(store, SLOTS)
  const { partitions } = await store.stats()
  expect(partitions.map(({ records }) => records)).toEqual(Array.from({ length: SLOTS }, () => 1))
  expect(await found(store)).toEqual(
    [...messages(batch(2).records), ...fields.map(({ message }) => message)].toSorted(),
  )
  clock.jump(950 * 24 * HOUR_MS)
  await store.purge()
  expect((await store.stats()).partitions.length).toBe(50)
})

describe('size caps', () => {
  const segment = (id: number, more: Partial<SegmentEntry> = {}): SegmentEntry => ({
    id,
    class: 'logs',
    slotMs: START_MS,
    slotEndMs: START_MS + HOUR_MS,
    records: 10,
    bytes: 100,
    files: { parquet: { bytes: 0, crc32: 0 }, index: { bytes: 0, crc32: 0 }, rollup: null },
    firstPosition: 0,
    lastPosition: 0,
    minMs: START_MS + id,
    maxMs: START_MS + id,
    levels: ['info'],
    services: ['shop'],
    rollups: [],
    ...more,
  })
  const capped = (bytesMax: number | null, logsMax: number | null): Retention => ({
    classes: RETENTION.classes.map((one) => (one.name === 'logs' ? { ...one, bytesMax: logsMax } : one)),
    bytesMax,
  })
  const next = { slotMs: START_MS + HOUR_MS, slotEndMs: START_MS + 2 * HOUR_MS }
  const debug = { class: 'debug' }

  test.each([
    { name: 'all fit', retention: capped(400, 400), given: [segment(1), segment(2)], gone: [] },
    {
      name: 'the oldest of a partition',
      retention: capped(null, 250),
      given: [segment(3), segment(1), segment(2)],
      gone: [[1]],
    },
    {
      name: 'the oldest partition first',
      retention: capped(250, null),
      given: [segment(1, next), segment(2), segment(3), segment(4, next)],
      gone: [[2, 3]],
    },
    {
      name: 'what would be purged first',
      retention: capped(150, null),
      given: [segment(1), segment(2, debug)],
      gone: [[2]],
    },
    {
      name: 'a class by its own cap, then all by theirs',
      retention: capped(150, 150),
      given: [segment(1), segment(2), segment(3, debug)],
      gone: [[1], [3]],
    },
  ])('$name', ({ retention, given, gone }) => {
    const at = { nowMs: START_MS, otherBytes: 0 }
    const went = toPurge({ ...EMPTY_CATALOG, segments: given }, createPolicies(retention), at)
    expect(went.map(({ removed }) => removed)).toEqual(gone)
    expect(went.every(({ purged: { reason } }) => reason === 'size')).toBe(true)
  })

  test('the logs count, and are never touched', () => {
    const at = { nowMs: START_MS, otherBytes: 350 }
    const state = { ...EMPTY_CATALOG, segments: [segment(1), segment(2)] }
    const [went, ...more] = toPurge(state, createPolicies(capped(450, null)), at)
    expect(more).toEqual([])
    expect(went).toMatchObject({ removed: [1], partitions: 0, bytes: 100 })
    expect(went?.purged).toMatchObject({ records: 10, levels: ['info'], services: ['shop'] })
  })

  test('a store that is too large drops its oldest segments, and says so', async () => {
    await using folder = await createStoreFolder({
      segmentRecords: RECORDS,
      retention: { ...RETENTION, bytesMax: 1 },
    })
    const store = await withSegments(folder, clockAt())
    await store.purge()
    expect((await store.stats()).segments).toBe(0)
    expect(await found(store)).toHaveLength(RECORDS)
    const { length } = await store.purged({ plan: query('level:info'), range: EVER })
    expect(length).toBe(1)
    expect((await purged(store)).map(({ reason }) => reason)).toEqual(['size', 'size'])
  })
})

test('dying at any file operation of a purge leaves records or says that they went', async () => {
  await using made = await folderOf()
  const clock = clockAt()
  await (await withSegments(made, clock)).close()
  const template = `${made.dir}-template`
  await cp(made.dir, template, { recursive: true })
  clock.jump(HOUR_MS)
  const purgeAndDie = async (dieAt: number): Promise<number> => {
    const fs = createFaultyFs(nodeFs)
    fs.fault = () => (fs.operations >= dieAt ? systemError('EIO') : undefined)
    const store = await made.open({ fs, clock }).catch(() => undefined)
    await store?.purge().catch(() => undefined)
    await store?.close()
    return fs.operations
  }
  try {
    const operations = await purgeAndDie(Infinity)
    expect(operations).toBeGreaterThan(10)
    for (let dieAt = 1; dieAt <= operations; dieAt++) {
      await rm(made.dir, { recursive: true })
      await cp(template, made.dir, { recursive: true })
      await purgeAndDie(dieAt)
      const store = await made.open({ clock })
      const gone = (await purged(store)).reduce((sum, { records }) => sum + records, 0)
      expect([(await found(store)).length, gone], `dying at ${dieAt}`).toEqual([RECORDS, RECORDS])
      expect((await store.stats()).setAside, `dying at ${dieAt}`).toEqual([])
      await store.close()
    }
  } finally {
    await rm(template, { recursive: true })
  }
}, 60_000)
