import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import {
  TALLIED,
  createTallyReader,
  storeTallies,
  talliedBy,
} from '../../../../adapters/store-embedded/tallies.ts'
import type { Tally } from '../../../../adapters/store-embedded/tallies.ts'
import { createMemoryStore } from '../../../../adapters/store-memory.ts'
import { createTop } from '../../../../adapters/store-top.ts'
import { matches } from '../../../../core/query/matches.ts'
import type { TimeRange } from '../../../../core/ports.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import { EMPTY_RECORD, storedBatch } from '../../../support/records.ts'
import type { RecordFields } from '../../../support/records.ts'
import { EVER, never, query } from '../../../support/store-under-test.ts'

const SEGMENT_RECORDS = 60

/** Segments of which some have an attr as a column and others have not, and records that are not sealed. */
const BATCHES: readonly (readonly Partial<RecordFields>[])[] = Array.from({ length: 5 }, (_, batch) =>
  Array.from({ length: batch === 4 ? 7 : SEGMENT_RECORDS }, (_, at) => ({
    timeMs: batch * 1_000 + ((at * 7) % SEGMENT_RECORDS),
    message: at === 5 && batch === 1 ? 'größer' : `line ${at}`,
    host: `web-${at % 3}`,
    site: at % 2 === 0 ? 'eu' : 'us',
    service: at % 5 === 0 ? '' : 'shop',
    level: at % 4 === 0 ? ('error' as const) : ('info' as const),
    attrs: attrsAt(batch, at),
  })),
)

function attrsAt(batch: number, at: number): RecordFields['attrs'] {
  const code = at % 3 === 0 ? 500 : 200
  if (batch === 0) return { method: 'GET', code }
  if (batch === 1) return at === 5 ? { method: 'größer' } : { method: at % 2 === 0 ? 'PUT' : '' }
  if (batch === 2) return at === 9 ? { method: ['GET', 'PUT', 'GET'], code: 0.5 } : { method: 'GET', code }
  return at === 0 ? { method: 'GET' } : {}
}

const RANGES: readonly TimeRange[] = [EVER, { fromMs: 10, toMs: 2_030 }, { fromMs: 1_000, toMs: 2_000 }]
const QUERIES = ['', 'level:error', 'NOT (host:web-1 OR site:us)', 'method:GET', 'code:>=500', '-method:""']
const FIELDS = ['host', 'service', 'version', 'method', 'code']

test('top of fields and attrs is the same from tallies, columns, texts and memory', async () => {
  await using folder = await createStoreFolder({ segmentRecords: SEGMENT_RECORDS })
  const store = await folder.open()
  const memory = createMemoryStore()
  for (const [seq, records] of BATCHES.entries()) {
    await store.append(storedBatch(records, { seq: seq + 1 }), never)
    await memory.append(storedBatch(records, { seq: seq + 1 }), never)
  }
  await vi.waitFor(async () => expect((await store.stats()).segments).toBe(4))
  for (const range of RANGES)
    for (const text of QUERIES)
      for (const field of FIELDS) {
        const request = { plan: query(text), range, field, limit: 2 }
        const { scanned: _, ...found } = await store.top(request, never)
        const { scanned: _all, ...expected } = await memory.top(request, never)
        expect(found, `${field} of ${text} from ${range.fromMs}`).toEqual(expected)
      }
})

const tallied = fc.record({
  site: fc.constantFrom('eu', 'us', ''),
  tier: fc.constantFrom('', 'test'),
  host: fc.constantFrom('a', 'b', ''),
  level: fc.constantFrom('error', 'info', ''),
  timeMs: fc.integer({ min: -1_000, max: 1_000 }),
})

test('tallies count what the matcher finds among the records', () => {
  const asked = ['', 'host:a', 'NOT level:error', 'site:eu OR host:*', 'tier:te* -site:us'].map(query)
  fc.assert(
    fc.property(fc.array(tallied, { minLength: 1 }), fc.constantFrom(...asked), (fields, plan) => {
      const stored = storeTallies(talliesOf(fields))
      if (stored === null) throw new Error('too many')
      const [fromTallies, fromRecords] = [createTop('host'), createTop('host')]
      createTallyReader(plan, 0)(stored, (record, { records, minMs, maxMs }) =>
        fromTallies.addAlike(record, records, minMs, maxMs),
      )
      for (const one of fields) {
        const record = { ...EMPTY_RECORD, ...one, id: '' }
        if (matches(plan, record)) fromRecords.add(record)
      }
      expect(fromTallies.answer(9)).toEqual(fromRecords.answer(9))
    }),
  )
})

function talliesOf(records: readonly (typeof tallied extends fc.Arbitrary<infer R> ? R : never)[]): Tally[] {
  const [fields] = TALLIED
  const groups = Map.groupBy(records, (record) => JSON.stringify(fields.map((field) => record[field])))
  return [...groups.values()].map((alike) => ({
    values: fields.map((field) => alike[0]?.[field] ?? ''),
    records: alike.length,
    minMs: Math.min(...alike.map(({ timeMs }) => timeMs)),
    maxMs: Math.max(...alike.map(({ timeMs }) => timeMs)),
  }))
}

test('too many combinations are not kept', () => {
  const tallies = Array.from({ length: 513 }, (_, n) => ({
    values: [`h${n}`],
    records: 1,
    minMs: 0,
    maxMs: 0,
  }))
  expect(storeTallies(tallies)).toBeNull()
  expect(storeTallies(tallies.slice(1))?.names).toHaveLength(512)
})

test.each([
  ['level:error', 'host', 0],
  ['site:eu', 'site', 0],
  ['level:error', 'service', 1],
  ['', 'level', 0],
  ['service:shop', 'host', null],
  ['word', 'host', null],
  ['', 'user', null],
  ['method:GET', 'host', null],
])('%s by %s is tallied by group %s', (text, field, group) => {
  expect(talliedBy(query(text), field)).toBe(group)
})
