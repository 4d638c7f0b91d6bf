import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  double,
  integer,
  oneof,
  record,
  string,
} from 'fast-check'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import type { Sql } from '../../../../adapters/store-embedded/duckdb.ts'
import { mergeQuantiles } from '../../../../adapters/store-embedded/quantiles.ts'
import { sqlText } from '../../../../adapters/store-embedded/text-sql.ts'
import { createCounts } from '../../../../adapters/store-counts.ts'

/** More than one chunk of a result. */
const ROWS = 5_000
const never = new AbortController().signal
let sql: Sql

beforeAll(async () => {
  sql = await openDuckDb({ memoryMbMax: 64, threads: 1, tempDir: tmpdir() })
})
afterAll(() => sql.close())

/** Texts of at most twelve bytes stand in the chunk itself, longer ones elsewhere. */
const text = oneof(
  constantFrom('', 'a', 'b', 'twelve bytes', 'thirteen byte'),
  string({ unit: 'grapheme', maxLength: 9 }).filter((one) => one.isWellFormed() && !one.includes('\0')),
)
const number = oneof(integer({ min: 0, max: 9 }), double({ noNaN: true, noDefaultInfinity: true, min: 0 }))
const row = record({
  start: integer({ min: 0, max: 2 }),
  text,
  numbers: array(number, { minLength: 1, maxLength: 30 }),
})
const share = oneof(constantFrom(0.01, 0.5, 0.9, 0.99, 1), double({ min: 0.001, max: 1, noNaN: true }))

test('quantiles of sorted lists are those of all their numbers', async () => {
  await assert(
    asyncProperty(array(row, { minLength: 1, maxLength: 40 }), share, async (rows, p) => {
      const values = rows.map(
        (one) =>
          `(${one.start}::DOUBLE, ${sqlText(one.text)}, list_sort([${one.numbers.map((of) => `'${of}'::DOUBLE`).join(', ')}]))`,
      )
      const lists = (await sql.run(`SELECT * FROM (VALUES ${values.join(', ')})`)).numberLists()
      const [found, wanted] = [createCounts({ of: 'latency_ms', p }), createCounts({ of: 'latency_ms', p })]
      await mergeQuantiles(lists, p, (startMs, value, one) => found.setQuantile(startMs, value, one), never)
      for (const one of rows) for (const of of one.numbers) wanted.addNumber(one.start, one.text, of)
      expect(found.buckets(false)).toEqual(wanted.buckets(false))
    }),
    { numRuns: 60 },
  )
})

test('lists of many chunks', async () => {
  const lists = await sql.run(
    `SELECT nth::DOUBLE, 'a' || (nth % 3), [nth::DOUBLE, nth + 1] FROM range(${ROWS}) t(nth)`,
  )
  const found = new Map<number, [string, number]>()
  await mergeQuantiles(
    lists.numberLists(),
    1,
    (startMs, value, one) => found.set(startMs, [value, one]),
    never,
  )
  for (let nth = 0; nth < ROWS; nth++) expect(found.get(nth)).toEqual([`a${nth % 3}`, nth + 1])
  expect(found.size).toBe(ROWS)
})
