import { RECORD_FIELDS, isFieldName } from '../record.ts'
import type { AttrScalar, Attrs, LogRecord } from '../record.ts'
import type { QueryNode, QueryPlan, TokenPattern } from './plan.ts'
import { compileRegex } from './regex.ts'
import { isAscii, tokenize } from './tokenize.ts'

/** A longer value of an attr is stored and found by its words, but not compared as a whole. Bytes of UTF-8. */
export const ATTR_VALUE_COMPARED_BYTES_MAX = 8_191

const WORD_CHAR = /\w/

type Matcher = (record: LogRecord, texts: Texts) => boolean
type Of<T extends QueryNode['type']> = Extract<QueryNode, { type: T }>

/** The texts of one record, prepared when the first word of a query looks at them. */
interface Texts {
  message: PreparedText | null
  attrs: readonly PreparedText[] | null
}

interface PreparedText {
  readonly text: string
  /** Lower-cased as a whole: only for quick looks, see `mayHold`. */
  readonly lower: string
  tokens: readonly string[] | null
}

/**
 * What a plan means: is this record found? Every store answers as this function does.
 * - An absent record field ('' or null) is not found by anything but NOT.
 * - An attr is compared as JavaScript prints it; of an array, any element may match.
 */
export function matches(plan: QueryPlan, record: LogRecord): boolean {
  return compileMatcher(plan)(record)
}

/** `matches` for many records: patterns are compiled once. */
export function compileMatcher(plan: QueryPlan): (record: LogRecord) => boolean {
  const matcher = compile(plan.root)
  return (record) => matcher(record, { message: null, attrs: null })
}

/** The values that words search, in no particular order: what an index of tokens must cover. */
export function searchedTexts(record: LogRecord): string[] {
  return [record.message, ...attrTexts(record.attrs)]
}

function compile(node: QueryNode): Matcher {
  if (node.type === 'phrase') return compilePhrase(node)
  if (node.type === 'exists') return compileWhole(node.field, () => true)
  if (node.type === 'equals') return compileWhole(node.field, (value) => value === node.value)
  if (node.type === 'prefix') return compileWhole(node.field, (value) => value.startsWith(node.prefix))
  if (node.type === 'keywordRegex') return compileWhole(node.field, compileRegex(node.source))
  if (node.type === 'range') return compileRange(node)
  return compileJunction(node)
}

function compileJunction(node: Of<'all' | 'not' | 'and' | 'or'>): Matcher {
  if (node.type === 'all') return () => true
  if (node.type === 'not') {
    const inner = compile(node.node)
    return (record, texts) => !inner(record, texts)
  }
  const parts = node.nodes.map((part) => compile(part))
  if (node.type === 'and') return (record, texts) => parts.every((part) => part(record, texts))
  return (record, texts) => parts.some((part) => part(record, texts))
}

/** A test of whole values; absent ones never pass. */
function compileWhole(field: string, test: (value: string) => boolean): Matcher {
  if (isFieldName(field)) {
    const { key } = RECORD_FIELDS[field]
    return (record) => {
      const value = record[key]
      return value !== null && value !== '' && test(String(value))
    }
  }
  return ({ attrs }) => attrValues(attrs, field).some((value) => isCompared(value) && test(String(value)))
}

function isCompared(value: AttrScalar): boolean {
  if (typeof value !== 'string' || value.length * 3 <= ATTR_VALUE_COMPARED_BYTES_MAX) return true
  return Buffer.byteLength(value) <= ATTR_VALUE_COMPARED_BYTES_MAX
}

function compileRange({ field, from, fromInclusive, to, toInclusive }: Of<'range'>): Matcher {
  const inRange = (value: unknown) =>
    typeof value === 'number' &&
    (from === null || (fromInclusive ? value >= from : value > from)) &&
    (to === null || (toInclusive ? value <= to : value < to))
  if (!isFieldName(field)) return ({ attrs }) => attrValues(attrs, field).some(inRange)
  const { key } = RECORD_FIELDS[field]
  return (record) => inRange(record[key])
}

function compilePhrase({ field, tokens }: Of<'phrase'>): Matcher {
  const inText =
    tokens.length === 1 && tokens[0]?.type === 'token' ? wordTest(tokens[0].text) : phraseTest(tokens)
  const inMessage: Matcher = (record, texts) => inText((texts.message ??= prepare(record.message)))
  if (field === 'message') return inMessage
  return (record, texts) =>
    inMessage(record, texts) || (texts.attrs ??= attrTexts(record.attrs).map(prepare)).some(inText)
}

/** Most words are decided without cutting the text into tokens. */
function wordTest(word: string): (text: PreparedText) => boolean {
  return (text) => {
    if (!mayHold(text, word)) return false
    return standsAlone(text, word) || tokensOf(text).includes(word)
  }
}

function phraseTest(patterns: readonly TokenPattern[]): (text: PreparedText) => boolean {
  const words = patterns.flatMap((pattern) => (pattern.type === 'token' ? pattern.text : []))
  const tests = patterns.map((pattern) => {
    if (pattern.type === 'regex') return compileRegex(pattern.source)
    return (token: string) => token === pattern.text
  })
  return (text) => {
    if (!words.every((word) => mayHold(text, word))) return false
    const tokens = tokensOf(text)
    for (let start = 0; start + tests.length <= tokens.length; start++)
      if (tests.every((test, at) => test(tokens[start + at] ?? ''))) return true
    return false
  }
}

/** False only when no token of the text can be this word: beyond ASCII, lower-casing a whole text is not lower-casing its letters. */
function mayHold({ text, lower }: PreparedText, word: string): boolean {
  return lower.includes(word) || !isAscii(word) || text.includes('\u0130')
}

/** True when the word surely is a token of the text; false says nothing. */
function standsAlone({ text, lower }: PreparedText, word: string): boolean {
  if (!isAscii(text)) return false
  for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1)) {
    const before = lower[at - 1] ?? ' '
    const after = lower[at + word.length] ?? ' '
    if (!WORD_CHAR.test(before) && !WORD_CHAR.test(after)) return true
  }
  return false
}

function prepare(text: string): PreparedText {
  return { text, lower: text.toLowerCase(), tokens: null }
}

function tokensOf(prepared: PreparedText): readonly string[] {
  return (prepared.tokens ??= tokenize(prepared.text))
}

function attrTexts(attrs: Attrs): string[] {
  const texts: string[] = []
  for (const value of Object.values(attrs)) {
    if (isArray(value)) for (const element of value) texts.push(String(element))
    else texts.push(String(value))
  }
  return texts
}

function attrValues(attrs: Attrs, key: string): readonly AttrScalar[] {
  const value = Object.hasOwn(attrs, key) ? attrs[key] : undefined
  if (value === undefined) return []
  return isArray(value) ? value : [value]
}

/** Array.isArray does not narrow a readonly array. */
function isArray(value: AttrScalar | readonly AttrScalar[]): value is readonly AttrScalar[] {
  return Array.isArray(value)
}
