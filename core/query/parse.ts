import type { QueryNode, QueryPlan } from './plan.ts'
import { quoted, syntaxError, tooBroad } from './problems.ts'
import { createScanner, readToken, readValue, unexpected } from './scan.ts'
import type { Operator, Scanner, Token } from './scan.ts'
import { patternSize, termNode } from './terms.ts'
import type { Term } from './terms.ts'

/** A query rides in a URL, and servers bound those. */
export const QUERY_CHARS_MAX = 16_384
/** Words, phrases, patterns and ranges of one query. */
export const CLAUSES_MAX = 1_024
/** Parentheses and NOTs inside one another. */
export const DEPTH_MAX = 64
/** Size of all wildcards and regexes of one query together: bounds what one record may cost. */
export const QUERY_PATTERN_SIZE_MAX = 8_192

interface Cursor extends Scanner {
  readonly nowMs: number
  /** The token that was looked at, but not yet taken. */
  next: Token | null
  clauses: number
  patternSize: number
  depth: number
}

/** A query as people write it → its plan. `nowMs` resolves times such as `now-15m`. Throws QUERY_SYNTAX, QUERY_TOO_BROAD, UNSUPPORTED, all with `details.column`. */
export function parseQuery(text: string, { nowMs }: { nowMs: number }): QueryPlan {
  if (text.length > QUERY_CHARS_MAX)
    throw tooBroad(QUERY_CHARS_MAX + 1, 'the query is too long', QUERY_CHARS_MAX)
  const cursor: Cursor = { ...createScanner(text), nowMs, next: null, clauses: 0, patternSize: 0, depth: 0 }
  if (peekToken(cursor, null).type === 'end') return { text, root: { type: 'all' } }
  const root = readOr(cursor, null)
  const rest = peekToken(cursor, null)
  if (rest.type !== 'end') throw unexpected(cursor, rest.start, 'no ")" without a "(" before it')
  return { text, root }
}

/** `field` is the one whose values stand in the parentheses around, if any. */
function readOr(cursor: Cursor, field: string | null): QueryNode {
  const nodes = [readAnd(cursor, field)]
  while (takeOperator(cursor, field, 'OR')) nodes.push(readAnd(cursor, field))
  return joined('or', nodes)
}

function readAnd(cursor: Cursor, field: string | null): QueryNode {
  const nodes = [readNot(cursor, field)]
  while (takeOperator(cursor, field, 'AND') || !isEndOfAnd(peekToken(cursor, field)))
    nodes.push(readNot(cursor, field))
  return joined('and', nodes)
}

function isEndOfAnd(token: Token): boolean {
  return token.type === 'end' || token.type === 'close' || (token.type === 'operator' && token.word === 'OR')
}

function joined(type: 'and' | 'or', nodes: readonly QueryNode[]): QueryNode {
  return nodes.length === 1 && nodes[0] !== undefined ? nodes[0] : { type, nodes }
}

function readNot(cursor: Cursor, field: string | null): QueryNode {
  if (!takeOperator(cursor, field, 'NOT')) return readPrimary(cursor, field)
  return { type: 'not', node: nested(cursor, () => readNot(cursor, field)) }
}

function nested(cursor: Cursor, read: () => QueryNode): QueryNode {
  if (++cursor.depth > DEPTH_MAX)
    throw tooBroad(cursor.at + 1, 'too many parentheses or NOTs inside one another', DEPTH_MAX)
  const node = read()
  cursor.depth--
  return node
}

function readPrimary(cursor: Cursor, field: string | null): QueryNode {
  const token = takeToken(cursor, field)
  if (token.type === 'open') return readGroup(cursor, field, token)
  if (token.type === 'term') return clause(cursor, field, token.term)
  if (token.type === 'field') return readNamed(cursor, field, token)
  throw unexpected(cursor, token.start, 'a word, a phrase, field:value or "("')
}

function readNamed(
  cursor: Cursor,
  field: string | null,
  { name, start, end }: Extract<Token, { type: 'field' }>,
): QueryNode {
  if (field !== null)
    throw syntaxError(
      start + 1,
      `${quoted(`${name}:`)} among the values of "${field}"`,
      'values only; one with ":" goes in quotes',
    )
  const value = readValue(cursor)
  if (value?.type === 'open') return readGroup(cursor, name, value)
  if (value?.type === 'term') return clause(cursor, name, value.term)
  throw unexpected(
    cursor,
    end,
    `a value right behind ${quoted(`${name}:`)}; to search for the text itself, put it in quotes`,
  )
}

function readGroup(cursor: Cursor, field: string | null, { start }: Token): QueryNode {
  const node = nested(cursor, () => readOr(cursor, field))
  if (takeToken(cursor, field).type !== 'close')
    throw syntaxError(start + 1, 'a "(" that is not closed', '")" at its end')
  return node
}

function clause(cursor: Cursor, field: string | null, term: Term): QueryNode {
  if (++cursor.clauses > CLAUSES_MAX) throw tooBroad(term.column, 'too many words and values', CLAUSES_MAX)
  const node = termNode(field, term, cursor.nowMs)
  cursor.patternSize += patternSize(node)
  if (cursor.patternSize > QUERY_PATTERN_SIZE_MAX)
    throw tooBroad(term.column, 'too many or too large wildcards and regexes', QUERY_PATTERN_SIZE_MAX)
  return node
}

function peekToken(cursor: Cursor, field: string | null): Token {
  return (cursor.next ??= readToken(cursor, field !== null))
}

function takeToken(cursor: Cursor, field: string | null): Token {
  const token = peekToken(cursor, field)
  cursor.next = null
  return token
}

function takeOperator(cursor: Cursor, field: string | null, word: Operator): boolean {
  const token = peekToken(cursor, field)
  if (token.type !== 'operator' || token.word !== word) return false
  cursor.next = null
  return true
}
