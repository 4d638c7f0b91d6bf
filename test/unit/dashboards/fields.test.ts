import { describe, expect, test } from 'vitest'
import { parseQuery } from '../../../core/query/parse.ts'
import { addTerm, fieldsOf, filterTerm, removeTerm, termState } from '../../../dashboards/src/model/fields.ts'

test('well-known fields come first, then the line’s own by name', () => {
  const record = {
    id: 'x1',
    time: '2026-01-05T03:12:07.042Z',
    trace: 't',
    message: 'm',
    level: 'error',
    attrs: { z: 1, a: ['x', 2] },
  }
  expect(fieldsOf(record).map((field) => field.name)).toEqual([
    'time',
    'level',
    'message',
    'id',
    'trace',
    'a',
    'z',
  ])
  expect(fieldsOf(record).find((field) => field.name === 'a')?.text).toBe('["x",2]')
})

test('only fields that a query can compare by equality are filtered', () => {
  const fields = fieldsOf({
    id: 'x',
    time: 't',
    message: 'm',
    status: 500,
    attrs: { 'odd key': 'v', ok: true },
  })
  const filtered = fields.filter((field) => field.value !== null).map((field) => field.name)
  expect(filtered).toEqual(['id', 'status', 'ok'])
})

describe('a filter term', () => {
  test.each([
    ['service', 'api', 'service:api'],
    ['host', 'web-3.eu', 'host:web-3.eu'],
    ['path', '/var/log/a b.log', 'path:"/var/log/a b.log"'],
    ['user', 'say "hi" \\ bye', 'user:"say \\"hi\\" \\\\ bye"'],
    ['op', 'NOT', 'op:"NOT"'],
    ['glob', 'a*', 'glob:"a*"'],
    ['empty', '', 'empty:""'],
  ])('of %s = %s is %s, and means exactly that value', (name, value, term) => {
    expect(filterTerm(name, value)).toBe(term)
    const { root } = parseQuery(term, { nowMs: 0 })
    expect(root).toEqual({ type: 'equals', field: name, value })
  })

  test('of a number can be parsed, also below zero', () => {
    expect(filterTerm('status', 500)).toBe('status:500')
    expect(() => parseQuery(filterTerm('latency_ms', -3.5), { nowMs: 0 })).not.toThrow()
  })
})

describe('adding a term', () => {
  test.each([
    ['', 'a:b', false, 'a:b'],
    [' x ', 'a:b', false, 'x a:b'],
    ['x', 'a:b', true, 'x NOT a:b'],
    ['x OR y', 'a:b', false, '(x OR y) a:b'],
    ['x a:b', 'a:b', false, 'x a:b'],
    ['a:b x', 'a:b', false, 'a:b x'],
    ['x NOT a:b', 'a:b', true, 'x NOT a:b'],
    ['x NOT a:b y', 'a:b', false, 'x a:b y'],
    ['a:b y', 'a:b', true, 'NOT a:b y'],
    ['a:bc', 'a:b', true, 'a:bc NOT a:b'],
    ['"x a:b y"', 'a:b', true, '"x a:b y" NOT a:b'],
    ['p:"a.(b"', 'p:"a.(b"', true, 'NOT p:"a.(b"'],
  ])('%j and %j (exclude: %s) make %j', (query, term, exclude, result) => {
    expect(addTerm(query, term, { exclude })).toBe(result)
  })
})

test.each([
  ['a level:error b', 'level:error', 'only', 'a b'],
  ['NOT level:error b', 'level:error', 'without', 'b'],
  ['a level:error', 'level:error', 'only', 'a'],
  ['level:errors', 'level:error', null, 'level:errors'],
  ['"say level:error here"', 'level:error', null, '"say level:error here"'],
])('%s asks for %s: %s; taken out: %s', (query, term, state, without) => {
  expect(termState(query, term)).toBe(state)
  expect(removeTerm(query, term)).toBe(without)
})

test('a term beside OR is not one that all lines have', () => {
  expect(termState('a OR level:error', 'level:error')).toBeNull()
})
