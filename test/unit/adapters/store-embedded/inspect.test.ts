import { appendFile, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { openInspection } from '../../../../adapters/store-embedded/inspect.ts'
import { KEEP_ALL } from '../../../../core/retention.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import type { StoreFolder } from '../../../support/embedded-store.ts'
import { storedBatch } from '../../../support/records.ts'
import { never } from '../../../support/store-under-test.ts'

const RECORDS = 20

/** A segment and a log with one batch each. */
async function folderWithBoth(): Promise<StoreFolder> {
  const folder = await createStoreFolder({ segmentRecords: RECORDS })
  const store = await folder.open()
  for (const seq of [1, 2]) {
    const fields = Array.from({ length: RECORDS }, (_, i) => ({ timeMs: i, message: `batch ${seq}` }))
    await store.append(storedBatch(fields, { seq }), never)
  }
  await vi.waitFor(async () => expect((await store.stats()).segments).toBe(1))
  await store.close()
  return folder
}

async function problemsOf({ dir }: StoreFolder): Promise<readonly string[]> {
  const inspection = await openInspection({ dir, retention: KEEP_ALL })
  try {
    const { problems } = await inspection.verify(() => undefined, never)
    return problems.map(({ file, problem }) => `${file}: ${problem}`)
  } finally {
    await inspection.close()
  }
}

async function flip(path: string, at: (bytes: Buffer) => number): Promise<void> {
  const bytes = await readFile(path)
  const index = at(bytes)
  bytes[index] = (bytes[index] ?? 0) ^ 0x5a
  await writeFile(path, bytes)
}

test('a whole store has no problems, and everything in it is counted', async () => {
  await using folder = await folderWithBoth()
  const inspection = await openInspection({ dir: folder.dir, retention: KEEP_ALL })
  const files: string[] = []
  const found = await inspection.verify((file) => files.push(file), never)
  expect(found).toMatchObject({ records: 2 * RECORDS, segments: 1, problems: [] })
  expect(files).toHaveLength(found.files)
  expect(await inspection.stats()).toMatchObject({
    records: 2 * RECORDS,
    unsealedRecords: RECORDS,
    partitions: [{ class: 'all', records: RECORDS, segments: 1, fromMs: 0 }],
    purged: { partitions: 0 },
    setAside: [],
  })
  await inspection.close()
  expect(await (await folder.open()).stats()).toMatchObject({ records: 2 * RECORDS })
})

const half = (bytes: Buffer) => bytes.length >> 1
const SEGMENT = join('seg', '000000000001')

test.each([
  { file: `${SEGMENT}.parquet`, damage: (path: string) => flip(path, half), problem: 'checksum is wrong' },
  { file: `${SEGMENT}.index`, damage: (path: string) => flip(path, half), problem: 'checksum is wrong' },
  { file: `${SEGMENT}.rollup.parquet`, damage: (path: string) => rm(path), problem: 'missing' },
  { file: `${SEGMENT}.parquet`, damage: (path: string) => appendFile(path, 'x'), problem: 'wrong length' },
  { file: 'ledger', damage: (path: string) => flip(path, half), problem: 'frames in it are damaged' },
  {
    file: join('seg', '000000000009.parquet'),
    damage: (path: string) => writeFile(path, 'x'),
    problem: 'it is not in the catalog',
  },
])('$file: $problem', async ({ file, damage, problem }) => {
  await using folder = await folderWithBoth()
  await damage(join(folder.dir, file))
  const before = await readdir(folder.dir, { recursive: true })
  expect(await problemsOf(folder)).toEqual([`${file}: ${problem}`])
  expect((await readdir(folder.dir, { recursive: true })).toSorted()).toEqual(before.toSorted())
})

test('a torn end of a log is no problem, nor is a file that waits for its name', async () => {
  await using folder = await folderWithBoth()
  const [wal = ''] = await readdir(join(folder.dir, 'wal'))
  const path = join(folder.dir, SEGMENT)
  await rename(`${path}.parquet`, `${path}.parquet.tmp`)
  await appendFile(join(folder.dir, 'wal', wal), 'half a frame')
  expect(await problemsOf(folder)).toEqual([])
  const again = await folder.open()
  expect(await again.stats()).toMatchObject({ records: 2 * RECORDS, setAside: [] })
})

test('a bad frame of a log with good ones behind it is a problem', async () => {
  await using folder = await createStoreFolder()
  const store = await folder.open()
  for (const seq of [1, 2]) await store.append(storedBatch([{ message: `batch ${seq}` }], { seq }), never)
  await store.close()
  const [wal = ''] = await readdir(join(folder.dir, 'wal'))
  await flip(join(folder.dir, 'wal', wal), (bytes) => bytes.indexOf('batch 1'))
  expect(await problemsOf(folder)).toEqual([expect.stringContaining('bytes of it are damaged')])
})

test('a store that is in use, or none, is refused', async () => {
  await using folder = await folderWithBoth()
  const store = await folder.open()
  const options = { dir: folder.dir, retention: KEEP_ALL }
  await expect(openInspection(options)).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' })
  await store.close()
  const nothing = { ...options, dir: join(folder.dir, 'nothing') }
  await expect(openInspection(nothing)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
