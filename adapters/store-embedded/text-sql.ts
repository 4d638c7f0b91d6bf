import { parseRegex } from '../../core/query/regex.ts'
import type { RegexNode } from '../../core/query/regex.ts'
import type { TokenPattern } from '../../core/query/plan.ts'

/**
 * SQL over the texts of plain records (plain.ts): ASCII messages, and attrs whose JSON text has no escapes, simple keys and lists of
 * strings only. There a token stands between RE2's `\b`, and what stands between `"` is a key when a colon follows, else a value.
 */
const TOKEN_CHARS = 'abcdefghijklmnopqrstuvwxyz0123456789_'
const PLAIN_TOKEN = /^[a-z0-9_]+$/
/** What a text or key of a plain record can look like. */
const PLAIN_TEXT = /^[\x01-\x7f]*$/ // eslint-disable-line no-control-regex
const NEVER = 'false'

/** Do adjacent tokens of `column` (a message) match the patterns? */
export function phraseInMessage(tokens: readonly TokenPattern[]): string {
  const phrase = phraseRegex(tokens, String.raw`\W+`)
  return phrase === null ? NEVER : searched('message', tokens, `(?i)${phrase}`)
}

/** The same for the leaf values of `attrs`; a phrase stays within one value. */
export function phraseInAttrs(tokens: readonly TokenPattern[]): string {
  const inString = phraseRegex(tokens, String.raw`[^\w"]+`)
  // A number, true or false, which stands behind a colon without a quote.
  const inBare = phraseRegex(tokens, '[-+.]+')
  if (inString === null) return NEVER
  const regex = String.raw`(?i)(?:${inString}[^"]*"[,}\]]|":[^",}\[]*${inBare}[^",}]*[,}])`
  return searched('attrs', tokens, regex)
}

/**
 * Most records are decided by a search for the longest literal; the regex is for the rest. Lower-casing a text is dear: what stands
 * between the letters is looked for before, which is the same in both cases.
 */
function searched(column: string, tokens: readonly TokenPattern[], regex: string): string {
  const literals = tokens.flatMap((token) => (token.type === 'token' ? token.text : []))
  const longest = longestOf(literals)
  const matched = `regexp_matches(${column}, ${sqlText(regex)})`
  if (longest === undefined) return matched
  const uncased = longestOf(longest.split(/[a-z]+/)) ?? ''
  const found = uncased === '' ? [] : [`contains(${column}, ${sqlText(uncased)})`]
  if (uncased !== longest) found.push(`contains(lower(${column}), ${sqlText(longest)})`)
  return `(${[...found, matched].join(' AND ')})`
}

function longestOf(texts: readonly string[]): string | undefined {
  return texts.toSorted((left, right) => right.length - left.length)[0]
}

/** null: no ASCII text can match. */
function phraseRegex(tokens: readonly TokenPattern[], gap: string): string | null {
  const parts = tokens.map((token) => {
    if (token.type === 'token') return PLAIN_TOKEN.test(token.text) ? token.text : null
    return tokenRegex(parseRegex(token.source))
  })
  return parts.includes(null) ? null : String.raw`\b${parts.join(gap)}\b`
}

/** A regex over one token, kept within it; null: no ASCII token can match. */
function tokenRegex(node: RegexNode): string | null {
  if (node.type === 'any') return String.raw`\w`
  if (node.type === 'char') return PLAIN_TOKEN.test(node.char) ? node.char : null
  if (node.type === 'class') return tokenClass(node)
  if (node.type === 'choice') {
    const parts = node.nodes.map(tokenRegex).filter((part) => part !== null)
    return parts.length === 0 ? null : `(?:${parts.join('|')})`
  }
  if (node.type === 'sequence') {
    const parts = node.nodes.map(tokenRegex)
    return parts.includes(null) ? null : `(?:${parts.join('')})`
  }
  const inner = tokenRegex(node.node)
  if (inner === null) return node.min === 0 ? '' : null
  return `(?:${inner}){${node.min},${node.max ?? ''}}`
}

function tokenClass({ negated, ranges }: Extract<RegexNode, { type: 'class' }>): string | null {
  const holds = (char: string) =>
    ranges.some(([from, to]) => from <= char.charCodeAt(0) && char.charCodeAt(0) <= to)
  const chars = TOKEN_CHARS.split('').filter((char) => holds(char) !== negated)
  return chars.length === 0 ? null : `[${chars.join('')}]`
}

/** How an attr of plain records is asked for: in the text of all attrs, or in the column that it has (promoted.ts). */
export interface AttrSql {
  /** The attr is there. An empty list is there and has no value. */
  exists(): string
  /** The attr, or an element of it, printed, is this text. */
  equals(value: string): string
  /** The attr, or an element of it, printed, starts with this text. */
  startsWith(prefix: string): string
  /** The attr as a number; NULL when it is none. */
  number(): string
  /** The attr printed, NULL when it is not there or a list. */
  text(): string
  isList(): string
}

/** `column`: holds the attr's value, no list, as JSON text, NULL when it is not there; null: there is no such column. */
export function attrSql(key: string, column: string | null): AttrSql {
  if (!isPlainKey(key)) return NO_ATTR
  return column === null ? attrInText(key) : attrInColumn(column)
}

/** No plain record has it. */
const NO_ATTR: AttrSql = {
  exists: () => NEVER,
  equals: () => NEVER,
  startsWith: () => NEVER,
  number: () => 'NULL::DOUBLE',
  text: () => 'NULL::VARCHAR',
  isList: () => NEVER,
}

function attrInText(key: string): AttrSql {
  return {
    exists: () => attrExists(key),
    equals: (value) => attrEquals(key, value),
    startsWith: (prefix) => attrStartsWith(key, prefix),
    number: () => attrNumber(key),
    text: () => attrText(key),
    isList: () => attrIsList(key),
  }
}

function attrInColumn(column: string): AttrSql {
  const where = (conditions: readonly string[]) => `(${column} IS NOT NULL AND ${anyOf(conditions)})`
  const exists = `(${column} IS NOT NULL)`
  return {
    exists: () => exists,
    equals(value) {
      if (!isPlainValue(value)) return NEVER
      const found = [`"${value}"`, ...(isPrintedScalar(value) ? [value] : [])]
      return where(found.map((text) => `${column} = ${sqlText(text)}`))
    },
    startsWith(prefix) {
      if (prefix === '') return exists
      if (!isPlainValue(prefix)) return NEVER
      const starts = [`"${prefix}`, ...(isBare(prefix) ? [prefix] : [])]
      return where(starts.map((start) => `starts_with(${column}, ${sqlText(start)})`))
    },
    number: () => `(CASE WHEN NOT starts_with(${column}, '"') THEN TRY_CAST(${column} AS DOUBLE) END)`,
    // One function of the column alone is computed once for each value of its dictionary. There is no quote within a plain text.
    text: () => `trim(${column}, '"')`,
    isList: () => NEVER,
  }
}

function attrExists(key: string): string {
  return `(contains(attrs, ${sqlText(`"${key}":`)}) AND NOT contains(attrs, ${sqlText(`"${key}":[]`)}))`
}

function attrEquals(key: string, value: string): string {
  if (!isPlainValue(value)) return NEVER
  const found = [`"${key}":"${value}"`]
  if (isBare(value)) found.push(`"${key}":${value},`, `"${key}":${value}}`)
  return anyOf([...found.map(inAttrs), elementOf(key, `${escaped(value)}"`)])
}

function attrStartsWith(key: string, prefix: string): string {
  if (prefix === '') return attrExists(key)
  if (!isPlainValue(prefix)) return NEVER
  const found = [`"${key}":"${prefix}`]
  if (isBare(prefix)) found.push(`"${key}":${prefix}`)
  return anyOf([...found.map(inAttrs), elementOf(key, escaped(prefix))])
}

function attrNumber(key: string): string {
  const number = sqlText(`"${escaped(key)}":(-?[0-9][-+.0-9eE]*)`)
  return `(CASE WHEN ${inAttrs(`"${key}":`)} THEN TRY_CAST(regexp_extract(attrs, ${number}, 1) AS DOUBLE) END)`
}

function attrText(key: string): string {
  const quoted = sqlText(`"${escaped(key)}":"([^"]*)"`)
  const bare = sqlText(`"${escaped(key)}":([^",}\\[]+)[,}]`)
  return `(CASE WHEN ${inAttrs(`"${key}":"`)} THEN regexp_extract(attrs, ${quoted}, 1)
    WHEN ${inAttrs(`"${key}":`)} THEN nullif(regexp_extract(attrs, ${bare}, 1), '') END)`
}

function attrIsList(key: string): string {
  return inAttrs(`"${key}":[`)
}

/** An element of a list that starts like this regex. */
function elementOf(key: string, start: string): string {
  const list = sqlText(`"${escaped(key)}":\\[(?:"[^"]*",)*"${start}`)
  return `(${attrIsList(key)} AND regexp_matches(attrs, ${list}))`
}

function inAttrs(text: string): string {
  return `contains(attrs, ${sqlText(text)})`
}

function anyOf(conditions: readonly string[]): string {
  return `(${conditions.join(' OR ')})`
}

function isPlainKey(key: string): boolean {
  return /^[\w.@-]+$/.test(key)
}

function isPlainValue(value: string): boolean {
  return PLAIN_TEXT.test(value) && !/["\\]/.test(value) && !/[\x01-\x1f]/.test(value) // eslint-disable-line no-control-regex
}

/** Looks like the start of a number, true or false. */
function isBare(text: string): boolean {
  return /^[-+.\w]+$/.test(text)
}

/** Is a number, true or false printed like this? */
function isPrintedScalar(text: string): boolean {
  return text === 'true' || text === 'false' || String(Number(text)) === text
}

function escaped(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`)
}

/** A text as SQL; the parser would stop at a NUL. */
export function sqlText(text: string): string {
  if (!text.includes('\0')) return `'${text.replaceAll("'", "''")}'`
  return `(${text.split('\0').map(sqlText).join(' || chr(0) || ')})`
}
