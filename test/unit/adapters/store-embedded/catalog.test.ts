import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  EMPTY_CATALOG,
  decodeCatalogEntry,
  openCatalog,
  withEntry,
} from '../../../../adapters/store-embedded/catalog.ts'
import type { CatalogEntry, CatalogState, SegmentEntry } from '../../../../adapters/store-embedded/catalog.ts'
import { scanFrames } from '../../../../adapters/store-embedded/framed-file.ts'
import { nodeFs } from '../../../../core/fs.ts'
import type { Fs } from '../../../../core/ports.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import { createFaultyFs, systemError } from '../../../support/faulty-fs.ts'

const SERVICES = Array.from({ length: 64 }, (_, i) => `a-service-with-a-long-name-${i}`)

function segment(id: number): SegmentEntry {
  return {
    id,
    class: 'logs',
    slotMs: 0,
    slotEndMs: 1_000,
    records: 10,
    bytes: 100,
    files: { parquet: { bytes: 0, crc32: 0 }, index: { bytes: 0, crc32: 0 }, rollup: null },
    firstPosition: 1,
    lastPosition: 10,
    minMs: 0,
    maxMs: 9,
    levels: ['info'],
    services: SERVICES,
    rollups: [],
  }
}

function purged(id: number): CatalogEntry {
  const range = { class: 'logs', reason: 'age' as const, fromMs: id, toMs: id + 1, records: 10, atMs: id }
  return {
    type: 'purged',
    removed: [id],
    purged: { ...range, levels: [], services: [] },
    partitions: 1,
    bytes: 100,
  }
}

async function open(fs: Fs, dir: string) {
  const path = join(dir, 'catalog')
  const bytes = await readFile(path).catch(() => Buffer.alloc(0))
  const { payloads, end } = scanFrames(bytes)
  const state = payloads.map(decodeCatalogEntry).reduce(withEntry, EMPTY_CATALOG)
  return { catalog: await openCatalog(fs, { path, folder: dir, bytes: end }, state), found: state }
}

/** Seals a generation, and purges the one before it: the file grows, what it says does not. */
async function churn(fs: Fs, dir: string, gens: number): Promise<CatalogState> {
  const { catalog } = await open(fs, dir)
  for (let gen = 1; gen <= gens; gen++) {
    const sealed: CatalogEntry = { type: 'sealed', gen, segments: [segment(gen)], expired: [] }
    await catalog.record(() => (gen === 1 ? [sealed] : [sealed, purged(gen - 1)]))
    catalog.forget({ gens: [gen], ids: [gen - 1] })
  }
  await catalog.close()
  return catalog.state
}

const GENS = 1_000

test('a catalog that has grown is written anew, and says the same', async () => {
  await using folder = await createStoreFolder()
  const state = await churn(nodeFs, folder.dir, GENS)
  expect((await stat(join(folder.dir, 'catalog'))).size).toBeLessThan(2 << 20)
  const { catalog, found } = await open(nodeFs, folder.dir)
  await catalog.close()
  expect(found.segments).toEqual(state.segments)
  expect(found.purged).toEqual(state.purged)
  expect(found.purgedTotal).toEqual({
    partitions: GENS - 1,
    records: 10 * (GENS - 1),
    bytes: 100 * (GENS - 1),
  })
  expect(found).toMatchObject({ lastId: GENS, lastGen: GENS })
})

test.each(['replaceFile', 'openAppend'] as const)(
  'when writing it anew fails at %s, nothing is lost',
  async (failing) => {
    await using folder = await createStoreFolder()
    const fs = createFaultyFs(nodeFs)
    let failed = 0
    fs.fault = (operation) => {
      if (operation !== failing || fs.operations < 100) return undefined
      failed += 1
      return failed === 1 ? systemError('ENOSPC') : undefined
    }
    const { catalog } = await open(fs, folder.dir)
    const recorded: number[] = []
    for (let gen = 1; gen <= GENS; gen++) {
      const sealed: CatalogEntry = { type: 'sealed', gen, segments: [segment(gen)], expired: [] }
      const before = recorded.at(-1)
      await catalog
        .record(() => (before === undefined ? [sealed] : [sealed, purged(before)]))
        .then(() => recorded.push(gen))
        .catch(() => undefined)
      catalog.forget({ gens: recorded, ids: recorded.slice(0, -1) })
    }
    await catalog.close()
    expect(failed).toBeGreaterThan(0)
    expect(recorded.length).toBeGreaterThanOrEqual(GENS - 1)
    const { catalog: again, found } = await open(nodeFs, folder.dir)
    await again.close()
    expect(found.segments.map(({ id }) => id)).toEqual(recorded.slice(-1))
    expect(found.purgedTotal.partitions).toBe(recorded.length - 1)
  },
)

test('entries that are decided upon see what those before them did', async () => {
  await using folder = await createStoreFolder()
  const { catalog } = await open(nodeFs, folder.dir)
  const finished: number[] = []
  const record = (id: number) =>
    catalog.record(
      ({ segments }) => {
        expect(finished).toHaveLength(segments.length)
        return [{ type: 'sealed', gen: id, segments: [segment(id)], expired: [] }]
      },
      async () => {
        finished.push(id)
      },
    )
  expect(await Promise.all([record(1), record(2), record(3)])).toEqual([true, true, true])
  expect(await catalog.record(() => null)).toBe(false)
  await catalog.close()
  expect(finished).toEqual([1, 2, 3])
})
