import { LEVELS, RECORD_FIELDS, isFieldName } from '../record.ts'
import { OPERATORS, blanksEnd, createScanner, quotedEnd, readToken, readValue, wordEnd } from './scan.ts'
import type { RangePart, Scanner, Token } from './scan.ts'

/** What may stand at a place of a query. `value`: of the field that is named beside it; `close`: `)`, `]` or `}`. */
export type CompletionKind = 'field' | 'word' | 'value' | 'operator' | 'close'

export interface Candidate {
  readonly kind: CompletionKind
  /** What replaces the span. A field comes with its colon. */
  readonly text: string
}

export interface Completion {
  /** The span that a candidate replaces, in columns from 1: [fromColumn, toColumn). Empty: it is inserted there. */
  readonly fromColumn: number
  readonly toColumn: number
  /** What stands between `fromColumn` and the cursor, without a quote before it. */
  readonly typed: string
  /** Empty: the language has nothing to say, such as behind a finished text. */
  readonly kinds: readonly CompletionKind[]
  /** The field whose values may stand here; null: none. */
  readonly field: string | null
  /** What the language itself knows and what starts with `typed`, in any case. Names and values of stored records are for the caller to add. */
  readonly candidates: readonly Candidate[]
}

/** What stands before a place: enough to say what may follow. */
interface Place {
  /** The field of each open parenthesis; null: it has none. */
  readonly groups: (string | null)[]
  /** A clause ends here, so that AND, OR and a parenthesis may follow. */
  behindClause: boolean
  /** The name that stands directly before, with its colon. */
  behindField: string | null
}

interface Span {
  readonly start: number
  readonly end: number
}

/** A token, or what would be one if it were finished. */
type Piece = Token | (Span & { readonly type: 'broken' })

const TIMES = ['now', 'now-15m', 'now-1h', 'now/d', 'now-1d/d']
const TIME_VALUES = ['>=now-15m', '>=now-1h', '>=now/d', '[now-1d/d TO now/d}']
const NUMBER_VALUES = ['>=', '>', '<=', '<', '[', '*']
const RANGE_PART_END = /[\s\])}]/g

/**
 * What may stand at the cursor, for an editor. `cursor`: how many UTF-16 units of the text stand before it, kept within the text.
 * A query that is incomplete or wrong is read as far as it makes sense; nothing is thrown.
 */
export function completeQuery(text: string, cursor: number): Completion {
  const at = Math.trunc(Math.min(Math.max(cursor, 0), text.length)) || 0
  const scanner = createScanner(text)
  const place: Place = { groups: [], behindClause: false, behindField: null }
  for (;;) {
    const piece = readPiece(scanner, place)
    if (piece === null) {
      if (scanner.at === at) return completion(text, at, { start: at, end: at }, expectedAt(place))
      place.behindClause = true
      place.behindField = null
    } else if (touches(text, piece, at)) {
      return inPiece(scanner, place, piece, at)
    } else if (piece.type === 'end' || piece.start >= at) {
      return completion(text, at, { start: at, end: at }, expectedAt(place))
    } else {
      pass(place, piece)
    }
  }
}

/** null: a name with its colon stands before, and no value behind it. */
function readPiece(scanner: Scanner, { groups, behindField }: Place): Piece | null {
  const { text } = scanner
  const start = blanksEnd(text, scanner.at)
  try {
    return behindField === null ? readToken(scanner, groupField(groups) !== null) : readValue(scanner)
  } catch {
    // Parsing says what is wrong with it.
    scanner.at = isOpenQuote(text, scanner.at) ? text.length : Math.max(start + 1, wordEnd(text, scanner.at))
    return { type: 'broken', start, end: scanner.at }
  }
}

/** A quote that is not closed: it reaches to the end of the text, also as the end of a range. */
function isOpenQuote(text: string, at: number): boolean {
  return text[at] === '"' && quotedEnd(text, at) === null
}

/** Is it this piece that is being written? */
function touches(text: string, piece: Piece, at: number): boolean {
  if (at < piece.start || at > piece.end) return false
  if (piece.type === 'broken') return true
  if (piece.type === 'field') return at < piece.end
  if (piece.type === 'operator') return text[piece.start] !== '-'
  return piece.type === 'term' && (at < piece.end || !closesItself(text, piece))
}

/** Nothing can be added to a quoted text, a regex or a range in brackets. */
function closesItself(text: string, { term, start }: Extract<Token, { type: 'term' }>): boolean {
  return term.type === 'quoted' || term.type === 'regex' || (term.type === 'range' && isBracket(text[start]))
}

function isBracket(char: string | undefined): boolean {
  return char === '[' || char === '{'
}

function pass(place: Place, piece: Piece): void {
  if (piece.type === 'open') place.groups.push(place.behindField ?? groupField(place.groups))
  if (piece.type === 'close') place.groups.pop()
  place.behindField = piece.type === 'field' ? piece.name : null
  place.behindClause = piece.type === 'term' || piece.type === 'close' || piece.type === 'broken'
}

function groupField(groups: readonly (string | null)[]): string | null {
  return groups.at(-1) ?? null
}

function inPiece(scanner: Scanner, place: Place, piece: Piece, at: number): Completion {
  const { text } = scanner
  const parts = scanner.parts.filter((part) => part.at >= piece.start && part.at <= at)
  const last = parts.at(-1)
  if (last === undefined) return completion(text, at, piece, expectedAt(place))
  const field = place.behindField ?? groupField(place.groups)
  const inBrackets = isBracket(text[piece.start])
  for (const part of parts) {
    const span = rangePartSpan(text, part.at)
    if (span.start <= at && at <= span.end)
      return completion(text, at, span, expectedInRange(part.part, field, inBrackets))
  }
  return completion(text, at, { start: at, end: at }, expectedInRange(last.part, field, inBrackets))
}

function rangePartSpan(text: string, from: number): Span {
  const start = blanksEnd(text, from)
  RANGE_PART_END.lastIndex = start
  return { start, end: RANGE_PART_END.exec(text)?.index ?? text.length }
}

type Expected = Pick<Completion, 'kinds' | 'field' | 'candidates'>

function expectedAt({ groups, behindClause, behindField }: Place): Expected {
  const field = behindField ?? groupField(groups)
  const values = field === null ? [] : of('value', valuesOf(field))
  if (behindField !== null) return { kinds: ['value'], field, candidates: values }
  const mayClose = behindClause && groups.length > 0
  const names = Object.keys(RECORD_FIELDS).map((name) => `${name}:`)
  return {
    kinds: [
      ...(field === null ? (['field', 'word'] as const) : (['value'] as const)),
      'operator',
      ...(mayClose ? (['close'] as const) : []),
    ],
    field,
    candidates: [
      ...(field === null ? of('field', names) : values),
      ...of('operator', behindClause ? OPERATORS : ['NOT']),
      ...of('close', mayClose ? [')'] : []),
    ],
  }
}

function expectedInRange(part: RangePart, field: string | null, inBrackets: boolean): Expected {
  if (part === 'TO') return { kinds: ['operator'], field: null, candidates: of('operator', ['TO']) }
  if (part === 'bracket') return { kinds: ['close'], field: null, candidates: of('close', [']', '}']) }
  const values = [...(isTimeField(field) ? TIMES : []), ...(inBrackets ? ['*'] : [])]
  return { kinds: ['value'], field, candidates: of('value', values) }
}

function valuesOf(field: string): readonly string[] {
  if (field === 'level') return [...LEVELS, '*']
  if (isTimeField(field)) return TIME_VALUES
  if (!isFieldName(field) || RECORD_FIELDS[field].kind === 'number') return NUMBER_VALUES
  return ['*']
}

function isTimeField(field: string | null): boolean {
  return field !== null && isFieldName(field) && RECORD_FIELDS[field].kind === 'time'
}

function of(kind: CompletionKind, texts: readonly string[]): Candidate[] {
  return texts.map((text) => ({ kind, text }))
}

function completion(
  text: string,
  at: number,
  span: Span,
  { kinds, field, candidates }: Expected,
): Completion {
  const typed = text.slice(span.start, at).replace(/^"/, '')
  const start = typed.toLowerCase()
  return {
    fromColumn: span.start + 1,
    toColumn: span.end + 1,
    typed,
    kinds,
    field,
    candidates: candidates.filter((candidate) => candidate.text.toLowerCase().startsWith(start)),
  }
}
