import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  assertIndexable,
  attrKey,
  attrName,
  batchId,
  createDocumentLines,
  documentId,
  parseDocumentId,
  recordOf,
  sortableHex,
} from '../../../../adapters/store-elastic/documents.ts'
import type { DocumentSource } from '../../../../adapters/store-elastic/documents.ts'
import { heldRecord } from '../../../../adapters/store-record.ts'
import { ATTR_VALUE_COMPARED_BYTES_MAX } from '../../../../core/query/matches.ts'
import { recordFields } from '../../../support/record-arbitraries.ts'
import { EMPTY_RECORD, KEY, storedBatch } from '../../../support/records.ts'
import type { RecordFields } from '../../../support/records.ts'

const PLACE = { alias: 'a-write', digest: 'd'.repeat(64), batch: batchId(KEY), arrival: 896_000_000_000_064 }

function documentOf(fields: Partial<RecordFields>): DocumentSource {
  const [record] = storedBatch([fields]).records
  if (record === undefined) throw new Error('no record')
  const [, source = ''] = createDocumentLines()(record, PLACE).split('\n')
  return JSON.parse(source) as DocumentSource
}

test('a document has the record under its public names, and nothing of what is absent', () => {
  const fields = {
    timeMs: 5,
    ingestedMs: 7,
    message: 'a "b"',
    level: 'warn',
    offset: 0,
    status: 200,
    latencyMs: 0.5,
    attrs: { user: 'ann', n: [1, -0.5], ok: true },
  } as const
  const [record] = storedBatch([fields]).records
  if (record === undefined) throw new Error('no record')
  const [action = '', source = ''] = createDocumentLines()(record, PLACE).split('\n')
  expect(JSON.parse(action)).toEqual({ create: { _index: 'a-write', _id: `${record.id}-${'d'.repeat(16)}` } })
  expect(JSON.parse(source)).toEqual({
    '@timestamp': 5,
    'event.ingested': 7,
    'event.id': record.id,
    message: 'a "b"',
    'log.level': 'warn',
    site: 'eu',
    'log.offset': 0,
    'http.response.status_code': 200,
    latency_ms: 0.5,
    attrs: { user: 'ann', n: [1, -0.5], ok: true },
    nums: { n: [sortableHex(1), sortableHex(-0.5)] },
    search: ['ann', '1', '-0.5', 'true'],
    batch: record.id.slice(0, 24),
    arrival: PLACE.arrival,
  })
})

test('what is read back is what every store holds', () => {
  fc.assert(
    fc.property(fc.array(recordFields, { minLength: 1, maxLength: 3 }), (all) => {
      const lines = createDocumentLines()
      for (const record of storedBatch(all).records) {
        const [, source = ''] = lines(record, PLACE).split('\n')
        expect(recordOf(JSON.parse(source) as DocumentSource)).toEqual(heldRecord(record))
      }
    }),
  )
})

test('values that are too long to be compared are kept beside, and searched', () => {
  const long = 'x'.repeat(ATTR_VALUE_COMPARED_BYTES_MAX + 1)
  const exact = 'ä'.repeat(Math.floor(ATTR_VALUE_COMPARED_BYTES_MAX / 2))
  const key = 'k'.repeat(30_000)
  const source = documentOf({ attrs: { long, exact, both: [long, 'short', 1], [key]: 2 } })
  expect(source).toMatchObject({
    attrs: { exact, both: ['short', 1] },
    attrs_long: { long, both: [long, 'short', 1], [key]: 2 },
    nums: { both: [sortableHex(1)] },
    search: [long, exact, long, 'short', '1', '2'],
  })
  expect(Object.keys(source['attrs'] as object)).toEqual(['exact', 'both'])
})

test('a name of an attr has no U+0000 inside Elasticsearch, and none is mistaken for another', () => {
  const name = fc.string({ unit: fc.constantFrom('\0', '\x01', '0', '1', 'a') })
  fc.assert(
    fc.property(name, name, (one, other) => {
      expect(attrKey(one)).not.toContain('\0')
      expect(attrName(attrKey(one))).toBe(one)
      expect(attrKey(one) === attrKey(other)).toBe(one === other)
    }),
  )
})

test('numbers in hex sort as the numbers do', () => {
  const number = fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.constantFrom(0, -0, Infinity, -Infinity),
  )
  fc.assert(
    fc.property(number, number, (left, right) => {
      const [one, other] = [sortableHex(left), sortableHex(right)]
      expect(one).toMatch(/^[0-9a-f]{16}$/)
      expect(one < other).toBe(left < right)
      expect(one === other).toBe(left === right)
    }),
  )
})

test('the id of a document tells record and batch', () => {
  const [record] = storedBatch([{}]).records
  const id = documentId(record?.id ?? '', 'ab'.repeat(32))
  expect(parseDocumentId(id)).toEqual({ recordId: record?.id, digest: 'ab'.repeat(8) })
})

test('a keyword that no index can hold refuses the record', () => {
  const record = { ...EMPTY_RECORD, id: 'x' }
  expect(() => assertIndexable({ ...record, trace: 'ä'.repeat(16_383) }, 3)).not.toThrow()
  expect(() => assertIndexable({ ...record, trace: 'ä'.repeat(16_384) }, 3)).toThrow(
    expect.objectContaining({ code: 'RECORD_REFUSED', details: { index: 3 } }) as Error,
  )
})
