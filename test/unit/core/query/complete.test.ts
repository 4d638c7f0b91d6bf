import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { completeQuery } from '../../../../core/query/complete.ts'
import { parseQuery } from '../../../../core/query/parse.ts'
import { LEVELS, RECORD_FIELDS } from '../../../../core/record.ts'
import { fastestMs } from '../../../support/fastest.ts'

/** `|` is the cursor; what is replaced comes back in `«»`. */
function complete(marked: string) {
  const at = marked.indexOf('|')
  const text = marked.replace('|', '')
  const { fromColumn, toColumn, typed, kinds, field, candidates } = completeQuery(text, at)
  return {
    span: `${text.slice(0, fromColumn - 1)}«${text.slice(fromColumn - 1, toColumn - 1)}»${text.slice(toColumn - 1)}`,
    typed,
    kinds: kinds.join(' '),
    field,
    candidates: candidates.map((candidate) => candidate.text).join(' '),
  }
}

const FIELDS = Object.keys(RECORD_FIELDS)
  .map((name) => `${name}:`)
  .join(' ')

test.each([
  // Where a clause starts
  { query: '|', span: '«»', kinds: 'field word operator', candidates: `${FIELDS} NOT` },
  { query: '  | ', span: '  «» ', candidates: `${FIELDS} NOT` },
  { query: 's|', span: '«s»', typed: 's', candidates: 'service: site: status:' },
  { query: 'S|e', span: '«Se»', typed: 'S', candidates: 'service: site: status:' },
  { query: '|serv', span: '«serv»', typed: '', candidates: `${FIELDS} NOT` },
  { query: 'se|rvice:x', span: '«service:»x', typed: 'se', candidates: 'service:' },
  { query: '-se|', span: '-«se»', typed: 'se', candidates: 'service:' },
  { query: 'NOT |', span: 'NOT «»', candidates: `${FIELDS} NOT` },
  { query: 'a AND |', span: 'a AND «»', candidates: `${FIELDS} NOT` },
  { query: '(|', span: '(«»', kinds: 'field word operator', candidates: `${FIELDS} NOT` },
  { query: 'xyz|', span: '«xyz»', typed: 'xyz', candidates: '' },
  // Behind a clause
  { query: 'a |', span: 'a «»', kinds: 'field word operator', candidates: `${FIELDS} AND OR NOT` },
  { query: 'a o|', span: 'a «o»', typed: 'o', candidates: 'offset: OR' },
  { query: 'a AND| b', span: 'a «AND» b', typed: 'AND', candidates: 'AND' },
  { query: '(a |', span: '(a «»', kinds: 'field word operator close', candidates: `${FIELDS} AND OR NOT )` },
  { query: '(a)|', span: '(a)«»', kinds: 'field word operator', candidates: `${FIELDS} AND OR NOT` },
  { query: '"a b"|', span: '"a b"«»', candidates: `${FIELDS} AND OR NOT` },
  { query: 'status:[1 TO 2]|', span: 'status:[1 TO 2]«»', candidates: `${FIELDS} AND OR NOT` },
  // Values
  { query: 'level:|', span: 'level:«»', kinds: 'value', field: 'level', candidates: `${LEVELS.join(' ')} *` },
  { query: 'level:E|', span: 'level:«E»', typed: 'E', kinds: 'value', field: 'level', candidates: 'error' },
  { query: 'level:"er|', span: 'level:«"er»', typed: 'er', field: 'level', candidates: 'error' },
  { query: 'level:| x', span: 'level:«» x', field: 'level', candidates: `${LEVELS.join(' ')} *` },
  { query: 'level:|)', span: 'level:«»)', field: 'level', candidates: `${LEVELS.join(' ')} *` },
  { query: 'level: |', span: 'level: «»', field: null, candidates: `${FIELDS} AND OR NOT` },
  { query: 'level:(|', span: 'level:(«»', field: 'level', candidates: `${LEVELS.join(' ')} * NOT` },
  { query: 'level:(error |', span: 'level:(error «»', kinds: 'value operator close', field: 'level' },
  {
    query: 'level:(error OR w|',
    span: 'level:(error OR «w»',
    typed: 'w',
    field: 'level',
    candidates: 'warn',
  },
  { query: 'level:((|', span: 'level:((«»', field: 'level' },
  { query: 'level:(a) |', span: 'level:(a) «»', field: null },
  { query: 'host:w|', span: 'host:«w»', typed: 'w', kinds: 'value', field: 'host', candidates: '' },
  { query: 'host:we|b-1 x', span: 'host:«web-1» x', typed: 'we', field: 'host', candidates: '' },
  { query: 'user.id:|', span: 'user.id:«»', field: 'user.id', candidates: '>= > <= < [ *' },
  { query: 'status:|', span: 'status:«»', field: 'status', candidates: '>= > <= < [ *' },
  // Ranges
  { query: 'status:>=|', span: 'status:>=«»', kinds: 'value', field: 'status', candidates: '' },
  { query: 'status:>|', span: 'status:>«»', kinds: 'value', field: 'status', candidates: '' },
  { query: 'time:>=n|', span: 'time:>=«n»', field: 'time', candidates: 'now now-15m now-1h now/d now-1d/d' },
  {
    query: 'time:|',
    span: 'time:«»',
    field: 'time',
    candidates: '>=now-15m >=now-1h >=now/d [now-1d/d TO now/d}',
  },
  { query: 'status:[|', span: 'status:[«»', kinds: 'value', field: 'status', candidates: '*' },
  { query: 'status:[2|00 TO 5}', span: 'status:[«200» TO 5}', typed: '2', field: 'status', candidates: '' },
  { query: 'status:[200 |', span: 'status:[200 «»', kinds: 'operator', candidates: 'TO' },
  { query: 'status:[200 | TO 5]', span: 'status:[200 «» TO 5]', kinds: 'operator', candidates: 'TO' },
  { query: 'status:[200 T|', span: 'status:[200 «T»', typed: 'T', kinds: 'operator', candidates: 'TO' },
  {
    query: 'time:[now-1d TO |',
    span: 'time:[now-1d TO «»',
    field: 'time',
    candidates: 'now now-15m now-1h now/d now-1d/d *',
  },
  { query: 'time:[now-1d TO no|}', span: 'time:[now-1d TO «no»}', typed: 'no', field: 'time' },
  { query: 'status:[200 TO 300 |', span: 'status:[200 TO 300 «»', kinds: 'close', candidates: '] }' },
  // Wrong before the cursor
  { query: 'level:warning AND s|', span: 'level:warning AND «s»', candidates: 'service: site: status:' },
  { query: 'a) AND OR s|', span: 'a) AND OR «s»', candidates: 'service: site: status:' },
  { query: 'status:[1 2] s|', span: 'status:[1 2] «s»', candidates: 'service: site: status:' },
  { query: '/api/v1 s|', span: '/api/v1 «s»', candidates: 'service: site: status:' },
  { query: 'host:(a level:e|', span: 'host:(a level:«e»', field: 'level', candidates: 'error' },
  { query: 'say "hello s|', span: 'say «"hello s»', typed: 'hello s', candidates: '' },
  { query: 'host:["|', span: 'host:[«"»', typed: '', kinds: 'value', field: 'host' },
  { query: 'status:>="5 |', span: 'status:>="5 «»', kinds: 'value', field: 'status' },
  { query: 'a\\|', span: '«a\\»', typed: 'a\\', candidates: '' },
])('completeQuery: $query', ({ query, ...expected }) => {
  expect(complete(query)).toMatchObject(expected)
})

test('a cursor outside the text is taken as one at its edge', () => {
  expect(completeQuery('se', 99)).toEqual(completeQuery('se', 2))
  expect(completeQuery('se', -1)).toEqual(completeQuery('se', 0))
  expect(completeQuery('se', Number.NaN)).toEqual(completeQuery('se', 0))
})

const pieces =
  'a É 🦇 1 AND OR NOT TO - ( ) " / : * >= [ ] } status: time: host: level: x.y \\ now \ud800 \u00a0'.split(
    ' ',
  )
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(' ', ' ', ...pieces), { maxLength: 16 }).map((all) => all.join('')),
)

test('for any text and cursor the span lies around the cursor, and nothing is thrown', () => {
  fc.assert(
    fc.property(anyText, fc.nat(40), (text, cursor) => {
      const at = Math.min(cursor, text.length)
      const { fromColumn, toColumn, typed, kinds, field } = completeQuery(text, cursor)
      expect(fromColumn).toBeGreaterThanOrEqual(1)
      expect(fromColumn).toBeLessThanOrEqual(at + 1)
      expect(toColumn).toBeGreaterThanOrEqual(at + 1)
      expect(toColumn).toBeLessThanOrEqual(text.length + 1)
      expect(text.slice(fromColumn - 1, at).replace(/^"/, '')).toBe(typed)
      expect(kinds.includes('value')).toBe(field !== null)
    }),
    { numRuns: 1_000 },
  )
})

/** A query that parses, written with blanks between its parts. */
const goodQuery = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      'word',
      'level:error',
      'status:>=500',
      'time:[now-1h TO now}',
      '"a phrase"',
      'host:( a OR b )',
    ),
    fc
      .tuple(tie('query'), fc.constantFrom(' ', ' AND ', ' OR '), tie('query'))
      .map((parts) => parts.join('')),
    tie('query').map((query) => `NOT ${query}`),
    tie('query').map((query) => `( ${query} )`),
  ),
})).query

/** What makes a query whole again after this candidate. */
const REST: Readonly<Record<string, string>> = {
  AND: ' x',
  OR: ' x',
  NOT: ' x',
  TO: ' 5]',
  '[': '1 TO 2]',
  '>': '1',
  '>=': '1',
  '<': '1',
  '<=': '1',
}

test('every candidate leads to a query that parses', () => {
  fc.assert(
    fc.property(goodQuery, fc.nat(), (query, cut) => {
      const text = query.slice(0, cut % (query.length + 1))
      const { fromColumn, candidates, kinds } = completeQuery(text, text.length)
      for (const { kind, text: candidate } of candidates) {
        if (/\[[^\]}]*$/.test(text)) continue // inside brackets: the next test
        const rest = kind === 'field' ? '*' : (REST[candidate] ?? '')
        const whole = `${text.slice(0, fromColumn - 1)}${candidate}${rest}`
        const open = whole.split('(').length - whole.split(')').length
        expect({ kinds, whole, plan: parses(whole + ')'.repeat(open)) }).toEqual({ kinds, whole, plan: true })
      }
    }),
    { numRuns: 500 },
  )
})

test.each([
  { query: 'time:[', whole: (candidate: string) => `time:[${candidate} TO *]` },
  { query: 'time:[now ', whole: (candidate: string) => `time:[now ${candidate} now}` },
  { query: 'time:[now TO ', whole: (candidate: string) => `time:[now TO ${candidate}]` },
  { query: 'time:[now TO now ', whole: (candidate: string) => `time:[now TO now ${candidate}` },
])('every candidate inside brackets leads to a query that parses: $query', ({ query, whole }) => {
  const { candidates } = completeQuery(query, query.length)
  expect(candidates.length).toBeGreaterThan(0)
  for (const { text } of candidates)
    expect({ text, parses: parses(whole(text)) }).toEqual({ text, parses: true })
})

function parses(query: string): boolean {
  try {
    parseQuery(query, { nowMs: 0 })
    return true
  } catch {
    return false
  }
}

test.each([
  '('.repeat(16_000),
  '"'.repeat(16_001),
  '/ '.repeat(8_000),
  'a:'.repeat(8_000),
  'a:[ '.repeat(4_000),
])('no text makes completion slow: %#', (text) => {
  expect(fastestMs(() => completeQuery(text, text.length))).toBeLessThan(100)
})
