import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import type { Sql } from '../../../../adapters/store-embedded/duckdb.ts'
import type { Cells } from '../../../../adapters/store-embedded/table-writer.ts'
import { createWorkspace } from '../../../support/workspace.ts'

const workspace = createWorkspace()
let sql: Sql

beforeAll(async () => {
  sql = await openDuckDb({ memoryMbMax: 200, threads: 1, tempDir: workspace.dir })
})
afterAll(() => {
  sql.close()
  workspace[Symbol.dispose]()
})

interface Row {
  readonly text: string
  readonly whole: number
  readonly small: number
  readonly real: number
}

function cellsOf(rows: readonly Row[]): Cells[] {
  const texts = rows.map(({ text }) => Buffer.from(text))
  return [
    {
      type: 'varchar',
      texts: { bytes: Buffer.concat(texts), lengths: Uint32Array.from(texts, ({ length }) => length) },
    },
    { type: 'bigint', values: Float64Array.from(rows, ({ whole }) => whole) },
    { type: 'integer', values: Uint32Array.from(rows, ({ small }) => small) },
    { type: 'double', values: Float64Array.from(rows, ({ real }) => real) },
  ]
}

async function written(parts: readonly (readonly Row[])[]): Promise<readonly Row[]> {
  await sql.run('CREATE OR REPLACE TABLE written (text VARCHAR, whole BIGINT, small INTEGER, actual DOUBLE)')
  const writer = await sql.writer('written')
  for (const part of parts) writer.add(part.length, cellsOf(part))
  writer.flush()
  writer.close()
  const result = await sql.run(
    'SELECT text, whole::DOUBLE, small::DOUBLE, actual FROM written ORDER BY rowid',
  )
  return [...result.chunks()].flatMap(({ rows, columns: [text = [], whole = [], small = [], real = []] }) =>
    Array.from({ length: rows }, (_, row) => ({
      text: String(text[row]),
      whole: Number(whole[row]),
      small: Number(small[row]),
      real: Number(real[row]),
    })),
  )
}

const row = fc.record({
  text: fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({ unit: 'binary', maxLength: 14 }).map((text) => text.toWellFormed()),
    fc.constantFrom(
      '',
      'a'.repeat(12),
      'a'.repeat(13),
      'é'.repeat(6),
      'é'.repeat(7),
      'x'.repeat(100_000),
      'a\0b',
    ),
  ),
  whole: fc.maxSafeInteger(),
  small: fc.nat(2 ** 31 - 1),
  real: fc.double().map((real) => real + 0), // no −0
})

test('rows come back as they were added', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(row, { maxLength: 12 }), { maxLength: 4 }), async (parts) => {
      expect(await written(parts)).toEqual(parts.flat())
    }),
    { numRuns: 60 },
  )
})

test.each([1, 499, 2_048, 5_000])('rows in parts of %i that do not end where chunks end', async (size) => {
  const rows = Array.from({ length: 6_000 }, (_, at) => ({
    text: at % 3 === 0 ? `short ${at}` : `a text of more than twelve bytes ${at} ü`,
    whole: at - 3_000 * 2 ** 32,
    small: at,
    real: at / 7,
  }))
  const parts = Array.from({ length: Math.ceil(rows.length / size) }, (_, nth) =>
    rows.slice(nth * size, (nth + 1) * size),
  )
  expect(await written(parts)).toEqual(rows)
})
