import { expect, test } from 'vitest'
import { enrichImported } from '../../../../aggregator/enrich/enrich.ts'
import { asServiceError } from '../../../../core/errors.ts'
import { patternId } from '../../../../core/patterns/pattern.ts'
import { toPublicRecord, type LogRecord } from '../../../../core/record.ts'

const CONTEXT = { site: 'eu', ingestedMs: 1_767_355_200_000, id: 'new-id' }
const RECORD: LogRecord = {
  id: 'new-id',
  timeMs: Date.parse('2026-01-02T03:04:05.678Z'),
  ingestedMs: CONTEXT.ingestedMs,
  message: 'payment refused',
  level: 'error',
  service: 'shop',
  version: '7',
  host: 'web-1',
  site: 'eu',
  tier: 'web',
  path: '/var/log/shop.log',
  offset: 12,
  trace: 'abc',
  pattern: patternId('payment refused'),
  status: 503,
  latencyMs: 1.5,
  bytes: 0,
  attrs: {
    level_original: 'ERR',
    tags: ['a', 'b'],
    'labels.team': 'pay',
    n: 3,
    ok: false,
    status_claimed: 'x',
  },
}

test('what was exported is imported as it was', () => {
  const { ingested: _, ...exported } = toPublicRecord(RECORD)
  expect(enrichImported(JSON.stringify(exported), CONTEXT)).toEqual(RECORD)
})

test.each([
  {
    name: 'dotted',
    fields: {
      'log.level': 'Error',
      'service.name': 'shop',
      'host.name': 'web-1',
      'http.response.status_code': 503,
    },
  },
  {
    name: 'nested',
    fields: {
      log: { level: 'Error' },
      service: { name: 'shop' },
      host: { name: 'web-1' },
      http: { response: { status_code: 503 } },
    },
  },
])('names of the Elastic Common Schema are known: $name', ({ fields }) => {
  const line = JSON.stringify({ '@timestamp': 1_767_323_045, message: 'm', ...fields })
  expect(enrichImported(line, CONTEXT)).toMatchObject({
    timeMs: 1_767_323_045_000,
    level: 'error',
    service: 'shop',
    host: 'web-1',
    status: 503,
    attrs: {},
  })
})

test.each([
  { name: 'another site', fields: { site: 'us' }, attrs: { site_claimed: 'us' } },
  { name: 'the same site', fields: { site: 'eu' }, attrs: {} },
  { name: 'an unknown field', fields: { user: { id: 7 } }, attrs: { 'user.id': 7 } },
  { name: 'attrs that are no object', fields: { attrs: 'x' }, attrs: { attrs: 'x' } },
  { name: 'an id', fields: { id: 'old' }, attrs: { id_claimed: 'old' } },
])('nothing is lost: $name', ({ fields, attrs }) => {
  const line = JSON.stringify({ time: '2026-01-02T03:04:05Z', message: 'm', ...fields })
  const record = enrichImported(line, CONTEXT)
  expect(record.attrs).toEqual(attrs)
  expect([record.site, record.id]).toEqual(['eu', 'new-id'])
})

test.each([
  { line: 'hello', why: 'not a JSON object' },
  { line: '[]', why: 'not a JSON object' },
  { line: 'null', why: 'not a JSON object' },
  { line: '{"message":"m"}', why: 'it has no time' },
  { line: '{"message":"m","time":"yesterday"}', why: 'it has no time, or one that is not understood' },
  { line: '{"message":"m","time":"1969-01-01T00:00:00Z"}', why: 'its time is not between 1970 and 9999' },
  { line: '{"time":1767323045678}', why: 'it has no message' },
  { line: '{"time":1767323045678,"message":{"a":1}}', why: 'it has no message' },
])('$line is refused: $why', ({ line, why }) => {
  let failure: unknown
  try {
    enrichImported(line, CONTEXT)
  } catch (error) {
    failure = error
  }
  expect(asServiceError(failure)).toMatchObject({
    code: 'BAD_REQUEST',
    message: expect.stringContaining(why) as string,
  })
})
