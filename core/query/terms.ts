import { LEVELS, RECORD_FIELDS, isFieldName } from '../record.ts'
import type { FieldKind } from '../record.ts'
import { asServiceError } from '../errors.ts'
import type { QueryNode, TokenPattern } from './plan.ts'
import { quoted, syntaxError, tooBroad, unsupported } from './problems.ts'
import { EXPANSIONS_MAX, escapeRegex, parseRegex, regexSize, renderRegex } from './regex.ts'
import { parseTime } from './time.ts'
import { isTokenChar, lowerCase, tokenize } from './tokenize.ts'

/** Most tokens of one phrase. */
export const PHRASE_TOKENS_MAX = 256

/** One value as it stands in a query. `column` is where it starts. */
export type Term =
  /** `wildAt`: the positions in `text` where a `*` or `?` is a wildcard. */
  | {
      readonly type: 'word'
      readonly column: number
      readonly text: string
      readonly wildAt: ReadonlySet<number>
    }
  | { readonly type: 'quoted'; readonly column: number; readonly text: string }
  | { readonly type: 'regex'; readonly column: number; readonly source: string }
  | {
      readonly type: 'range'
      readonly column: number
      readonly from: RangeEnd
      readonly to: RangeEnd
    }

/** `text` null: open. */
export interface RangeEnd {
  readonly text: string | null
  readonly column: number
  readonly inclusive: boolean
}

type Kind = FieldKind | 'attr' | 'any'
type Word = Extract<Term, { type: 'word' }>

/** Fields whose values are lower-cased when they are stored. */
const LOWER_CASED: ReadonlySet<string> = new Set(['site', 'tier', 'level'])
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/

/** What a value of `field` asks for; null: no field was named. */
export function termNode(field: string | null, term: Term, nowMs: number): QueryNode {
  const kind = kindOf(field)
  const name = field ?? ''
  if (term.type === 'range') return rangeNode(name, kind, term, nowMs)
  if (term.type === 'word' && isOnlyStar(term))
    return field === null ? { type: 'all' } : { type: 'exists', field }
  if (kind === 'any' || kind === 'text') return textNode(kind === 'text' ? 'message' : '', term)
  if (kind === 'number' || kind === 'time') return exactNode(name, kind, term, nowMs)
  return wholeNode(name, kind, term)
}

/** What the wildcards and regexes of a clause may cost for one character of text; words and values cost nothing here. */
export function patternSize(node: QueryNode): number {
  if (node.type === 'keywordRegex') return regexSize(node.source)
  if (node.type !== 'phrase') return 0
  return node.tokens.reduce((sum, token) => sum + (token.type === 'regex' ? regexSize(token.source) : 0), 0)
}

function kindOf(field: string | null): Kind {
  if (field === null) return 'any'
  return isFieldName(field) ? RECORD_FIELDS[field].kind : 'attr'
}

function isOnlyStar({ text, wildAt }: Word): boolean {
  return text === '*' && wildAt.has(0)
}

function textNode(field: '' | 'message', term: Exclude<Term, { type: 'range' }>): QueryNode {
  if (term.type === 'regex') {
    const source = renderRegex(parseRegex(term.source, { column: term.column + 1, tokens: true }))
    return { type: 'phrase', field, tokens: [{ type: 'regex', source }] }
  }
  if (term.type === 'quoted' && term.text === '' && field !== '')
    return { type: 'not', node: { type: 'exists', field } }
  if (term.type === 'word' && /^[<>]=?\d/.test(term.text))
    throw syntaxError(term.column, quoted(term.text), emptyTextHint(term.text))
  const tokens = term.type === 'quoted' ? tokenize(term.text).map(exactToken) : wordTokens(term)
  if (tokens.length === 0)
    throw syntaxError(
      term.column,
      `${quoted(term.text)}, which has no letter or digit`,
      emptyTextHint(term.text),
    )
  if (tokens.length > PHRASE_TOKENS_MAX)
    throw tooBroad(term.column, 'too many words in a phrase', PHRASE_TOKENS_MAX)
  return { type: 'phrase', field, tokens }
}

function emptyTextHint(text: string): string {
  if (/^[<>]/.test(text)) return 'a word; a range is written field:>=500'
  if (text === '-') return 'a word; "-word" without a blank leaves out what has the word'
  return 'a word to search for'
}

const exactToken = (text: string): TokenPattern => ({ type: 'token', text })

/** Tokens between separators; one with a wildcard becomes a regex. */
function wordTokens(word: Word): TokenPattern[] {
  const { text, wildAt } = word
  if (wildAt.size === 0) return tokenize(text).map(exactToken)
  const patterns: TokenPattern[] = []
  let start = 0
  const take = (end: number) => {
    if (start < end) patterns.push(...pieceTokens(word, start, end))
  }
  for (let at = 0; at < text.length;) {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0)
    if (!wildAt.has(at) && !isTokenChar(char)) {
      take(at)
      start = at + char.length
    }
    at += char.length
  }
  take(text.length)
  return patterns
}

function pieceTokens({ text, wildAt, column }: Word, start: number, end: number): TokenPattern[] {
  const piece = text.slice(start, end)
  const wild = [...wildAt].filter((at) => at >= start && at < end).map((at) => at - start)
  if (wild.length === 0) return tokenize(piece).map(exactToken)
  return [{ type: 'regex', source: wildcardRegex(lowerCase(piece), new Set(wild), column) }]
}

/** The regex of a text with wildcards. `column`: of the word, for errors. */
function wildcardRegex(text: string, wildAt: ReadonlySet<number>, column: number): string {
  if (wildAt.size > EXPANSIONS_MAX) throw tooBroad(column, 'too many wildcards in one word', EXPANSIONS_MAX)
  let source = ''
  let literalFrom = 0
  for (const at of wildAt) {
    source += escapeRegex(text.slice(literalFrom, at)) + (text[at] === '*' ? '.*' : '.')
    literalFrom = at + 1
  }
  source += escapeRegex(text.slice(literalFrom))
  return renderRegex(parseRegex(source, { column }))
}

function exactNode(
  field: string,
  kind: 'number' | 'time',
  term: Exclude<Term, { type: 'range' }>,
  nowMs: number,
): QueryNode {
  if (term.type === 'regex' || (term.type === 'word' && term.wildAt.size > 0))
    throw unsupported(
      term.column,
      `a pattern on the ${kind} field "${field}"`,
      `use a range: ${field}:[… TO …}`,
    )
  const value = parseEnd(term.text, term.column, kind, nowMs)
  return { type: 'range', field, from: value, fromInclusive: true, to: value, toInclusive: true }
}

function rangeNode(
  field: string,
  kind: Kind,
  { column, from, to }: Extract<Term, { type: 'range' }>,
  nowMs: number,
): QueryNode {
  if (kind === 'keyword' || kind === 'text')
    throw unsupported(column, `a range of the ${kind} field "${field}"`, 'ranges are for numbers and times')
  const value = (end: RangeEnd) =>
    end.text === null ? null : parseEnd(end.text, end.column, kind === 'time' ? 'time' : 'number', nowMs)
  return {
    type: 'range',
    field,
    from: value(from),
    fromInclusive: from.inclusive,
    to: value(to),
    toInclusive: to.inclusive,
  }
}

function parseEnd(text: string, column: number, kind: 'number' | 'time', nowMs: number): number {
  if (kind === 'time') {
    try {
      return parseTime(text, nowMs)
    } catch (error) {
      throw syntaxError(
        column,
        `${quoted(text)} as a time`,
        String(asServiceError(error)?.details['expected']),
      )
    }
  }
  const value = NUMBER.test(text) ? Number(text) : Number.NaN
  if (!Number.isFinite(value)) throw syntaxError(column, quoted(text), 'a number, such as 500, -1 or 2.5e3')
  return value === 0 ? 0 : value // -0 is 0
}

function wholeNode(
  field: string,
  kind: 'keyword' | 'attr',
  term: Exclude<Term, { type: 'range' }>,
): QueryNode {
  const lower = LOWER_CASED.has(field)
  if (term.type === 'regex') return wholeRegexNode(field, kind, term, lower)
  const text = lower ? lowerCase(term.text) : term.text
  const wildAt = term.type === 'word' ? term.wildAt : new Set<number>()
  if (wildAt.size === 0) return equalsNode(field, kind, text, term.column)
  if (wildAt.size === 1 && wildAt.has(text.length - 1) && text.endsWith('*'))
    return { type: 'prefix', field, prefix: text.slice(0, -1) }
  refusePatternOfAttr(field, kind, term.column)
  return { type: 'keywordRegex', field, source: wildcardRegex(text, wildAt, term.column) }
}

function equalsNode(field: string, kind: 'keyword' | 'attr', value: string, column: number): QueryNode {
  // '' is how an absent record field is kept.
  if (value === '' && kind === 'keyword') return { type: 'not', node: { type: 'exists', field } }
  if (field === 'level' && !LEVELS.some((level) => level === value))
    throw syntaxError(column, `the level ${quoted(value)}`, `one of ${LEVELS.join(', ')}`)
  return { type: 'equals', field, value }
}

function wholeRegexNode(
  field: string,
  kind: 'keyword' | 'attr',
  term: Extract<Term, { type: 'regex' }>,
  lower: boolean,
): QueryNode {
  const node = parseRegex(term.source, { column: term.column + 1, lower })
  refusePatternOfAttr(field, kind, term.column)
  return { type: 'keywordRegex', field, source: renderRegex(node) }
}

function refusePatternOfAttr(field: string, kind: 'keyword' | 'attr', column: number): void {
  if (kind === 'attr') throw unsupported(column, `a pattern on "${field}"`, `use a prefix: ${field}:abc*`)
}
