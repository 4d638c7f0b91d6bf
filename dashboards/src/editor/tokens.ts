/** What a piece of a query is, for its colour. */
export type TokenKind =
  'field' | 'operator' | 'bracket' | 'quoted' | 'regex' | 'range' | 'number' | 'wildcard' | 'word'

export interface QueryToken {
  readonly kind: TokenKind
  readonly text: string
}

/** `inRange`: between `[` or `{` and its end, where TO is a word of the language. `behindField`: a value starts here. */
export interface TokenState {
  inRange: boolean
  behindField: boolean
}

const FIELD = /^-?(?:\\.|[\p{L}_@$])(?:\\.|[\p{L}\p{N}_.@$/-])*:/u
const OPERATOR = /^(?:AND|OR|NOT)(?![^\s()"])/u
const QUOTED = /^"(?:\\.|[^"\\])*"?/u
const REGEX = /^\/(?:\\.|[^/\\])+\/(?=[\s)]|$)/u
const COMPARISON = /^(?:>=|<=|>|<)/u
const RANGE_WORD = /^(?:\\.|[^\s\]}"])+/u
const WORD = /^(?:\\.|[^\s()"\\])+|^\\/u
const NUMBER = /^-?\d+(?:\.\d+)?$/u

/** The piece that `rest` starts with; blanks are nobody's. It never fails: a query is coloured while it is written. */
export function nextToken(rest: string, state: TokenState): QueryToken | null {
  if (rest === '' || /^\s/u.test(rest)) {
    state.behindField = false
    return null
  }
  const first = rest.charAt(0)
  if (state.inRange) return inRange(rest, first, state)
  if (first === '(' || first === ')') return took(state, 'bracket', first)
  if (first === '"') return took(state, 'quoted', match(QUOTED, rest))
  const regex = match(REGEX, rest)
  if (regex !== '') return took(state, 'regex', regex)
  if (state.behindField) {
    const comparison = match(COMPARISON, rest)
    // The value behind it is still the field's.
    if (comparison !== '') return { kind: 'range', text: comparison }
    if (first === '[' || first === '{') {
      state.inRange = true
      return took(state, 'range', first)
    }
  }
  const operator = match(OPERATOR, rest)
  if (operator !== '') return took(state, 'operator', operator)
  if (!state.behindField) {
    const field = match(FIELD, rest)
    if (field.startsWith('-')) return { kind: 'operator', text: '-' }
    if (field !== '') {
      state.behindField = true
      return { kind: 'field', text: field }
    }
    if (first === '-' && /^-[^\s]/u.test(rest)) return took(state, 'operator', '-')
  }
  const word = match(WORD, rest)
  return took(state, wordKind(word), word)
}

function inRange(rest: string, first: string, state: TokenState): QueryToken {
  if (first === ']' || first === '}') {
    state.inRange = false
    return took(state, 'range', first)
  }
  if (first === '"') return { kind: 'quoted', text: match(QUOTED, rest) }
  const word = match(RANGE_WORD, rest) || first
  return { kind: word === 'TO' ? 'operator' : wordKind(word), text: word }
}

function took(state: TokenState, kind: TokenKind, text: string): QueryToken {
  state.behindField = false
  return { kind, text }
}

function match(pattern: RegExp, text: string): string {
  return pattern.exec(text)?.[0] ?? ''
}

function wordKind(word: string): TokenKind {
  if (NUMBER.test(word)) return 'number'
  return /(?<!\\)(?:\\\\)*[*?]/u.test(word) ? 'wildcard' : 'word'
}
