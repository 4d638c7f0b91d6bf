import { HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language'
import type { Extension } from '@codemirror/state'
import { tags } from '@lezer/highlight'
import { nextToken, type TokenKind, type TokenState } from './tokens.ts'

const TAGS = {
  field: tags.propertyName,
  operator: tags.operatorKeyword,
  bracket: tags.paren,
  quoted: tags.string,
  regex: tags.regexp,
  range: tags.compareOperator,
  number: tags.number,
  wildcard: tags.special(tags.string),
  word: tags.content,
} as const satisfies Record<TokenKind, unknown>

const language = StreamLanguage.define<TokenState>({
  name: 'noctule-query',
  startState: () => ({ inRange: false, behindField: false }),
  token(stream, state) {
    const token = nextToken(stream.string.slice(stream.pos), state)
    stream.pos += token?.text.length ?? 1
    return token?.kind ?? null
  },
  tokenTable: TAGS,
})

const classes = HighlightStyle.define(
  Object.entries(TAGS).map(([kind, tag]) => ({ tag, class: `token-${kind}` })),
)

/** The colours of a query; what they look like stands in pages/search.css. */
export function queryLanguage(): Extension {
  return [language, syntaxHighlighting(classes)]
}
