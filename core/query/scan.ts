import { quoted, syntaxError } from './problems.ts'
import type { RangeEnd, Term } from './terms.ts'

/** What a query is made of. `start` and `end` are positions in its text: [start, end). */
export type Token = { readonly start: number; readonly end: number } & (
  | { readonly type: 'end' | 'open' | 'close' }
  /** `-x` is NOT, too. */
  | { readonly type: 'operator'; readonly word: Operator }
  /** `name:`; its value is read with `readValue`. */
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'term'; readonly term: Term }
)

export type Operator = (typeof OPERATORS)[number]
export const OPERATORS = ['AND', 'OR', 'NOT'] as const

export interface Scanner {
  readonly text: string
  at: number
  /** What the parts of ranges are, for completion: `at` is where such a part may start, blanks included. */
  readonly parts: { readonly at: number; readonly part: RangePart }[]
}

export type RangePart = 'rangeEnd' | 'TO' | 'bracket'

/** `-` and `/` may stand inside a name, digits not at its start: `10.0.0.1:80` and `03:12:07` are words. */
const FIELD = /((?:\\.|[\p{L}_@$])(?:\\.|[\p{L}\p{N}_.@$/-])*):/suy
const BLANK = /\s/
const WORD_END = /[\s()"]/

export function createScanner(text: string): Scanner {
  return { text, at: 0, parts: [] }
}

/** The next token where a whole clause may stand. `inValues`: among the values in the parentheses of a field. Throws QUERY_SYNTAX. */
export function readToken(scanner: Scanner, inValues: boolean): Token {
  skipBlanks(scanner)
  const start = scanner.at
  const char = peek(scanner)
  if (char === '') return { type: 'end', start, end: start }
  if (char === '(' || char === ')') return readParenthesis(scanner)
  for (const word of OPERATORS)
    if (takeWord(scanner, word)) return { type: 'operator', word, start, end: scanner.at }
  if (char === '-' && !BLANK.test(scanner.text[start + 1] ?? ' ')) {
    scanner.at++
    return { type: 'operator', word: 'NOT', start, end: scanner.at }
  }
  const name = readFieldName(scanner)
  if (name !== null) return { type: 'field', name, start, end: scanner.at }
  return readTerm(scanner, inValues)
}

/** What stands right behind `name:`; null: nothing does. Throws QUERY_SYNTAX. */
export function readValue(scanner: Scanner): Token | null {
  const char = peek(scanner)
  if (char === '' || char === ')' || BLANK.test(char)) return null
  return char === '(' ? readParenthesis(scanner) : readTerm(scanner, true)
}

/** An error at `at`: says what stands there. */
export function unexpected({ text }: Scanner, at: number, expected: string): Error {
  const rest = text.slice(at)
  const found =
    rest === '' ? 'the end of the query' : quoted(/^(?:\s+|[()"]|[^\s()"]+)/.exec(rest)?.[0] ?? rest)
  return syntaxError(at + 1, found, expected)
}

/** The first position from `at` on where no part of a word stands. */
export function wordEnd(text: string, at: number): number {
  let end = at
  while (end < text.length && !WORD_END.test(text[end] ?? '')) end++
  return end
}

/** The first position from `at` on that is not blank. */
export function blanksEnd(text: string, at: number): number {
  let end = at
  while (end < text.length && BLANK.test(text[end] ?? '')) end++
  return end
}

function readParenthesis(scanner: Scanner): Token {
  const type = peek(scanner) === '(' ? 'open' : 'close'
  return { type, start: scanner.at, end: ++scanner.at }
}

function readFieldName(scanner: Scanner): string | null {
  FIELD.lastIndex = scanner.at
  const match = FIELD.exec(scanner.text)
  if (match?.[1] === undefined) return null
  scanner.at += match[0].length
  return match[1].replaceAll(/\\(.)/gsu, '$1')
}

function readTerm(scanner: Scanner, isValue: boolean): Token {
  const start = scanner.at
  const term = scanTerm(scanner, isValue)
  return { type: 'term', term, start, end: scanner.at }
}

function scanTerm(scanner: Scanner, isValue: boolean): Term {
  const column = scanner.at + 1
  const char = peek(scanner)
  if (char === '"') return { type: 'quoted', column, text: readQuoted(scanner) }
  if (char === '/') return { type: 'regex', column, source: readRegexSource(scanner) }
  if (isValue && (char === '>' || char === '<')) return readComparison(scanner)
  if (isValue && (char === '[' || char === '{')) return readBrackets(scanner)
  return readWord(scanner)
}

function readWord(scanner: Scanner): Term {
  const column = scanner.at + 1
  const wildAt = new Set<number>()
  let text = ''
  for (; !atEnd(scanner) && !WORD_END.test(peek(scanner)); scanner.at++) {
    const char = peek(scanner)
    if (char === '\\') {
      scanner.at++
      if (atEnd(scanner)) throw unexpected(scanner, scanner.at, 'the character that "\\" makes literal')
    } else if (char === '*' || char === '?') {
      // Two stars in a row say what one says.
      if (char === '*' && text.endsWith('*') && wildAt.has(text.length - 1)) continue
      wildAt.add(text.length)
    }
    text += peek(scanner)
  }
  return { type: 'word', column, text, wildAt }
}

/** Inside quotes, `\"` and `\\` are escapes; every other backslash is itself. */
function readQuoted(scanner: Scanner): string {
  const start = scanner.at
  const end = quotedEnd(scanner.text, start)
  if (end === null) throw syntaxError(start + 1, 'a quote that is not closed', "'\"' at its end")
  scanner.at = end
  return scanner.text.slice(start + 1, end - 1).replaceAll(/\\(["\\])/g, '$1')
}

/** Where the quoted text that starts at `start` ends, behind its last quote; null: it is not closed. */
export function quotedEnd(text: string, start: number): number | null {
  const match = /"(?:\\["\\]|[^"])*"/y
  match.lastIndex = start
  return match.test(text) ? match.lastIndex : null
}

/** What stands between the slashes; `\/` is a slash. */
function readRegexSource(scanner: Scanner): string {
  const start = scanner.at
  const { text } = scanner
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
  scanner.at = end + 1
  return text.slice(start + 1, end)
}

const OPEN = { text: null, column: 0, inclusive: true } as const

/** `>=500` and the like. */
function readComparison(scanner: Scanner): Term {
  const column = scanner.at + 1
  const above = peek(scanner) === '>'
  scanner.at++
  const inclusive = peek(scanner) === '='
  if (inclusive) scanner.at++
  const end = readRangeEnd(scanner, inclusive, /[\s()]/)
  return { type: 'range', column, from: above ? end : OPEN, to: above ? OPEN : end }
}

/** `[200 TO 500}`: a square bracket includes its end, a curly one does not. */
function readBrackets(scanner: Scanner): Term {
  const column = scanner.at + 1
  const fromInclusive = peek(scanner) === '['
  scanner.at++
  const from = readRangeEnd(scanner, fromInclusive, /[\s\]}]/)
  startPart(scanner, 'TO')
  if (!takeWord(scanner, 'TO')) throw unexpected(scanner, scanner.at, 'TO, as in [200 TO 500}')
  const to = readRangeEnd(scanner, true, /[\s\]}]/)
  startPart(scanner, 'bracket')
  const close = peek(scanner)
  if (close !== ']' && close !== '}')
    throw unexpected(scanner, scanner.at, '"]" or "}" at the end of the range')
  scanner.at++
  return { type: 'range', column, from: open(from), to: open({ ...to, inclusive: close === ']' }) }
}

function open(end: RangeEnd): RangeEnd {
  return end.text === '*' ? OPEN : end
}

function readRangeEnd(scanner: Scanner, inclusive: boolean, stop: RegExp): RangeEnd {
  startPart(scanner, 'rangeEnd')
  const column = scanner.at + 1
  if (peek(scanner) === '"') return { text: readQuoted(scanner), column, inclusive }
  const start = scanner.at
  while (!atEnd(scanner) && !stop.test(peek(scanner))) scanner.at++
  if (scanner.at === start)
    throw unexpected(scanner, start, 'the end of a range: a number, a time, or * in brackets')
  return { text: scanner.text.slice(start, scanner.at), column, inclusive }
}

function startPart(scanner: Scanner, part: RangePart): void {
  scanner.parts.push({ at: scanner.at, part })
  skipBlanks(scanner)
}

function takeWord(scanner: Scanner, word: string): boolean {
  const { text, at } = scanner
  const end = at + word.length
  if (!text.startsWith(word, at) || (end < text.length && !WORD_END.test(text[end] ?? ''))) return false
  scanner.at = end
  return true
}

function skipBlanks(scanner: Scanner): void {
  scanner.at = blanksEnd(scanner.text, scanner.at)
}

function atEnd({ text, at }: Scanner): boolean {
  return at >= text.length
}

function peek({ text, at }: Scanner): string {
  return text[at] ?? ''
}
