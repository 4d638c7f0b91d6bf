import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ServiceError } from '../../../../core/errors.ts'
import { CLAUSES_MAX, DEPTH_MAX, QUERY_CHARS_MAX, parseQuery } from '../../../../core/query/parse.ts'
import { PHRASE_TOKENS_MAX } from '../../../../core/query/terms.ts'
import { compileMatcher } from '../../../../core/query/matches.ts'
import { EXPANSIONS_MAX } from '../../../../core/query/regex.ts'
import { fastestMs } from '../../../support/fastest.ts'
import type { QueryNode } from '../../../../core/query/plan.ts'

const nowMs = Date.parse('2026-11-21T03:12:07Z')
const parse = (text: string) => parseQuery(text, { nowMs }).root

const word = (...texts: string[]): QueryNode => ({
  type: 'phrase',
  field: '',
  tokens: texts.map((text) => ({ type: 'token', text })),
})
const regex = (source: string): QueryNode => ({
  type: 'phrase',
  field: '',
  tokens: [{ type: 'regex', source }],
})
const and = (...nodes: QueryNode[]): QueryNode => ({ type: 'and', nodes })
const or = (...nodes: QueryNode[]): QueryNode => ({ type: 'or', nodes })
const not = (node: QueryNode): QueryNode => ({ type: 'not', node })
const equals = (field: string, value: string): QueryNode => ({ type: 'equals', field, value })
const exists = (field: string): QueryNode => ({ type: 'exists', field })
const range = (
  field: string,
  left: string,
  from: number | null,
  to: number | null,
  right: string,
): QueryNode => ({
  type: 'range',
  field,
  from,
  fromInclusive: left === '[',
  to,
  toInclusive: right === ']',
})
const all: QueryNode = { type: 'all' }
const [a, b, c, d] = [word('a'), word('b'), word('c'), word('d')] as const

test.each([
  { query: '', root: all },
  { query: ' \t\n ', root: all },
  { query: '*', root: all },
  { query: '* NOT a', root: and(all, not(a)) },
  // Words and phrases
  { query: 'Timeout', root: word('timeout') },
  { query: 'a b', root: and(a, b) },
  { query: 'web-3.eu', root: word('web', '3', 'eu') },
  { query: '"web-3 down"', root: word('web', '3', 'down') },
  { query: '"err*r"', root: word('err', 'r') },
  { query: String.raw`"a \"b\" \\ c"`, root: word('a', 'b', 'c') },
  { query: 'a"b"(c)', root: and(a, b, c) },
  { query: String.raw`err\*`, root: word('err') },
  { query: '03:12:07', root: word('03', '12', '07') },
  { query: '10.0.0.1:80', root: word('10', '0', '0', '1', '80') },
  { query: 'and or not', root: and(word('and'), word('or'), word('not')) },
  { query: 'ANDROID NOTE', root: and(word('android'), word('note')) },
  { query: 'message:Timeout', root: { ...word('timeout'), field: 'message' } as QueryNode },
  { query: 'message:*', root: exists('message') },
  // Operators
  { query: 'a AND b', root: and(a, b) },
  { query: 'a OR b c', root: or(a, and(b, c)) },
  { query: 'a b OR c d', root: or(and(a, b), and(c, d)) },
  { query: '(a OR b) c', root: and(or(a, b), c) },
  { query: 'NOT a b', root: and(not(a), b) },
  { query: 'NOT a OR b', root: or(not(a), b) },
  { query: 'NOT (a b)', root: not(and(a, b)) },
  { query: 'NOT(a)', root: not(a) },
  { query: '-a b', root: and(not(a), b) },
  { query: '-(a OR b)', root: not(or(a, b)) },
  { query: '--a', root: not(not(a)) },
  { query: 'a AND NOT b', root: and(a, not(b)) },
  { query: 'a AND -b', root: and(a, not(b)) },
  { query: '((a))', root: a },
  // Wildcards
  { query: 'Err*', root: regex('err.*') },
  { query: '*out', root: regex('.*out') },
  { query: 'fo?o', root: regex('fo.o') },
  { query: 'a**b', root: regex('a.*b') },
  { query: '**', root: all },
  { query: 'host:**', root: exists('host') },
  { query: 'labels.team:c**', root: { type: 'prefix', field: 'labels.team', prefix: 'c' } as QueryNode },
  {
    query: String.raw`a\\**b*`,
    root: {
      type: 'phrase',
      field: '',
      tokens: [
        { type: 'token', text: 'a' },
        { type: 'regex', source: '.*b.*' },
      ],
    } as QueryNode,
  },
  {
    query: 'web-*.eu',
    root: {
      type: 'phrase',
      field: '',
      tokens: [
        { type: 'token', text: 'web' },
        { type: 'regex', source: '.*' },
        { type: 'token', text: 'eu' },
      ],
    } as QueryNode,
  },
  { query: 'host:*', root: exists('host') },
  { query: 'host:web-*', root: { type: 'prefix', field: 'host', prefix: 'web-' } as QueryNode },
  {
    query: 'host:w?b.*',
    root: { type: 'keywordRegex', field: 'host', source: String.raw`w.b\..*` } as QueryNode,
  },
  { query: 'labels.team:core*', root: { type: 'prefix', field: 'labels.team', prefix: 'core' } as QueryNode },
  { query: 'labels.team:*', root: exists('labels.team') },
  { query: String.raw`path:a\**`, root: { type: 'prefix', field: 'path', prefix: 'a*' } as QueryNode },
  // Regexes
  { query: '/Time(out)?/', root: regex('time(out)?') },
  { query: 'a /b|c/ d', root: and(a, regex('(b|c)'), d) },
  { query: '(/b/)', root: regex('b') },
  {
    query: String.raw`host:/web-\d+\/x/`,
    root: { type: 'keywordRegex', field: 'host', source: 'web-[0-9]+/x' } as QueryNode,
  },
  { query: 'site:/EU.*/', root: { type: 'keywordRegex', field: 'site', source: 'eu.*' } as QueryNode },
  // Whole values
  { query: 'host:Web-3', root: equals('host', 'Web-3') },
  { query: 'host:"Web 3*"', root: equals('host', 'Web 3*') },
  { query: 'site:EU', root: equals('site', 'eu') },
  { query: 'tier:WebHead', root: equals('tier', 'webhead') },
  { query: 'level:ERROR', root: equals('level', 'error') },
  { query: 'level:""', root: not(exists('level')) },
  { query: 'user.name:""', root: equals('user.name', '') },
  { query: 'user_id:42', root: equals('user_id', '42') },
  { query: 'url:http://x', root: equals('url', 'http://x') },
  { query: String.raw`a\ b:c`, root: equals('a b', 'c') },
  { query: 'a\\\nb:c', root: equals('a\nb', 'c') },
  { query: String.raw`\1st:c`, root: equals('1st', 'c') },
  { query: 'größe:XL', root: equals('größe', 'XL') },
  { query: 'labels.app.kubernetes.io/name:x', root: equals('labels.app.kubernetes.io/name', 'x') },
  { query: 'host:(a OR b)', root: or(equals('host', 'a'), equals('host', 'b')) },
  {
    query: 'host:(a OR (b -c))',
    root: or(equals('host', 'a'), and(equals('host', 'b'), not(equals('host', 'c')))),
  },
  { query: 'NOT host:a', root: not(equals('host', 'a')) },
  // Ranges
  { query: 'status:500', root: range('status', '[', 500, 500, ']') },
  { query: 'status:"500"', root: range('status', '[', 500, 500, ']') },
  { query: 'latency_ms:-0', root: range('latency_ms', '[', 0, 0, ']') },
  { query: 'status:>=500', root: range('status', '[', 500, null, ']') },
  { query: 'status:> 500', root: range('status', '{', 500, null, ']') },
  { query: 'status:<=500', root: range('status', '[', null, 500, ']') },
  { query: 'status:<500', root: range('status', '[', null, 500, '}') },
  { query: 'latency_ms:[200 TO 500}', root: range('latency_ms', '[', 200, 500, '}') },
  { query: 'latency_ms:{ 2e2 TO 5.5 ]', root: range('latency_ms', '{', 200, 5.5, ']') },
  { query: 'bytes:[* TO 5]', root: range('bytes', '[', null, 5, ']') },
  { query: 'bytes:[* TO *]', root: range('bytes', '[', null, null, ']') },
  { query: 'queue.depth:>=-1', root: range('queue.depth', '[', -1, null, ']') },
  {
    query: 'status:(404 OR >=500)',
    root: or(range('status', '[', 404, 404, ']'), range('status', '[', 500, null, ']')),
  },
  { query: 'time:>=now-15m', root: range('time', '[', nowMs - 900_000, null, ']') },
  { query: 'time:[now/d TO now}', root: range('time', '[', Date.parse('2026-11-21'), nowMs, '}') },
  { query: 'time:2026-11-21T03:12:07Z', root: range('time', '[', nowMs, nowMs, ']') },
  { query: 'ingested:>"2026-11-21 03:12:07"', root: range('ingested', '{', nowMs, null, ']') },
])('parseQuery: $query', ({ query, root }) => {
  expect(parse(query)).toEqual(root)
  expect(parseQuery(query, { nowMs }).text).toBe(query)
})

test.each([
  { query: 'a AND', code: 'QUERY_SYNTAX', column: 6, expected: 'a word, a phrase' },
  { query: 'OR a', code: 'QUERY_SYNTAX', column: 1, expected: 'a word, a phrase' },
  { query: 'a AND OR b', code: 'QUERY_SYNTAX', column: 7, expected: 'a word, a phrase' },
  { query: 'NOT', code: 'QUERY_SYNTAX', column: 4, expected: 'a word, a phrase' },
  { query: '()', code: 'QUERY_SYNTAX', column: 2, expected: 'a word, a phrase' },
  { query: 'a (b', code: 'QUERY_SYNTAX', column: 3, expected: '")"' },
  { query: 'a) b', code: 'QUERY_SYNTAX', column: 2, expected: 'no ")"' },
  { query: 'a "b', code: 'QUERY_SYNTAX', column: 3, expected: 'at its end' },
  { query: 'a - b', code: 'QUERY_SYNTAX', column: 3, expected: '"-word" without a blank' },
  { query: '""', code: 'QUERY_SYNTAX', column: 1, expected: 'a word to search for' },
  { query: 'a => b', code: 'QUERY_SYNTAX', column: 3, expected: 'a word' },
  { query: 'status >=500', code: 'QUERY_SYNTAX', column: 8, expected: 'field:>=500' },
  { query: 'status >= 500', code: 'QUERY_SYNTAX', column: 8, expected: 'field:>=500' },
  { query: 'a\\', code: 'QUERY_SYNTAX', column: 3, expected: 'literal' },
  { query: 'host:', code: 'QUERY_SYNTAX', column: 6, expected: 'a value right behind' },
  { query: 'error: disk full', code: 'QUERY_SYNTAX', column: 7, expected: 'put it in quotes' },
  { query: 'host:)', code: 'QUERY_SYNTAX', column: 6, expected: 'a value' },
  { query: 'host:(a b:c)', code: 'QUERY_SYNTAX', column: 9, expected: 'values only' },
  { query: 'level:warning', code: 'QUERY_SYNTAX', column: 7, expected: 'fatal, error, warn' },
  { query: 'status:5xx', code: 'QUERY_SYNTAX', column: 8, expected: 'a number' },
  { query: 'status:1e999', code: 'QUERY_SYNTAX', column: 8, expected: 'a number' },
  { query: 'user_id:>=x', code: 'QUERY_SYNTAX', column: 11, expected: 'a number' },
  { query: 'status:>', code: 'QUERY_SYNTAX', column: 9, expected: 'the end of a range' },
  { query: 'status:[1 2]', code: 'QUERY_SYNTAX', column: 11, expected: 'TO' },
  { query: 'status:[1 TO 2', code: 'QUERY_SYNTAX', column: 15, expected: '"]" or "}"' },
  { query: 'status:[1 TO x]', code: 'QUERY_SYNTAX', column: 14, expected: 'a number' },
  { query: 'time:yesterday', code: 'QUERY_SYNTAX', column: 6, expected: 'RFC 3339' },
  { query: 'time:"a; expected b"', code: 'QUERY_SYNTAX', column: 6, expected: 'RFC 3339' },
  { query: 'time:[now TO then]', code: 'QUERY_SYNTAX', column: 14, expected: 'RFC 3339' },
  { query: '/a', code: 'QUERY_SYNTAX', column: 1, expected: '"/" at its end' },
  { query: '/api/v1/users', code: 'QUERY_SYNTAX', column: 6, expected: 'a path goes in quotes' },
  { query: 'a /b**/', code: 'QUERY_SYNTAX', column: 6, expected: 'no second repetition' },
  { query: String.raw`/10\.0/`, code: 'QUERY_SYNTAX', column: 4, expected: 'one word' },
  { query: 'host:/a(/', code: 'QUERY_SYNTAX', column: 9, expected: 'a character' },
  { query: 'host:>=web', code: 'UNSUPPORTED', column: 6, expected: 'numbers and times' },
  { query: 'message:[a TO b]', code: 'UNSUPPORTED', column: 9, expected: 'numbers and times' },
  { query: 'status:4*', code: 'UNSUPPORTED', column: 8, expected: 'a range' },
  { query: 'status:/4../', code: 'UNSUPPORTED', column: 8, expected: 'a range' },
  { query: 'time:/2026.*/', code: 'UNSUPPORTED', column: 6, expected: 'a range' },
  { query: 'labels.team:c*re', code: 'UNSUPPORTED', column: 13, expected: 'labels.team:abc*' },
  { query: 'user_id:/4+/', code: 'UNSUPPORTED', column: 9, expected: 'user_id:abc*' },
])('parseQuery refuses at a column: $query', ({ query, code, column, expected }) => {
  expect(() => parse(query)).toThrow(
    expect.objectContaining({
      code,
      message: expect.stringMatching(new RegExp(`^column ${column}: .*;`, 's')) as unknown,
      details: { column, expected: expect.stringContaining(expected) as unknown },
    }),
  )
})

test.each([
  { name: 'a long text', query: 'x'.repeat(QUERY_CHARS_MAX + 1) },
  { name: '10,000 clauses', query: Array.from({ length: 10_000 }, () => 'a').join(' OR ') },
  { name: 'many clauses in few characters', query: 'a '.repeat(CLAUSES_MAX + 1) },
  { name: 'deep parentheses', query: `${'('.repeat(8_000)}a${')'.repeat(8_000)}` },
  { name: 'deep NOTs', query: `${'-'.repeat(DEPTH_MAX + 1)}a` },
  { name: 'deep values of a field', query: `host:${'('.repeat(DEPTH_MAX + 1)}a` },
  { name: 'a long phrase', query: `"${'a '.repeat(PHRASE_TOKENS_MAX + 1)}"` },
  { name: 'a regex that grows', query: '/((a{200}){200}){200}/' },
  { name: 'a pattern of many wildcards in one word', query: `${'a*'.repeat(EXPANSIONS_MAX)}?` },
  { name: 'a pattern of many wildcards in one value', query: `host:${'a*'.repeat(4_000)}b` },
  { name: 'a word with a wildcard that is too long', query: `${'a'.repeat(1_001)}*b` },
  { name: 'a value with a wildcard that is too long', query: `host:${'a'.repeat(1_001)}*b` },
  { name: 'many large regexes', query: '/(a{250}|b)c/ OR '.repeat(60) + 'x' },
  { name: 'many alternatives', query: '/(a|b){200}/' },
  { name: 'a regex of many groups', query: `/${'('.repeat(8_000)}/` },
])('parseQuery refuses quickly what would cost too much: $name', ({ query }) => {
  expect(() => parse(query)).toThrow(expect.objectContaining({ code: 'QUERY_TOO_BROAD' }))
  expect(fastestMs(() => outcome(() => parse(query)))).toBeLessThan(50)
})

test.each([
  { name: 'clauses', query: 'a '.repeat(CLAUSES_MAX) },
  { name: 'parentheses', query: `${'('.repeat(DEPTH_MAX)}a${')'.repeat(DEPTH_MAX)}` },
  { name: 'wildcards of a word', query: 'a?'.repeat(EXPANSIONS_MAX) },
  { name: 'wildcards of many words', query: 'a?-'.repeat(PHRASE_TOKENS_MAX) },
  { name: 'alternatives', query: `/${'(a|b)'.repeat(7)}/` },
  { name: 'tokens of a phrase', query: `"${'a '.repeat(PHRASE_TOKENS_MAX)}"` },
])('the bounds themselves are allowed: $name', ({ query }) => {
  expect(() => compileMatcher(parseQuery(query, { nowMs }))).not.toThrow()
})

test.each([
  '(a+)+$',
  '"'.repeat(16_000),
  '\\'.repeat(16_000),
  'a:'.repeat(8_000),
  '[{'.repeat(8_000),
  '/'.repeat(16_000),
])('no text makes the parser slow: %#', (query) => {
  expect(fastestMs(() => outcome(() => parse(query)))).toBeLessThan(50)
})

test('any text is a plan that compiles, or a ServiceError that points into it', () => {
  const pieces =
    'a É 🦇 1 AND OR NOT - ( ) " / : * ? >= [ ] { } TO status host time x.y now \\ | + {9} \ud800 \u00a0'.split(
      ' ',
    )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(' ', ...pieces), { maxLength: 20 }).map((all) => all.join('')),
    fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((all) => `host:/${all.join('')}/`),
  )
  fc.assert(
    fc.property(text, (text) => {
      const result = outcome(() => {
        const plan = parseQuery(text, { nowMs })
        compileMatcher(plan)
        return plan.root
      })
      expect(result).toSatisfy(() => !(result instanceof Error) || pointsInto(text, result))
    }),
    { numRuns: 2_000 },
  )
})

function outcome(run: () => QueryNode): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

function pointsInto(text: string, error: Error): boolean {
  if (!(error instanceof ServiceError)) return false
  const column = Number(error.details['column'])
  return /^(QUERY_|UNSUPPORTED)/.test(error.code) && column >= 1 && column <= text.length + 1
}

const STRENGTH = { or: 0, and: 1, not: 2 } as const

/** Writes a tree with as few parentheses as the precedence allows. */
function print(node: QueryNode, around: 0 | 1 | 2 = 0): string {
  if (node.type === 'phrase')
    return node.tokens.map((token) => (token.type === 'token' ? token.text : '')).join('-')
  if (node.type !== 'and' && node.type !== 'or' && node.type !== 'not') throw new Error(node.type)
  const strength = STRENGTH[node.type]
  const inner =
    node.type === 'not'
      ? `NOT ${print(node.node, 2)}`
      : node.nodes.map((part) => print(part, strength === 0 ? 1 : 2)).join(node.type === 'or' ? ' OR ' : ' ')
  return strength < around ? `(${inner})` : inner
}

test('a tree that is written and parsed is the same tree', () => {
  const { tree } = fc.letrec<{ tree: QueryNode }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom(a, b, word('web', '3')),
      tie('tree').map(not),
      fc.array(tie('tree'), { minLength: 2, maxLength: 3 }).map((nodes) => and(...nodes)),
      fc.array(tie('tree'), { minLength: 2, maxLength: 3 }).map((nodes) => or(...nodes)),
    ),
  }))
  fc.assert(
    fc.property(tree, (tree) => {
      expect(parse(print(tree))).toEqual(tree)
    }),
  )
})
