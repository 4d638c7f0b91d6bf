/** The query language's separators; everything else belongs to a token. Matches the server's tokeniser. */
const SEPARATORS =
  '\\u0000-\\u002f\\u003a-\\u0040\\u005b-\\u005e\\u0060\\u007b-\\u007f' +
  '\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff'
/** `)`, or: minus, `field:`, then a quoted text, `(`, a regex or a word. */
const TERMS =
  /(\))|(-)?(?:((?:[^\s()":\\/]|\\.)+):)?(?:"((?:\\["\\]|[^"])*)"|(\()|\/(?:\\.|[^/\\])+\/(?=[\s)]|$)|((?:\\.|[^\s()"\\])+))/gu
/** More wildcards in one word can make matching slow; such a word is not marked. */
const WILDCARDS_MAX = 2
const TERMS_MAX = 32

export interface Piece {
  readonly text: string
  readonly hit: boolean
}

/** A pattern for the words and phrases that a query looks for in messages; null when it looks for none. */
export function highlighter(query: string): RegExp | null {
  const patterns = wantedTerms(query)
    .map(termPattern)
    .filter((pattern) => pattern !== '')
  if (patterns.length === 0) return null
  // Longest first: of two that start at one place, the longer is marked.
  const any = patterns.toSorted((a, b) => b.length - a.length).join('|')
  return new RegExp(`(?<=^|[${SEPARATORS}])(?:${any})(?=$|[${SEPARATORS}])`, 'giu')
}

interface Term {
  readonly text: string
  /** From quotes: `*` and `?` are themselves. */
  readonly literal: boolean
}

/** Words and phrases outside NOT, without those that compare other fields than the message. */
function wantedTerms(query: string): readonly Term[] {
  const out: Term[] = []
  const groups = [{ negated: false, field: '' }]
  let not = false
  for (const [, close, minus, ownField, quoted, open, word] of query.matchAll(TERMS)) {
    const group = groups.at(-1) ?? { negated: false, field: '' }
    if (close !== undefined && groups.length > 1) groups.pop()
    if (word === 'NOT' && ownField === undefined) {
      not = true
      continue
    }
    const negated = group.negated || not || minus !== undefined
    const field = ownField ?? group.field
    not = false
    if (open !== undefined) groups.push({ negated, field })
    if (negated || (field !== '' && field !== 'message')) continue
    if (quoted !== undefined) out.push({ text: quoted.replace(/\\(["\\])/gu, '$1'), literal: true })
    else if (word !== undefined && !/^(?:AND|OR)$/u.test(word)) out.push({ text: word, literal: false })
  }
  return out.slice(0, TERMS_MAX)
}

/** Tokens with any separators between them; `*` and `?` stay inside one token unless the term is literal. */
function termPattern({ text, literal }: Term): string {
  const wild = literal ? '' : '*?'
  if (!literal && text.split(/[*?]/u).length - 1 > WILDCARDS_MAX) return ''
  const separator = new RegExp(`[${SEPARATORS}]`, 'u')
  const tokens: string[] = ['']
  for (const char of text) {
    if (wild.includes(char)) tokens.push(`${tokens.pop() ?? ''}[^${SEPARATORS}]${char === '*' ? '*' : ''}`)
    else if (separator.test(char)) tokens.push('')
    else tokens.push(`${tokens.pop() ?? ''}${char}`)
  }
  const used = tokens.filter((token) => token !== '')
  if (used.every((token) => token === `[^${SEPARATORS}]*`)) return ''
  return used.join(`[${SEPARATORS}]+`)
}

/** Cuts a text into what is marked and what is not; together they are the text. */
export function highlight(text: string, pattern: RegExp | null): readonly Piece[] {
  if (pattern === null || text === '') return [{ text, hit: false }]
  const pieces: Piece[] = []
  let at = 0
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') continue
    if (match.index > at) pieces.push({ text: text.slice(at, match.index), hit: false })
    pieces.push({ text: match[0], hit: true })
    at = match.index + match[0].length
  }
  if (at < text.length) pieces.push({ text: text.slice(at), hit: false })
  return pieces
}
