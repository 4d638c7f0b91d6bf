import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import {
  attrsOf,
  choosePromoted,
  exactlyPromoted,
  withPromoted,
} from '../../../../adapters/store-embedded/promoted.ts'
import { sqlText } from '../../../../adapters/store-embedded/text-sql.ts'
import { parseQuery } from '../../../../core/query/parse.ts'
import type { Attrs } from '../../../../core/record.ts'

const dir = await mkdtemp(join(tmpdir(), 'noctule-promoted-'))
const sql = await openDuckDb({ memoryMbMax: 128, threads: 1, tempDir: dir })
afterAll(async () => {
  sql.close()
  await rm(dir, { recursive: true })
})

/** SELECT of records with these attrs, all of them plain; the columns that nobody reads here are empty. */
function recordsWith(attrs: readonly Attrs[]): string {
  const rows = attrs.map((one, pos) => `(${pos}, ${sqlText(JSON.stringify(one))})`)
  return `SELECT pos, 0 AS time, '' AS stream, 0 AS seq, 0 AS idx, 0 AS ingested, '' AS message, '' AS level, '' AS service,
    '' AS version, '' AS host, '' AS site, '' AS tier, '' AS path, 0 AS "offset", '' AS trace, '' AS pattern, 0 AS status,
    0 AS latency, 0 AS bytes, CASE WHEN attrs = '{}' THEN '' ELSE attrs END AS attrs, true AS plain
    FROM (VALUES ${rows.join(', ')}) AS given(pos, attrs)`
}

const chosenOf = (attrs: readonly Attrs[]) => {
  const records = recordsWith(attrs)
  return choosePromoted(sql, (condition) => `SELECT * FROM (${records}) WHERE ${condition}`, attrs.length)
}
const times = (count: number, attrsAt: (at: number) => Attrs) =>
  Array.from({ length: count }, (_, at) => attrsAt(at))

test.each<[string, Attrs[], string[]]>([
  ['in many records', times(100, (at) => (at % 10 === 0 ? { method: 'GET' } : {})), ['method']],
  ['in few records', times(100, (at) => (at % 50 === 0 ? { method: 'GET' } : {})), []],
  [
    'whole numbers and truth values',
    times(100, (at) => ({ code: at % 5, hit: at % 2 === 0 })),
    ['code', 'hit'],
  ],
  ['numbers that have no one text', times(100, (at) => ({ share: at / 8, large: 1e21 })), []],
  ['now and then a list', times(100, (at) => ({ tags: at === 7 ? ['a'] : 'a' })), []],
  ['a value of its own in each record', times(200, (at) => ({ user: `u${at}` })), []],
  ['the same key in capitals', times(100, (at): Attrs => (at % 2 === 0 ? { a: 'x' } : { A: 'x' })), ['A']],
  ['a key with dots', times(100, () => ({ 'http.method': 'GET' })), ['http.method']],
  ['nothing', times(100, () => ({})), []],
])('%s', async (_, attrs, expected) => {
  expect(await chosenOf(attrs)).toEqual(expected)
})

test('there are never more than 16, the most frequent ones', async () => {
  const attrs = times(200, (at) =>
    Object.fromEntries(
      Array.from({ length: 30 }, (_, key) => [`k${key}`, 'x']).slice(at % 20 === 0 ? 0 : 10),
    ),
  )
  const chosen = await chosenOf(attrs)
  expect(chosen).toHaveLength(16)
  expect(chosen.every((key) => Number(key.slice(1)) >= 10)).toBe(true)
})

test('columns that would take much are left out, in whatever order they come', async () => {
  // Some 7 bits each: two of them would be too many.
  const attrs = times(4_000, (at) => ({ a: `a${at % 120}`, b: `b${(at * 7) % 113}`, c: 'always' }))
  expect(await chosenOf(attrs)).toEqual(['a', 'c'])
})

test('a column that turns out to hold what SQL prints otherwise is not used', async () => {
  const path = join(dir, 'segment.parquet')
  const attrs: Attrs[] = [
    { ok: 'x', late: 1, list: 'a' },
    { ok: '1e21', late: 1e21, list: ['a'] },
  ]
  const keys = ['ok', 'late', 'list', 'absent']
  await sql.run(`COPY (${withPromoted(recordsWith(attrs), keys)}) TO ${sqlText(path)} (FORMAT parquet)`)
  expect(await exactlyPromoted(sql, path, keys)).toEqual(['ok', 'absent'])
})

test('attrs that a plan asks for by name', () => {
  const { root } = parseQuery('(method:GET OR -code:>=500) user:* level:error word', { nowMs: 0 })
  expect(attrsOf(root)).toEqual(['method', 'code', 'user'])
})
