import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ALL, NONE, PATTERNS, planToDsl, timeRange } from '../../../adapters/store-elastic/dsl.ts'
import type { Condition, Dsl } from '../../../adapters/store-elastic/dsl.ts'
import { luceneRegex, readRegex } from '../../../adapters/store-elastic/lucene-regex.ts'
import { parseQuery } from '../../../core/query/parse.ts'
import type { QueryNode, QueryPlan } from '../../../core/query/plan.ts'
import { plan } from '../../support/record-arbitraries.ts'

const parsed = (text: string): QueryPlan => parseQuery(text, { nowMs: 0 })
const dsl = (text: string): Condition => planToDsl(parsed(text))
const nodeDsl = (root: QueryNode): Condition => planToDsl({ text: '', root })
const exactly = (query: Dsl): Condition => ({ sure: query, possible: query, maybe: [] })
const words = (query: (field: string) => Dsl): Dsl => ({
  bool: { should: [query('message'), query('search')], minimum_should_match: 1 },
})
const ordered = (...intervals: object[]) => ({ all_of: { ordered: true, max_gaps: 0, intervals } })

test.each<[string, Dsl]>([
  ['', ALL],
  ['*', ALL],
  ['error', words((field) => ({ term: { [field]: 'error' } }))],
  ['message:Error', { term: { message: 'error' } }],
  ['message:*', { exists: { field: 'message' } }],
  ['message:"a b"', { match_phrase: { message: { query: 'a b', analyzer: 'whitespace' } } }],
  ['message:err*', { prefix: { message: 'err' } }],
  ['message:e?r', { regexp: { message: { value: 'e.r', flags: 'NONE' } } }],
  ['message:*rr', { regexp: { message: { value: '(.)*rr', flags: 'NONE' } } }],
  [
    'message:web-*.eu',
    {
      intervals: {
        message: ordered(
          { match: { query: 'web', analyzer: 'keyword' } },
          { regexp: { pattern: '.*' } },
          { match: { query: 'eu', analyzer: 'keyword' } },
        ),
      },
    },
  ],
  [
    'message:web-a*',
    {
      intervals: {
        message: ordered({ match: { query: 'web', analyzer: 'keyword' } }, { prefix: { prefix: 'a' } }),
      },
    },
  ],
  ['level:error', { term: { 'log.level': 'error' } }],
  ['service:*', { exists: { field: 'service.name' } }],
  ['service:""', { bool: { must_not: [{ exists: { field: 'service.name' } }] } }],
  ['service:we*', { prefix: { 'service.name': 'we' } }],
  [
    'service:/a"#@~&<>b/',
    { regexp: { 'service.name': { value: String.raw`a\"\#\@\~\&\<\>b`, flags: 'NONE' } } },
  ],
  [
    'NOT error level:warn',
    {
      bool: {
        filter: [
          { bool: { must_not: [words((field) => ({ term: { [field]: 'error' } }))] } },
          { term: { 'log.level': 'warn' } },
        ],
      },
    },
  ],
  ['user:ann', { term: { 'attrs.user': 'ann' } }],
  ['user:""', { term: { 'attrs.user': '' } }],
  ['user:an*', { prefix: { 'attrs.user': 'an' } }],
  ['user:*', { prefix: { 'attrs.user': '' } }],
  [
    'http.status:>=1',
    { range: { 'nums.http.status': { gte: 'bff0000000000000', lte: 'fff0000000000000' } } },
  ],
  ['http.status:<-1', { range: { 'nums.http.status': { gte: '000fffffffffffff', lt: '400fffffffffffff' } } }],
  ['status:[200 TO 300}', { range: { 'http.response.status_code': { gte: 200, lt: 300 } } }],
  ['status:>=-0', { range: { 'http.response.status_code': { gte: 0 } } }],
  ['offset:>1.5', { range: { 'log.offset': { gte: 2 } } }],
  ['offset:<1e300', { exists: { field: 'log.offset' } }],
  ['offset:>1e300', NONE],
  ['time:>=1970-01-01T00:00:01Z', { range: { '@timestamp': { gte: 1_000, format: 'epoch_millis' } } }],
])('%j is exact', (text, query) => {
  expect(dsl(text)).toEqual(exactly(query))
})

test.each<[string, QueryNode, Dsl]>([
  ['a value longer than any term', { type: 'equals', field: 'host', value: 'x'.repeat(32_767) }, NONE],
  [
    'a value of an attr too long to be compared',
    { type: 'equals', field: 'a', value: 'x'.repeat(8_192) },
    NONE,
  ],
  ['half a surrogate pair', { type: 'equals', field: 'host', value: '\ud800' }, NONE],
  ['an empty value of a record field', { type: 'equals', field: 'host', value: '' }, NONE],
  ['a number that JavaScript prints otherwise', { type: 'equals', field: 'status', value: '500.0' }, NONE],
  [
    'a range that holds nothing',
    { type: 'range', field: 'status', from: NaN, fromInclusive: true, to: null, toInclusive: true },
    NONE,
  ],
  [
    'a range of a text',
    { type: 'range', field: 'host', from: 1, fromInclusive: true, to: null, toInclusive: true },
    NONE,
  ],
  ['a key with NUL', { type: 'equals', field: 'a\0b', value: 'v' }, { term: { 'attrs.a\x010b': 'v' } }],
  ['no word at all', { type: 'phrase', field: 'message', tokens: [] }, ALL],
  ['nothing of nothing', { type: 'or', nodes: [] }, NONE],
  ['all of nothing', { type: 'and', nodes: [] }, ALL],
])('%s is exact', (_, node, query) => {
  expect(nodeDsl(node)).toEqual(exactly(query))
})

const exists = { exists: { field: 'host.name' } }
test.each<[string, QueryNode, Dsl]>([
  [
    'a longer prefix than it takes',
    { type: 'prefix', field: 'host', prefix: 'x'.repeat(1_001) },
    { prefix: { 'host.name': 'x'.repeat(1_000) } },
  ],
  [
    'a prefix that ends in half a pair',
    { type: 'prefix', field: 'host', prefix: 'a\ud83e' },
    { prefix: { 'host.name': 'a' } },
  ],
  [
    'a longer regex than it takes',
    { type: 'keywordRegex', field: 'host', source: String.raw`(\.\.){250}` + String.raw`\.`.repeat(500) },
    exists,
  ],
  ['a key longer than a term', { type: 'exists', field: 'k'.repeat(30_000) }, ALL],
  [
    'the start of a number',
    { type: 'prefix', field: 'status', prefix: '5' },
    { exists: { field: 'http.response.status_code' } },
  ],
  ['the whole of a text', { type: 'equals', field: 'message', value: 'a' }, { exists: { field: 'message' } }],
])('%s is left to the matcher', (_, node, possible) => {
  expect(nodeDsl(node)).toEqual({ sure: NONE, possible, maybe: [possible] })
  expect(nodeDsl({ type: 'not', node })).toMatchObject({ possible: ALL, maybe: [possible] })
})

test('what Elasticsearch refuses is asked with less and less', () => {
  const asked = PATTERNS.map((patterns) => planToDsl(parsed('message:web-a?b'), patterns))
  const both = (token: Dsl): Dsl => ({ bool: { filter: [{ term: { message: 'web' } }, token] } })
  const pattern = both({ regexp: { message: { value: 'a.b', flags: 'NONE' } } })
  const anything = both({ exists: { field: 'message' } })
  expect(asked[0]?.maybe).toEqual([])
  expect(asked[1]).toEqual({ sure: NONE, possible: pattern, maybe: [pattern] })
  expect(asked[2]).toEqual({ sure: NONE, possible: anything, maybe: [anything] })
})

test('what is nested too deeply is left to the matcher', () => {
  let node: QueryNode = { type: 'equals', field: 'host', value: 'a' }
  for (let depth = 0; depth < 64; depth++)
    node = { type: depth % 2 === 0 ? 'and' : 'or', nodes: [node, { type: 'exists', field: `f${depth}` }] }
  expect(levelsOf(nodeDsl(node).possible)).toBeLessThanOrEqual(26)
  expect(nodeDsl(node).maybe).toEqual([ALL])
})

test('a time range is half-open, and open where no time can be beyond', () => {
  expect(timeRange({ fromMs: -5, toMs: 10 })).toEqual({
    range: { '@timestamp': { gte: -5, lte: 9, format: 'epoch_millis' } },
  })
  expect(timeRange({ fromMs: -8.64e15, toMs: 8.64e15 })).toEqual({
    range: { '@timestamp': { lte: 8.64e15 - 1, format: 'epoch_millis' } },
  })
  expect(timeRange({ fromMs: 10, toMs: 10 })).toBe(NONE)
})

test.each([
  ['a.c', 'a.c'],
  ['[^a-c\\-\\]x]+', '([^a-c\\-\\]x]){1,}'],
  ['(ab|c){2,3}', '((ab|c)){2,3}'],
  ['a?b*', '(a){0,1}(b)*'],
  ['\\d\\w', '[0-9][0-9A-Z_a-z]'],
  ['größe\\.', 'größe\\.'],
])('the regex %j is %j in Lucene', (source, expected) => {
  const tree = readRegex(source)
  expect(tree && luceneRegex(tree)).toBe(expected)
})

test('any plan can be sent: no half surrogate pairs, no numbers that JSON does not have', () => {
  fc.assert(
    fc.property(plan, fc.constantFrom(...PATTERNS), (asked, patterns) => {
      const condition = planToDsl(asked, patterns)
      expect(unsendable(condition)).toEqual([])
      expect(JSON.parse(JSON.stringify(condition))).toEqual(condition)
    }),
  )
})

function levelsOf(query: unknown): number {
  if (typeof query !== 'object' || query === null) return 0
  const inner = Math.max(0, ...Object.values(query).map(levelsOf))
  return inner + (Object.hasOwn(query, 'bool') ? 1 : 0)
}

/** Numbers that JSON does not have, and texts and names with half of a surrogate pair. */
function unsendable(value: unknown): unknown[] {
  if (typeof value === 'string') return value.isWellFormed() ? [] : [value]
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [...unsendable(name), ...unsendable(inner)])
}
