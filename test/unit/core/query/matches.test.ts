import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ATTR_VALUE_COMPARED_BYTES_MAX,
  compileMatcher,
  matches,
  searchedTexts,
} from '../../../../core/query/matches.ts'
import { parseQuery } from '../../../../core/query/parse.ts'
import type { QueryPlan, TokenPattern } from '../../../../core/query/plan.ts'
import { tokenize } from '../../../../core/query/tokenize.ts'
import type { LogRecord } from '../../../../core/record.ts'

const nowMs = Date.parse('2026-11-21T03:12:07Z')

const RECORD: LogRecord = {
  id: '0123456789abcdefghijklmnopqr',
  timeMs: nowMs,
  ingestedMs: nowMs + 120,
  message: 'Upstream web-3.eu: connection TIMEOUT after 30s; retry=2 of 5',
  level: 'error',
  service: 'Checkout',
  version: '1.4.0',
  host: 'web-3',
  site: 'eu',
  tier: '',
  path: '/var/log/app.log',
  offset: 0,
  trace: '',
  pattern: '',
  status: 503,
  latencyMs: 12.5,
  bytes: null,
  attrs: {
    user_id: 42,
    'user.name': 'Ada Lovelace',
    ratio: -0.5,
    cached: false,
    empty: '',
    none: [],
    tags: ['Blue', 'sea green', 7],
    port: '8080',
    'labels.team': 'core-eu',
    long: `start ${'x'.repeat(ATTR_VALUE_COMPARED_BYTES_MAX)} needle`,
  },
}

const find = (query: string, record = RECORD) => matches(parseQuery(query, { nowMs }), record)

test.each([
  { query: '', found: true },
  { query: '*', found: true },
  // Words
  { query: 'timeout', found: true },
  { query: 'Time', found: false },
  { query: 'timeout upstream', found: true },
  { query: 'timeout absent', found: false },
  { query: 'timeout OR absent', found: true },
  { query: '-absent', found: true },
  { query: 'NOT timeout', found: false },
  { query: 'web-3.eu', found: true },
  { query: 'web.3/eu', found: true },
  { query: '3.web', found: false },
  { query: '"connection timeout"', found: true },
  { query: '"timeout connection"', found: false },
  { query: '"connection after"', found: false },
  { query: 'checkout', found: false },
  { query: 'lovelace', found: true },
  { query: '42', found: true },
  { query: 'false', found: true },
  { query: 'blue', found: true },
  { query: '"sea green"', found: true },
  { query: '"blue sea"', found: false },
  { query: '"5 42"', found: false },
  { query: 'user_id', found: false },
  { query: 'message:timeout', found: true },
  { query: 'message:lovelace', found: false },
  { query: 'message:(timeout retry)', found: true },
  { query: 'needle', found: true },
  // Wildcards and regexes on words
  { query: 'time*', found: true },
  { query: '*out', found: true },
  { query: 'ti?eout', found: true },
  { query: 'tim?', found: false },
  { query: 'conn*timeout', found: false },
  { query: 'web-*.eu', found: true },
  { query: 'web-*.3', found: false },
  { query: '/time.+/', found: true },
  { query: '/TIMEOUT/', found: true },
  { query: '/imeou/', found: false },
  { query: String.raw`/\d+s/`, found: true },
  { query: 'message:lov*', found: false },
  // Keyword fields
  { query: 'service:Checkout', found: true },
  { query: 'service:checkout', found: false },
  { query: 'service:Check', found: false },
  { query: 'service:Check*', found: true },
  { query: 'service:*out', found: true },
  { query: 'service:/C.*t/', found: true },
  { query: 'service:/C.*/', found: true },
  { query: 'service:/heck.*/', found: false },
  { query: 'site:EU', found: true },
  { query: 'level:(ERROR OR fatal)', found: true },
  { query: 'level:warn', found: false },
  { query: 'host:*', found: true },
  { query: 'tier:*', found: false },
  { query: 'tier:""', found: true },
  { query: 'tier:/.*/', found: false },
  { query: 'NOT tier:x', found: true },
  { query: 'path:"/var/log/app.log"', found: true },
  { query: 'path:"/var/log/"', found: false },
  // Attrs
  { query: 'user_id:42', found: true },
  { query: 'user_id:42.0', found: false },
  { query: 'user_id:4*', found: true },
  { query: 'cached:false', found: true },
  { query: 'ratio:-0.5', found: true },
  { query: 'user.name:"Ada Lovelace"', found: true },
  { query: 'user.name:Ada', found: false },
  { query: 'user.name:Ada*', found: true },
  { query: 'user.name:ada*', found: false },
  { query: 'user:*', found: false },
  { query: 'empty:*', found: true },
  { query: 'empty:""', found: true },
  { query: 'none:*', found: false },
  { query: 'tags:Blue', found: true },
  { query: 'tags:"sea green"', found: true },
  { query: 'tags:7', found: true },
  { query: 'tags:green', found: false },
  { query: 'tags:(Blue AND "sea green")', found: true },
  { query: 'absent:*', found: false },
  { query: 'absent:""', found: false },
  { query: 'toString:*', found: false },
  { query: 'long:*', found: false },
  { query: 'long:start*', found: false },
  // Numbers and times
  { query: 'status:503', found: true },
  { query: 'status:503.0', found: true },
  { query: 'status:>=503', found: true },
  { query: 'status:>503', found: false },
  { query: 'status:[500 TO 503}', found: false },
  { query: 'status:{500 TO 503]', found: true },
  { query: 'status:*', found: true },
  { query: 'offset:0', found: true },
  { query: 'offset:*', found: true },
  { query: 'bytes:*', found: false },
  { query: 'bytes:<5', found: false },
  { query: 'bytes:[* TO *]', found: false },
  { query: 'latency_ms:12.5', found: true },
  { query: 'user_id:>5', found: true },
  { query: 'user_id:<100', found: true },
  { query: 'ratio:<0', found: true },
  { query: 'tags:>=7', found: true },
  { query: 'tags:>7', found: false },
  { query: 'port:8080', found: true },
  { query: 'port:>80', found: false },
  { query: 'cached:>=0', found: false },
  { query: 'time:>=now', found: true },
  { query: 'time:<now', found: false },
  { query: 'time:[now-1m TO now}', found: false },
  { query: 'ingested:>now', found: true },
])('matches: $query is $found', ({ query, found }) => {
  expect(find(query)).toBe(found)
})

test('a value is compared up to 8,191 bytes of UTF-8', () => {
  const record = (value: string) => ({ ...RECORD, attrs: { value } })
  expect(find('value:*', record('x'.repeat(8_191)))).toBe(true)
  expect(find('value:*', record('x'.repeat(8_192)))).toBe(false)
  expect(find('value:ä*', record('ä'.repeat(4_095)))).toBe(true)
  expect(find('value:ä*', record('ä'.repeat(4_096)))).toBe(false)
})

test('a long token is found by the pieces it is cut into', () => {
  const record = { ...RECORD, message: `${'a'.repeat(255)}bc` }
  expect(find('bc', record)).toBe(true)
  expect(find(record.message, record)).toBe(true)
  expect(find('abc', record)).toBe(false)
})

test.each([
  { word: 'izmir', message: 'İZMİR', found: true },
  { word: 'οδοσ', message: 'ΟΔΟΣ', found: true },
  { word: 'ΟΔΟΣ', message: 'οδος', found: false },
  { word: 'kelvin', message: '\u212aelvin', found: true },
  { word: 'foo', message: 'fooä foo', found: true },
  { word: 'foo', message: 'fooä', found: false },
])('beyond ASCII: $word in $message', ({ word, message, found }) => {
  expect(find(word, { ...RECORD, message })).toBe(found)
})

test('searchedTexts are the message and all leaf values of attrs', () => {
  const record = { ...RECORD, message: 'm', attrs: { a: 1, b: ['x', true] } }
  expect(searchedTexts(record)).toEqual(['m', '1', 'x', 'true'])
})

test('the quick ways find what cutting into tokens finds', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'A', 'b', ' ', '-', 'İ', 'i', 'Σ', '\u00a0', 'K'),
    maxLength: 12,
  })
  const pattern = fc.oneof(
    text.map((text): TokenPattern => ({ type: 'token', text: tokenize(text)[0] ?? 'a' })),
    fc.constantFrom('a.*', '.*b', '.*', '(a|b)+').map((source): TokenPattern => ({ type: 'regex', source })),
  )
  fc.assert(
    fc.property(text, text, fc.array(pattern, { minLength: 1, maxLength: 3 }), (message, value, tokens) => {
      const plan: QueryPlan = { text: '', root: { type: 'phrase', field: '', tokens } }
      const record = { ...RECORD, message, attrs: { value } }
      expect(compileMatcher(plan)(record)).toBe(
        [message, value].some((text) => holdsPhrase(tokenize(text), tokens)),
      )
    }),
    { numRuns: 1_000 },
  )
})

function holdsPhrase(tokens: readonly string[], patterns: readonly TokenPattern[]): boolean {
  return tokens.some((_, start) =>
    patterns.every((pattern, at) => {
      const token = tokens[start + at]
      if (token === undefined) return false
      return pattern.type === 'token'
        ? token === pattern.text
        : new RegExp(`^(${pattern.source})$`, 'su').test(token)
    }),
  )
}
