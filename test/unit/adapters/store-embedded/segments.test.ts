import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { encodeRecords, joinedColumns } from '../../../../adapters/store-embedded/columns.ts'
import { createHotTable } from '../../../../adapters/store-embedded/hot-table.ts'
import { createPolicies } from '../../../../adapters/store-embedded/partitions.ts'
import { createIndexCache } from '../../../../adapters/store-embedded/index-cache.ts'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import type { Sql } from '../../../../adapters/store-embedded/duckdb.ts'
import { decodeSegmentIndex } from '../../../../adapters/store-embedded/segment-index.ts'
import { bucketSql } from '../../../../adapters/store-embedded/sketches.ts'
import type { Store } from '../../../../core/ports.ts'
import { KEEP_ALL } from '../../../../core/retention.ts'
import { bucketOf } from '../../../../core/sketch/latency-buckets.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import type { StoreFolder } from '../../../support/embedded-store.ts'
import { storedBatch } from '../../../support/records.ts'
import type { RecordFields } from '../../../support/records.ts'
import { EVER, all, messages, never, query } from '../../../support/store-under-test.ts'

async function sealed(folder: StoreFolder, records: readonly Partial<RecordFields>[]): Promise<Store> {
  const store = await folder.open()
  await store.append(storedBatch(records, { seq: 1 }), never)
  await store.append(storedBatch([{ message: 'last' }], { seq: 2 }), never)
  await vi.waitFor(async () => expect((await store.stats()).segments).toBe(1))
  return store
}

test.each([
  { index: 'made while sealing', isLost: false },
  { index: 'made again', isLost: true },
])('words are found beside the character that texts are joined by: index $index', async ({ isLost }) => {
  const texts = Array.from({ length: 1_200 }, (_, i) => `plain ${i}`)
  texts[0] = 'before\x16behind'
  texts[700] = '\x16\x16first'
  texts[1_199] = 'needle\x16'
  await using folder = await createStoreFolder({ segmentRecords: texts.length })
  const store = await sealed(
    folder,
    texts.map((message, i) => ({
      message,
      timeMs: i,
      attrs: { user: `u${i}` },
      trace: `t${i}`,
      pattern: 'p',
    })),
  )
  const seg = join(folder.dir, 'seg')
  const index = (await readdir(seg)).find((one) => one.endsWith('.index')) ?? ''
  if (isLost) await rm(join(seg, index))
  for (const [word, at] of [
    ['behind', 0],
    ['first', 700],
    ['needle', 1_199],
    ['u3', 3],
    ['trace:t700', 700],
  ] as const)
    expect(messages(await all(store, query(word))), word).toEqual([texts[at]])
})

test.each([
  { last: 'plain', isPlain: true },
  { last: 'Größe', isPlain: false },
])('a block whose last message is $last is plain: $isPlain', async ({ last, isPlain }) => {
  await using folder = await createStoreFolder({ segmentRecords: 40 })
  const store = await sealed(
    folder,
    Array.from({ length: 40 }, (_, i) => ({ message: i === 39 ? last : `line ${i}`, timeMs: i })),
  )
  const seg = join(folder.dir, 'seg')
  const name = (await readdir(seg)).find((one) => one.endsWith('.index')) ?? ''
  const blocks = decodeSegmentIndex(await readFile(join(seg, name)))
  expect(blocks.map(({ plain }) => plain)).toEqual([isPlain])
  expect(
    (await store.top({ plan: query(last), range: EVER, field: 'service', limit: 1 }, never)).matched,
  ).toBe(1)
})

test('roll-ups count every record by minute, and have every latency', async () => {
  await using folder = await createStoreFolder({ segmentRecords: 400 })
  const latencies = [0, -1, 0.001, 1, 99.5, 1e6]
  const records = Array.from({ length: 400 }, (_, i) => ({
    timeMs: (i % 2) * 60_000 - 120_000 + (i % 7),
    ingestedMs: 100_000,
    level: i % 3 === 0 ? ('error' as const) : ('info' as const),
    service: i % 5 === 0 ? 'shop' : 'mail',
    latencyMs: i % 4 === 0 ? null : (latencies[i % latencies.length] ?? 0),
  }))
  await (await sealed(folder, records)).close()
  const seg = join(folder.dir, 'seg')
  const name = (await readdir(seg)).find((one) => one.endsWith('1.rollup.parquet')) ?? ''
  const sql = await openDuckDb({ memoryMbMax: 64, threads: 1, tempDir: join(folder.dir, 'tmp') })
  const rows = await sql.run(
    `SELECT kind, minute::DOUBLE, coalesce(level, '-'), coalesce(service, '-'), n::DOUBLE,
      coalesce(array_to_string(latencies, ' '), '') FROM read_parquet('${join(seg, name)}')`,
  )
  const found = [...rows.chunks()].flatMap(({ rows: length, columns }) =>
    Array.from({ length }, (_, row) => columns.map((column) => column[row])),
  )
  sql.close()
  const expected = new Map<string, number[]>()
  const count = (latencyMs: number, ...key: unknown[]) =>
    expected.set(JSON.stringify(key), [...(expected.get(JSON.stringify(key)) ?? []), latencyMs])
  for (const { timeMs, level, service, latencyMs } of records) {
    const minute = Math.floor(timeMs / 60_000) * 60_000
    count(0, 'counts', minute, level, service)
    count(0, 'patterns', minute, '-', '-')
    if (latencyMs !== null) count(latencyMs, 'latencies', minute, '-', service)
  }
  const ascending = (values: readonly number[]) => values.toSorted((left, right) => left - right)
  const listed = (text: unknown) => (text === '' ? [] : String(text).split(' ').map(Number))
  expect(new Map(found.map((row) => [JSON.stringify(row.slice(0, 4)), row.slice(4)]))).toEqual(
    new Map([...expected].map(([key, all]) => [key, [all.length, expect.anything()]])),
  )
  for (const row of found) {
    const all = row[0] === 'latencies' ? (expected.get(JSON.stringify(row.slice(0, 4))) ?? []) : []
    expect(listed(row[5])).toEqual(ascending(all))
  }
})

test('the engine puts latencies into the buckets that core puts them into', async () => {
  const values = [0, -1, ...Array.from({ length: 2_000 }, (_, i) => 1.0137 ** (i - 1_000))]
  const sql = await openDuckDb({ memoryMbMax: 64, threads: 1, tempDir: '/tmp' })
  const given = values.map((value, i) => `(${i}, '${value}'::DOUBLE)`).join(', ')
  const result = await sql.run(
    `SELECT i::DOUBLE, ${bucketSql('latency')}::DOUBLE FROM (VALUES ${given}) AS given(i, latency)`,
  )
  let compared = 0
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) {
      const value = values[Number(columns[0]?.[row])] ?? NaN
      expect(Number(columns[1]?.[row])).toBe(bucketOf(value))
      compared += 1
    }
  }
  sql.close()
  expect(compared).toBe(values.length)
})

test('a memory table that lacks a record is not read any more', async () => {
  let fail = false
  const writer = {
    add() {},
    flush() {
      if (fail) throw new Error('out of memory')
    },
    close() {},
  }
  const run = async () => ({
    rows: 0,
    chunks: () => [],
    texts: () => ({ rows: 0, bytes: 0, hasEmpty: false, copyTo() {} }),
    numberLists: () => {
      throw new Error('no lists are asked for')
    },
  })
  const sql: Sql = {
    run,
    runWide: run,
    writer: async () => writer,
    close() {},
  }
  const table = await createHotTable(sql, 1, createPolicies(KEEP_ALL))
  const columns = joinedColumns(encodeRecords(storedBatch([{ message: 'a' }]).records))
  table.add(columns, 1, () => undefined)
  table.flush()
  table.add(columns, 2, () => undefined)
  fail = true
  expect(() => table.flush()).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
  fail = false
  for (const again of [
    () => table.flush(),
    () => table.add(columns, 3, () => undefined),
    () => table.finish(),
  ])
    expect(again).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
})

test('indexes are read once, and the ones not asked for go when they are too many', async () => {
  const cache = createIndexCache(100)
  const reads: number[] = []
  const get = (id: number, bytes = 40) =>
    cache.get(id, async () => {
      reads.push(id)
      return { blocks: [], bytes }
    })
  await Promise.all([get(1), get(1)])
  await get(2)
  await get(1)
  await get(3)
  await get(1)
  expect(reads).toEqual([1, 2, 3])
  await get(2)
  expect(reads).toEqual([1, 2, 3, 2])
  await expect(cache.get(9, async () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await get(9)
  expect(reads.at(-1)).toBe(9)
})
