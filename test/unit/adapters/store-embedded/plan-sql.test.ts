import { tmpdir } from 'node:os'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import {
  decodeColumns,
  decodeRecords,
  encodeRecords,
  splitId,
} from '../../../../adapters/store-embedded/columns.ts'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import { planToSql, possible, sure, unsure } from '../../../../adapters/store-embedded/plan-sql.ts'
import { NOT_PROMOTED, attrsOf, withPromoted } from '../../../../adapters/store-embedded/promoted.ts'
import { attrSql, sqlText } from '../../../../adapters/store-embedded/text-sql.ts'
import { matches } from '../../../../core/query/matches.ts'
import { parseQuery } from '../../../../core/query/parse.ts'
import type { QueryPlan } from '../../../../core/query/plan.ts'
import type { LogRecord } from '../../../../core/record.ts'
import { plan, recordFields } from '../../../support/record-arbitraries.ts'
import { storedBatch } from '../../../support/records.ts'

const sql = await openDuckDb({ memoryMbMax: 128, threads: 1, tempDir: tmpdir() })
afterAll(() => sql.close())
let tables = 0

/** A table with the columns of a segment that the conditions read. */
async function tableOf(given: readonly LogRecord[]) {
  const bytes = encodeRecords(given)
  const { attrs, plain } = decodeColumns(bytes)
  const records = decodeRecords(bytes)
  const rows = records.map((record, row) => {
    const { stream, seq, index } = splitId(record.id)
    const { message, level, service, version, host, site, tier, path, trace, pattern } = record
    const texts = [
      message,
      level,
      service,
      version,
      host,
      site,
      tier,
      path,
      trace,
      pattern,
      attrs[row] ?? '',
      stream,
    ]
    const numbers = [
      record.timeMs,
      record.ingestedMs,
      record.offset,
      record.status,
      record.latencyMs,
      record.bytes,
    ]
    const values = [
      ...texts.map(sqlText),
      ...numbers.map((number) => (number === null ? 'NULL' : `'${number}'::DOUBLE`)),
    ]
    return `(${row}, ${values.join(', ')}, ${seq}, ${index}, ${plain[row] === 1})`
  })
  const name = `records_${tables++}`
  const columns =
    'n, message, level, service, version, host, site, tier, path, trace, pattern, attrs, stream, time, ingested, "offset", status, latency, bytes, seq, idx, plain'
  await sql.run(`CREATE TABLE ${name} AS SELECT * REPLACE (time::BIGINT AS time, ingested::BIGINT AS ingested, "offset"::BIGINT AS "offset")
    FROM (VALUES ${rows.join(', ')}) AS given(${columns})`)
  return { name, records, plain }
}

async function rowsOf(table: string, condition: string | null): Promise<readonly number[]> {
  if (condition === null) return []
  const result = await sql.run(`SELECT n::DOUBLE FROM ${table} WHERE ${condition} ORDER BY n`)
  return [...result.chunks()].flatMap(({ columns }) => (columns[0] ?? []).map(Number))
}

async function expectRight(
  { name, records }: Pick<Awaited<ReturnType<typeof tableOf>>, 'name' | 'records'>,
  asked: QueryPlan,
  promoted = NOT_PROMOTED,
) {
  const condition = planToSql(asked, { words: () => undefined, promoted })
  const wanted = records.flatMap((record, row) => (matches(asked, record) ? row : []))
  const found = new Set(await rowsOf(name, sure(condition)))
  const open = new Set(await rowsOf(name, unsure(condition)))
  const may = new Set(await rowsOf(name, possible(condition)))
  expect(
    [...found].filter((row) => !wanted.includes(row)),
    'found and no match',
  ).toEqual([])
  expect(
    wanted.filter((row) => !found.has(row) && !open.has(row)),
    'a match that is neither found nor open',
  ).toEqual([])
  expect(
    wanted.filter((row) => !may.has(row)),
    'a match that may not be',
  ).toEqual([])
  expect(
    [...open].filter((row) => found.has(row)),
    'found and open',
  ).toEqual([])
}

const TEXTS = [
  'GET /api/v1/items?id=42 HTTP/1.1 200',
  'get',
  'user_id=42 web-3.eu, foo.bar',
  '-5 1e+21 0.1 true',
  'größe 漢字',
  'x'.repeat(256),
  '',
]
const RECORDS = storedBatch([
  ...TEXTS.map((message) => ({ message })),
  ...TEXTS.flatMap((text) => [{ attrs: { k: text } }, { attrs: { other: 1, k: [text, 'last'] } }]),
  { attrs: { k: 42 } },
  { attrs: { k: -5.5, z: true } },
  { attrs: { k: 1e21 } },
  { attrs: { k: true } },
  { attrs: { k: [] } },
  { attrs: { k: [1, 'a'] } },
  { attrs: { get: 'nothing', 'a.b': 'x,y}z]' } },
  { attrs: { 'odd key': 'get' } },
  { attrs: { k: 'quote " and \\ and \n line' } },
  { attrs: { k: 'null', kk: '42' } },
  { attrs: { k: 'foo', k2: 'bar' } },
]).records
const QUERIES = [
  'get',
  'GET',
  '42',
  '"foo bar"',
  'foo.bar',
  'web-3.eu',
  'g?t',
  '*et',
  '/4[0-9]/',
  '/[^a]{2}/',
  'message:get',
  'k:42',
  'k:"42"',
  'k:true',
  'k:get',
  'k:""',
  'k:4*',
  'k:*',
  'k:last',
  'k:la*',
  'k:>=1',
  'k:<0',
  'k:[42 TO 42]',
  'kk:42',
  'a.b:"x,y}z]"',
  'odd\\ key:get',
  'line',
  'größe',
  'true',
  '"5 5"',
  '1e',
  'nothing',
  'last',
  'x',
]

test.each(QUERIES.flatMap((text) => [text, `NOT (${text})`]))('%s', async (text) => {
  await expectRight(await tableOf(RECORDS), parseQuery(text, { nowMs: 0 }))
})

test('any plan on any records: found is found, and nothing that matches is lost', async () => {
  const some = fc.array(recordFields, { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(some, fc.array(plan, { minLength: 20, maxLength: 20 }), async (fields, plans) => {
      const table = await tableOf(storedBatch(fields).records)
      for (const asked of plans) await expectRight(table, asked)
      await sql.run(`DROP TABLE ${table.name}`)
    }),
    { numRuns: 25 },
  )
})

/** The same records, with a column for each of these attrs where they have one value. */
async function withColumns(given: readonly LogRecord[], keys: readonly string[]) {
  const isOne = (value: unknown) =>
    typeof value !== 'object' && (typeof value !== 'number' || Number.isSafeInteger(value))
  const { name, records } = await tableOf(given.filter(({ attrs }) => keys.every((key) => isOne(attrs[key]))))
  const wide = `${name}_wide`
  await sql.run(`CREATE TABLE ${wide} AS
    SELECT pos AS n, * FROM (${withPromoted(`SELECT n AS pos, * FROM ${name}`, keys)})`)
  await sql.run(`DROP TABLE ${name}`)
  return { name: wide, records }
}

const COLUMNS = ['k', 'kk', 'get', 'a.b', 'absent']

test.each(QUERIES.flatMap((text) => [text, `NOT (${text})`]))('%s, of columns', async (text) => {
  await expectRight(await withColumns(RECORDS, COLUMNS), parseQuery(text, { nowMs: 0 }), new Set(COLUMNS))
})

test('any plan on any records whose attrs have columns', async () => {
  const some = fc.array(recordFields, { minLength: 20, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(some, fc.array(plan, { minLength: 20, maxLength: 20 }), async (fields, plans) => {
      const { records } = storedBatch(fields)
      const keys = new Set(plans.flatMap(({ root }) => attrsOf(root)).filter((key) => /^[\w.]+$/.test(key)))
      const table = await withColumns(records, [...keys])
      for (const asked of plans) await expectRight(table, asked, keys)
      await sql.run(`DROP TABLE ${table.name}`)
    }),
    { numRuns: 25 },
  )
})

test('plain records are most of what systems write, and SQL reads their attrs', async () => {
  const attr = attrSql('k', null)
  const { name, records, plain } = await tableOf(RECORDS)
  const result = await sql.run(
    `SELECT n::DOUBLE, coalesce(${attr.text()}, '(none)') FROM ${name} WHERE plain AND NOT ${attr.isList()} ORDER BY n`,
  )
  const read = [...result.chunks()].flatMap(({ rows, columns }) =>
    Array.from({ length: rows }, (_, row) => [columns[0]?.[row], columns[1]?.[row]]),
  )
  const expected = records.flatMap(({ attrs }, row) => {
    const value = attrs['k']
    return plain[row] !== 1 || typeof value === 'object'
      ? []
      : [[row, value === undefined ? '(none)' : String(value)]]
  })
  expect(read).toEqual(expected)
  expect(expected.length).toBeGreaterThan(10)
})
