import type { QueryNode, QueryPlan } from './plan.ts'
import { quoted, syntaxError, tooBroad } from './problems.ts'
import { termNode } from './terms.ts'
import type { RangeEnd, Term } from './terms.ts'

/** A query rides in a URL, and servers bound those. */
export const QUERY_CHARS_MAX = 16_384
/** Words, phrases, patterns and ranges of one query. */
export const CLAUSES_MAX = 1_024
/** Parentheses and NOTs inside one another. */
export const DEPTH_MAX = 64

/** `-` and `/` may stand inside a name, digits not at its start: `10.0.0.1:80` and `03:12:07` are words. */
const FIELD = /((?:\\.|[\p{L}_@$])(?:\\.|[\p{L}\p{N}_.@$/-])*):/uy
const BLANK = /\s/
const WORD_END = /[\s()"]/

interface Cursor {
  readonly text: string
  readonly nowMs: number
  at: number
  clauses: number
  depth: number
}

/** A query as people write it → its plan. `nowMs` resolves times such as `now-15m`. Throws QUERY_SYNTAX, QUERY_TOO_BROAD, UNSUPPORTED, all with `details.column`. */
export function parseQuery(text: string, { nowMs }: { nowMs: number }): QueryPlan {
  if (text.length > QUERY_CHARS_MAX)
    throw tooBroad(QUERY_CHARS_MAX + 1, 'the query is too long', QUERY_CHARS_MAX)
  const cursor: Cursor = { text, nowMs, at: 0, clauses: 0, depth: 0 }
  skipBlanks(cursor)
  if (atEnd(cursor)) return { text, root: { type: 'all' } }
  const root = readOr(cursor, null)
  if (!atEnd(cursor)) throw unexpected(cursor, 'no ")" without a "(" before it')
  return { text, root }
}

/** `field` is the one whose values stand in the parentheses around, if any. */
function readOr(cursor: Cursor, field: string | null): QueryNode {
  const nodes = [readAnd(cursor, field)]
  while (takeOperator(cursor, 'OR')) nodes.push(readAnd(cursor, field))
  return joined('or', nodes)
}

function readAnd(cursor: Cursor, field: string | null): QueryNode {
  const nodes = [readNot(cursor, field)]
  while (takeOperator(cursor, 'AND') || !atEndOfAnd(cursor)) nodes.push(readNot(cursor, field))
  return joined('and', nodes)
}

function atEndOfAnd(cursor: Cursor): boolean {
  skipBlanks(cursor)
  return atEnd(cursor) || peek(cursor) === ')' || isOperator(cursor, 'OR')
}

function joined(type: 'and' | 'or', nodes: readonly QueryNode[]): QueryNode {
  return nodes.length === 1 && nodes[0] !== undefined ? nodes[0] : { type, nodes }
}

function readNot(cursor: Cursor, field: string | null): QueryNode {
  skipBlanks(cursor)
  const minus = peek(cursor) === '-' && !BLANK.test(cursor.text[cursor.at + 1] ?? ' ')
  if (minus) cursor.at++
  else if (!takeOperator(cursor, 'NOT')) return readPrimary(cursor, field)
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
  if (atEnd(cursor) || peek(cursor) === ')' || isOperator(cursor, 'AND') || isOperator(cursor, 'OR'))
    throw unexpected(cursor, 'a word, a phrase, field:value or "("')
  if (peek(cursor) === '(') return readGroup(cursor, field)
  const start = cursor.at
  const named = readFieldName(cursor)
  if (named === null) return readTerm(cursor, field)
  if (field !== null)
    throw syntaxError(
      start + 1,
      `${quoted(`${named}:`)} among the values of "${field}"`,
      'values only; one with ":" goes in quotes',
    )
  if (atEnd(cursor) || /[\s)]/.test(peek(cursor)))
    throw unexpected(
      cursor,
      `a value right behind ${quoted(`${named}:`)}; to search for the text itself, put it in quotes`,
    )
  return peek(cursor) === '(' ? readGroup(cursor, named) : readTerm(cursor, named)
}

function readGroup(cursor: Cursor, field: string | null): QueryNode {
  const start = cursor.at++
  const node = nested(cursor, () => readOr(cursor, field))
  if (peek(cursor) !== ')') throw syntaxError(start + 1, 'a "(" that is not closed', '")" at its end')
  cursor.at++
  return node
}

function readFieldName(cursor: Cursor): string | null {
  FIELD.lastIndex = cursor.at
  const match = FIELD.exec(cursor.text)
  if (match?.[1] === undefined) return null
  cursor.at += match[0].length
  return match[1].replaceAll(/\\(.)/gu, '$1')
}

function readTerm(cursor: Cursor, field: string | null): QueryNode {
  if (++cursor.clauses > CLAUSES_MAX) throw tooBroad(cursor.at + 1, 'too many words and values', CLAUSES_MAX)
  return termNode(field, scanTerm(cursor, field !== null), cursor.nowMs)
}

function scanTerm(cursor: Cursor, isValue: boolean): Term {
  const column = cursor.at + 1
  const char = peek(cursor)
  if (char === '"') return { type: 'quoted', column, text: readQuoted(cursor) }
  if (char === '/') return { type: 'regex', column, source: readRegexSource(cursor) }
  if (isValue && (char === '>' || char === '<')) return readComparison(cursor)
  if (isValue && (char === '[' || char === '{')) return readBrackets(cursor)
  return readWord(cursor)
}

function readWord(cursor: Cursor): Term {
  const column = cursor.at + 1
  const wildAt = new Set<number>()
  let text = ''
  for (; !atEnd(cursor) && !WORD_END.test(peek(cursor)); cursor.at++) {
    if (peek(cursor) === '\\') {
      cursor.at++
      if (atEnd(cursor)) throw unexpected(cursor, 'the character that "\\" makes literal')
    } else if (peek(cursor) === '*' || peek(cursor) === '?') {
      wildAt.add(text.length)
    }
    text += peek(cursor)
  }
  return { type: 'word', column, text, wildAt }
}

/** Inside quotes, `\"` and `\\` are escapes; every other backslash is itself. */
function readQuoted(cursor: Cursor): string {
  const start = cursor.at
  const match = /"((?:\\["\\]|[^"])*)"/y
  match.lastIndex = start
  const found = match.exec(cursor.text)
  if (found?.[1] === undefined) throw syntaxError(start + 1, 'a quote that is not closed', "'\"' at its end")
  cursor.at += found[0].length
  return found[1].replaceAll(/\\(["\\])/g, '$1')
}

/** What stands between the slashes; `\/` is a slash. */
function readRegexSource(cursor: Cursor): string {
  const start = cursor.at
  const { text } = cursor
  let end = start + 1
  while (end < text.length && text[end] !== '/') end += text[end] === '\\' ? 2 : 1
  if (end >= text.length)
    throw syntaxError(start + 1, 'a regex that is not closed', '"/" at its end; a path goes in quotes')
  if (end + 1 < text.length && !/[\s)]/.test(text[end + 1] ?? ''))
    throw syntaxError(
      end + 2,
      `${quoted(text[end + 1] ?? '')} behind a regex`,
      'a blank; "/" in a regex is "\\/", a path goes in quotes',
    )
  cursor.at = end + 1
  return text.slice(start + 1, end)
}

const OPEN = { text: null, column: 0, inclusive: true } as const

/** `>=500` and the like. */
function readComparison(cursor: Cursor): Term {
  const column = cursor.at + 1
  const above = peek(cursor) === '>'
  cursor.at++
  const inclusive = peek(cursor) === '='
  if (inclusive) cursor.at++
  skipBlanks(cursor)
  const end = readRangeEnd(cursor, inclusive, /[\s()]/)
  return { type: 'range', column, from: above ? end : OPEN, to: above ? OPEN : end }
}

/** `[200 TO 500}`: a square bracket includes its end, a curly one does not. */
function readBrackets(cursor: Cursor): Term {
  const column = cursor.at + 1
  const fromInclusive = peek(cursor) === '['
  cursor.at++
  skipBlanks(cursor)
  const from = readRangeEnd(cursor, fromInclusive, /[\s\]}]/)
  if (!takeOperator(cursor, 'TO')) throw unexpected(cursor, 'TO, as in [200 TO 500}')
  skipBlanks(cursor)
  const to = readRangeEnd(cursor, true, /[\s\]}]/)
  skipBlanks(cursor)
  const close = peek(cursor)
  if (close !== ']' && close !== '}') throw unexpected(cursor, '"]" or "}" at the end of the range')
  cursor.at++
  return { type: 'range', column, from: open(from), to: open({ ...to, inclusive: close === ']' }) }
}

function open(end: RangeEnd): RangeEnd {
  return end.text === '*' ? OPEN : end
}

function readRangeEnd(cursor: Cursor, inclusive: boolean, stop: RegExp): RangeEnd {
  const column = cursor.at + 1
  if (peek(cursor) === '"') return { text: readQuoted(cursor), column, inclusive }
  const start = cursor.at
  while (!atEnd(cursor) && !stop.test(peek(cursor))) cursor.at++
  if (cursor.at === start) throw unexpected(cursor, 'the end of a range: a number, a time, or * in brackets')
  return { text: cursor.text.slice(start, cursor.at), column, inclusive }
}

function takeOperator(cursor: Cursor, word: 'AND' | 'OR' | 'NOT' | 'TO'): boolean {
  skipBlanks(cursor)
  if (!isOperator(cursor, word)) return false
  cursor.at += word.length
  return true
}

function isOperator(cursor: Cursor, word: string): boolean {
  const { text, at } = cursor
  if (!text.startsWith(word, at)) return false
  const end = at + word.length
  return end === text.length || WORD_END.test(text[end] ?? '')
}

function skipBlanks(cursor: Cursor): void {
  while (!atEnd(cursor) && BLANK.test(peek(cursor))) cursor.at++
}

function atEnd({ text, at }: Cursor): boolean {
  return at >= text.length
}

function peek({ text, at }: Cursor): string {
  return text[at] ?? ''
}

function unexpected(cursor: Cursor, expected: string): Error {
  const rest = cursor.text.slice(cursor.at)
  const found =
    rest === '' ? 'the end of the query' : quoted(/^(?:\s+|[()"]|[^\s()"]+)/.exec(rest)?.[0] ?? rest)
  return syntaxError(cursor.at + 1, found, expected)
}
