import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ATTR_KEYS_MAX } from '../../../../aggregator/enrich/draft.ts'
import { eventId, batchIdPrefix, streamId } from '../../../../core/event-id.ts'
import { patternId } from '../../../../core/patterns/pattern.ts'
import { enrichBody, enrichOne, INGESTED_MS, READ_AT_MS } from './support.ts'

test('every line is a record, in order, with the id of its place and its byte offset', async () => {
  const records = await enrichBody(Buffer.from('größe\n\nb\r\n'), 3)
  expect(records.map(({ message, offset }) => [message, offset])).toEqual([
    ['größe', 1_000],
    ['', 1_008],
    ['b', 1_009],
  ])
  const prefix = batchIdPrefix(streamId({ site: 'eu', collector: 'c1', epoch: 'e'.repeat(32) }), 7)
  expect(records.map(({ id }) => id)).toEqual([0, 1, 2].map((index) => eventId(prefix, index)))
})

test('what the line does not say comes from its source', async () => {
  const source = {
    path: '/var/log/a.log',
    service: 'shop',
    tier: 'WEB',
    version: '7',
    labels: { team: 'pay' },
  }
  expect(await enrichOne('hello', { source })).toMatchObject({
    timeMs: READ_AT_MS,
    ingestedMs: INGESTED_MS,
    service: 'shop',
    tier: 'web',
    version: '7',
    host: 'web-1',
    site: 'eu',
    path: '/var/log/a.log',
    pattern: patternId('hello'),
    attrs: { 'labels.team': 'pay' },
  })
})

test('the service of the source goes before the program of syslog, which is kept', async () => {
  const source = { path: '', service: 'shop' }
  const record = await enrichOne('Jan  2 03:04:05 web-1 app[7]: x', { source })
  expect(record).toMatchObject({ service: 'shop', offset: null, attrs: { syslog_program: 'app' } })
})

test.each([
  { path: '/var/log/checkout.log', service: 'checkout' },
  { path: '/var/log/checkout-2026-01-02.log.3.gz', service: 'checkout' },
  { path: '/var/log/nginx/access.log.1', service: 'nginx' },
  { path: '/srv/api.out', service: 'api' },
  { path: '', service: '' },
])('the service of $path is $service', async ({ path, service }) => {
  expect((await enrichOne('x', { source: { path } })).service).toBe(service)
})

test('a time without zone is in the zone of the host', async () => {
  const record = await enrichOne('2026-01-02 03:04:05 INFO x', { utcOffsetMin: 120 })
  expect(record.timeMs).toBe(Date.parse('2026-01-02T01:04:05Z'))
})

test.each([
  { name: 'up to a day ahead is this year', line: 'Jan  3 11:00:00 h a: x', iso: '2026-01-03T11:00:00Z' },
  { name: 'further ahead was last year', line: 'Jan  4 11:00:00 h a: x', iso: '2025-01-04T11:00:00Z' },
  { name: '29 February was in a leap year', line: 'Feb 29 11:00:00 h a: x', iso: '2024-02-29T11:00:00Z' },
])('a time without year: $name', async ({ line, iso }) => {
  expect((await enrichOne(line)).timeMs).toBe(Date.parse(iso))
})

test('leading NULs are the hole of a truncated file, others are replaced', async () => {
  const record = await enrichOne(Buffer.from('\0\0\0a\0b'))
  expect(record).toMatchObject({ message: 'a\uFFFDb', attrs: { nul_bytes: 3 }, offset: 1_000 })
})

test('a cut line says how long it was', async () => {
  expect((await enrichOne('x', { run: { cutFrom: 300_000 } })).attrs).toEqual({ cut_from_bytes: 300_000 })
})

test('bytes that are no UTF-8 are replaced', async () => {
  expect((await enrichOne(Buffer.from([0x61, 0xff, 0x62]))).message).toBe('a\uFFFDb')
})

test('fields over the bounds are kept as one text', async () => {
  const fields = Object.fromEntries(Array.from({ length: ATTR_KEYS_MAX + 2 }, (_, n) => [`k${n}`, n]))
  const { attrs } = await enrichOne(JSON.stringify(fields))
  expect(Object.keys(attrs)).toHaveLength(ATTR_KEYS_MAX + 1)
  expect(JSON.parse(String(attrs['attrs_rest']))).toEqual({ k256: 256, k257: 257 })
})

test.each([
  { name: 'objects', line: `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}` },
  { name: 'arrays', line: `{"a":${'['.repeat(100_000)}1${']'.repeat(100_000)}}` },
])('deeply nested $name are kept', async ({ line }) => {
  const record = await enrichOne(line)
  expect(record.message === line || String(record.attrs['attrs_rest']).length > 0).toBe(true)
})

test('__proto__ is a field like any other', async () => {
  const { attrs } = await enrichOne('{"__proto__":{"polluted":1},"a":{"__proto__":2},"msg":"x"}')
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(Object.entries(attrs)).toEqual([
    ['__proto__.polluted', 1],
    ['a.__proto__', 2],
  ])
  const bare = await enrichOne('{"__proto__":3}')
  expect(Object.entries(bare.attrs)).toEqual([['__proto__', 3]])
})

test('a line of a records batch is taken as a record, and as a line when it is none', async () => {
  const lines = ['{"time":"2026-01-02T03:04:05Z","message":"m","host":"db-1"}', 'ERROR x']
  const records = await enrichBody(Buffer.from(`${lines.join('\n')}\n`), 2, { kind: 'records' })
  expect(records).toMatchObject([
    { message: 'm', host: 'db-1', timeMs: Date.parse('2026-01-02T03:04:05Z') },
    { message: 'x', host: 'web-1', level: 'error', timeMs: READ_AT_MS },
  ])
})

test('other work gets its turn', async () => {
  let turns = 0
  const yieldNow = async () => void turns++
  const line = `{"msg":"${createHash('sha256').update('x').digest('hex').repeat(100)}"}\n`
  await enrichBody(Buffer.from(line.repeat(4_000)), 4_000, { yieldNow })
  expect(turns).toBeGreaterThan(0)
})

const FRAGMENTS = [
  '<34>',
  'Jan  2 03:04:05',
  ' host app[1]: ',
  '2026-01-02T03:04:05Z',
  ' ERROR ',
  '[',
  ']',
  '"',
  '{"a":',
  '}',
  ' a=',
  '\\',
  '10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 1',
  '1 ',
  '- ',
  ' --- ',
  '\0',
  '\r',
  'é',
  '99:99:99',
]
const fragment = fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ maxLength: 8 }))
const lineBytes = fc.oneof(
  fc.array(fragment, { maxLength: 8 }).map((parts) => Buffer.from(parts.join('').replaceAll('\n', ' '))),
  fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 32 : byte)))),
  fc.json().map((json) => Buffer.from(json.replaceAll('\n', ' '))),
)

test('any bytes become one record each, with a time and a level that a store takes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(lineBytes, { maxLength: 8 }), async (lines) => {
      const body = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))
      const records = await enrichBody(body, lines.length)
      expect(records).toHaveLength(lines.length)
      let offset = 1_000
      for (const [index, record] of records.entries()) {
        expect(record.offset).toBe(offset)
        offset += (lines[index]?.length ?? 0) + 1
        expect(Number.isSafeInteger(record.timeMs) && record.timeMs >= 0).toBe(true)
        expect(record.message.includes('\0')).toBe(false)
        expect(JSON.parse(JSON.stringify(record))).toEqual(record)
      }
    }),
    { numRuns: 500 },
  )
})

test('the message of plain text is the text', async () => {
  const word = fc.stringMatching(/^[a-zäöüß][a-zäöüß,;.()%'-]{0,12}$/)
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 8 }), async (words) => {
      const text = words.join(' ')
      expect(await enrichOne(text)).toMatchObject({ message: text, level: '', attrs: {} })
    }),
  )
})

test('a line of very many pairs is kept as text', async () => {
  const line = 'a=b '.repeat(50_000)
  expect(await enrichOne(line)).toMatchObject({ message: line, attrs: {} })
})
