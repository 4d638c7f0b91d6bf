import { tmpdir } from 'node:os'
import { array, assert, asyncProperty, integer, string } from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import type { Sql } from '../../../../adapters/store-embedded/duckdb.ts'
import { sqlText } from '../../../../adapters/store-embedded/text-sql.ts'

/** More than one chunk of a result. */
const ROWS = 5_000
let sql: Sql

beforeAll(async () => {
  sql = await openDuckDb({ memoryMbMax: 64, threads: 1, tempDir: tmpdir() })
})
afterAll(() => sql.close())

async function textsOf(query: string, rowsMax: number) {
  const texts = (await sql.run(query)).texts(0, rowsMax)
  const bytes = new Uint8Array(texts.bytes)
  texts.copyTo(bytes)
  return { rows: texts.rows, hasEmpty: texts.hasEmpty, text: new TextDecoder().decode(bytes) }
}

/** Texts of at most twelve bytes stand in the chunk itself, longer ones elsewhere. */
const text = string({ unit: 'grapheme', maxLength: 40 }).filter(
  (one) => one.isWellFormed() && !one.includes('\0'),
)

test('texts come out one behind the other, up to a number of rows', async () => {
  await assert(
    asyncProperty(
      array(text, { minLength: 1, maxLength: 60 }),
      integer({ min: 1, max: 80 }),
      async (all, rowsMax) => {
        const rows = all.map((one, nth) => `(${nth}, ${sqlText(one)})`).join(', ')
        const found = await textsOf(`SELECT line FROM (VALUES ${rows}) t(nth, line) ORDER BY nth`, rowsMax)
        const wanted = all.slice(0, rowsMax)
        expect(found).toEqual({
          rows: wanted.length,
          hasEmpty: wanted.includes(''),
          text: wanted.join(''),
        })
      },
    ),
    { numRuns: 60 },
  )
})

test('texts of many chunks', async () => {
  const line = (nth: number) => `${nth}${' and so on'.repeat(nth % 7)}\n`
  const found = await textsOf(
    `SELECT nth || repeat(' and so on', nth % 7) || chr(10) FROM range(${ROWS}) t(nth) ORDER BY nth`,
    ROWS,
  )
  expect(found).toEqual({
    rows: ROWS,
    hasEmpty: false,
    text: Array.from({ length: ROWS }, (_, nth) => line(nth)).join(''),
  })
})

test('no rows are no text', async () => {
  expect(await textsOf(`SELECT 'a' WHERE false`, 10)).toEqual({ rows: 0, hasEmpty: false, text: '' })
})
