import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ATTR_VALUE_COMPARED_BYTES_MAX, matches, searchedTexts } from '../../../../core/query/matches.ts'
import { parseQuery } from '../../../../core/query/parse.ts'
import type { QueryNode } from '../../../../core/query/plan.ts'
import { PHRASE_TOKENS_MAX } from '../../../../core/query/terms.ts'
import { tokenize } from '../../../../core/query/tokenize.ts'
import { isFieldName } from '../../../../core/record.ts'
import type { LogRecord } from '../../../../core/record.ts'
import { plan, recordFields } from '../../../support/record-arbitraries.ts'

const record: fc.Arbitrary<LogRecord> = recordFields.map((fields) => ({ ...fields, id: 'x'.repeat(28) }))
const root = plan.map((plan) => plan.root)
const holds = (root: QueryNode, record: LogRecord) => matches({ text: '', root }, record)
const find = (query: string, record: LogRecord) => matches(parseQuery(query, { nowMs: 0 }), record)

test('NOT, AND and OR keep the laws of logic', () => {
  fc.assert(
    fc.property(root, root, root, record, (a, b, c, record) => {
      const not = (node: QueryNode): QueryNode => ({ type: 'not', node })
      const and = (...nodes: QueryNode[]): QueryNode => ({ type: 'and', nodes })
      const or = (...nodes: QueryNode[]): QueryNode => ({ type: 'or', nodes })
      const same = (left: QueryNode, right: QueryNode) => {
        expect(holds(left, record)).toBe(holds(right, record))
      }
      same(not(not(a)), a)
      same(not(and(a, b)), or(not(a), not(b)))
      same(not(or(a, b)), and(not(a), not(b)))
      same(and(a, or(b, c)), or(and(a, b), and(a, c)))
      same(or(a, and(b, c)), and(or(a, b), or(a, c)))
      same(and(a, a), a)
      same(or(a, not(a)), { type: 'all' })
      same(and(a, not(a)), or())
      same(and(), { type: 'all' })
    }),
    { numRuns: 500 },
  )
})

const clause = fc.constantFrom(
  'error',
  '"web 3"',
  'err*',
  '/w.*/',
  'level:error',
  'host:(web OR db)',
  'user:web',
  'status:>=200',
  'site:eu',
)

test('blank, AND, OR, NOT, - and parentheses say what they say', () => {
  fc.assert(
    fc.property(clause, clause, clause, record, (a, b, c, record) => {
      const [inA, inB, inC] = [find(a, record), find(b, record), find(c, record)]
      expect(find(`${a} ${b} OR ${c}`, record)).toBe((inA && inB) || inC)
      expect(find(`${a} OR ${b} AND ${c}`, record)).toBe(inA || (inB && inC))
      expect(find(`${a} (${b} OR ${c})`, record)).toBe(inA && (inB || inC))
      expect(find(`NOT ${a} ${b}`, record)).toBe(!inA && inB)
      expect(find(`-(${a} ${b})`, record)).toBe(!(inA && inB))
      expect(find(`NOT -${a}`, record)).toBe(inA)
    }),
  )
})

const quote = (text: string) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
const escape = (text: string) => text.replaceAll(/[^\p{L}\p{N}]/gsu, String.raw`\$&`)
/** A digit at the start of a name is escaped, too. */
const escapeName = (name: string) => escape(name).replace(/^\p{N}/u, String.raw`\$&`)

/** A leaf of a tree, as people may write it. */
function print(node: QueryNode): string {
  if (node.type === 'phrase')
    return quote(node.tokens.map((token) => 'text' in token && token.text).join(' '))
  if (node.type === 'equals') return `${escapeName(node.field)}:${quote(node.value)}`
  if (node.type === 'prefix') return `${escapeName(node.field)}:${escape(node.prefix)}*`
  if (node.type === 'exists') return `${escapeName(node.field)}:*`
  if (node.type !== 'range') throw new Error(node.type)
  const [open, close] = [node.fromInclusive ? '[' : '{', node.toInclusive ? ']' : '}']
  return `${escapeName(node.field)}:${open}${node.from ?? '*'} TO ${node.to ?? '*'}${close}`
}

const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.constantFrom('a"b', '\\', '*', 'a?', '/x/', 'AND', '-', '\n', '>=1', '[1 TO 2]'),
)
/** A cut surrogate pair would be read as a pair where it meets its other half. */
const attrName = text.filter((name) => name.isWellFormed() && !isFieldName(name))
const end = fc.option(fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => value + 0))
const leaf: fc.Arbitrary<QueryNode> = fc.oneof(
  fc.record({
    type: fc.constant('phrase' as const),
    field: fc.constant('' as const),
    tokens: fc
      .tuple(text, text)
      .map((pair) => tokenize(pair.join(' ')).map((text) => ({ type: 'token' as const, text })))
      .filter((tokens) => tokens.length > 0),
  }),
  fc.record({
    type: fc.constant('equals' as const),
    field: fc.oneof(fc.constantFrom('host', 'path'), attrName),
    value: text,
  }),
  fc.record({
    type: fc.constant('prefix' as const),
    field: fc.oneof(fc.constantFrom('host', 'path'), attrName),
    prefix: text,
  }),
  fc.record({ type: fc.constant('exists' as const), field: attrName }),
  fc
    .record({
      type: fc.constant('range' as const),
      field: fc.oneof(fc.constantFrom('status', 'latency_ms'), attrName),
      from: end,
      fromInclusive: fc.boolean(),
      to: end,
      toInclusive: fc.boolean(),
    })
    // An open end is neither included nor not.
    .map((node) => ({
      ...node,
      fromInclusive: node.fromInclusive || node.from === null,
      toInclusive: node.toInclusive || node.to === null,
    })),
)

test('names and values of any characters can be written in a query', () => {
  fc.assert(
    fc.property(leaf, (node) => {
      expect(parseQuery(print(node), { nowMs: 0 }).root).toEqual(node)
    }),
    { numRuns: 2_000 },
  )
})

test('a record is found by every run of its words, and by each word with a wildcard', () => {
  fc.assert(
    fc.property(record, fc.nat(), fc.nat(), fc.nat(), (record, which, from, length) => {
      const texts = searchedTexts(record).filter((text) => tokenize(text).length > 0)
      fc.pre(texts.length > 0)
      const tokens = tokenize(texts[which % texts.length] ?? '')
      const start = from % tokens.length
      const run = tokens.slice(start, start + 1 + (length % Math.min(tokens.length, PHRASE_TOKENS_MAX)))
      expect({ run, found: find(quote(run.join(' ')), record) }).toEqual({ run, found: true })
      const [word = ''] = run
      const at = length % word.length
      for (const wild of [`${escape(word.slice(0, at))}*`, `*${escape(word.slice(at))}`])
        expect({ wild, found: find(wild, record) }).toEqual({ wild, found: true })
    }),
    { numRuns: 500 },
  )
})

test('a record is found by each value of its own fields, by how the value starts and by where a number lies', () => {
  fc.assert(
    fc.property(record, fc.nat(), (record, cut) => {
      for (const [key, values] of Object.entries(record.attrs).filter(([key]) => !isFieldName(key)))
        for (const value of [values].flat()) {
          const whole = String(value)
          const name = escapeName(key)
          const isCompared = Buffer.byteLength(whole) <= ATTR_VALUE_COMPARED_BYTES_MAX
          const isNumber = typeof value === 'number' && Number.isFinite(value)
          const queries = [
            { query: `${name}:${quote(whole)}`, found: isCompared },
            ...(isCompared
              ? [{ query: `${name}:${escape(whole.slice(0, 1 + (cut % 9)))}*`, found: true }]
              : []),
            ...(isNumber ? [{ query: `${name}:[${value} TO ${value}]`, found: true }] : []),
          ]
          for (const { query, found } of queries)
            expect({ query, found: find(query, record) }).toEqual({ query, found })
        }
    }),
    { numRuns: 500 },
  )
})
