import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import { rollUpSql } from '../../../../adapters/store-embedded/roll-up-sql.ts'
import { sketchSql } from '../../../../adapters/store-embedded/sketches.ts'
import { nearestRank } from '../../../../adapters/store-counts.ts'
import { bucketValue } from '../../../../core/sketch/latency-buckets.ts'
import { seededRandom } from '../../../support/random.ts'

const sql = await openDuckDb({ memoryMbMax: 128, threads: 1, tempDir: tmpdir() })
afterAll(() => sql.close())

/** Two tables of records in two minutes: one for the roll-up, one for what has none. */
async function tables() {
  const random = seededRandom(7)
  const records = Array.from({ length: 4_000 }, (_, n) => ({
    time: n % 2 === 0 ? 1_000 : 61_000,
    service: n % 3 === 0 ? 'shop' : 'mail',
    latency: n % 50 === 0 ? 0 : Math.exp(random() * 9),
    old: n % 4 < 2,
  }))
  for (const [name, old] of [
    ['old_records', true],
    ['new_records', false],
  ] as const) {
    const rows = records
      .filter((record) => record.old === old)
      .map(({ time, service, latency }) => `(${time}, '${service}', '${latency}'::DOUBLE, 'eu', '', '')`)
    await sql.run(`CREATE OR REPLACE TABLE ${name} AS
      SELECT * FROM (VALUES ${rows.join(', ')}) AS given(time, service, latency, site, level, pattern)`)
  }
  return records
}

test.each([0.01, 0.5, 0.9, 0.99, 1])('the %d quantile is off by 1 %% at most', async (p) => {
  const records = await tables()
  const rolled = `(SELECT minute AS time, service, bucket, n FROM (${rollUpSql('old_records')}) WHERE kind = 'latency')`
  const group = { start: 'time - time % 60000', value: 'service' }
  const asked = sketchSql({ rolled, records: 'new_records' }, group, { of: 'latency_ms', p })
  const result = await sql.run(asked)
  const found = [...result.chunks()].flatMap(({ rows, columns }) =>
    Array.from({ length: rows }, (_, row) => columns.map((column) => column[row])),
  )
  const groups = Map.groupBy(records, ({ time, service }) => `${time - (time % 60_000)} ${service}`)
  expect(found).toHaveLength(groups.size)
  for (const [startMs, service, bucket] of found) {
    const values = (groups.get(`${startMs} ${service}`) ?? []).map(({ latency }) => latency)
    const exact = values.toSorted((left, right) => left - right)[nearestRank(p, values.length) - 1] ?? NaN
    expect(Math.abs(bucketValue(Number(bucket)) - exact)).toBeLessThanOrEqual(exact * 0.010_001)
  }
})
