import { ATTR_VALUE_COMPARED_BYTES_MAX } from '../../core/query/matches.ts'
import type { QueryNode, QueryPlan, TokenPattern } from '../../core/query/plan.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import type { FieldName } from '../../core/record.ts'
import { ATTR_KEY_BYTES_MAX, TERM_BYTES_MAX, attrKey, sortableHex } from './documents.ts'
import { isAnyRepeat, luceneRegex, readRegex } from './lucene-regex.ts'
import { DOCUMENT_FIELDS } from './mappings.ts'

/** A query of Elasticsearch, as it stands in a request. */
export type Dsl = Readonly<Record<string, object>>

/**
 * A plan in the query language of Elasticsearch. What is found for sure is `sure`, what may be found is `possible`; a record on which the
 * two differ is found by one of `maybe`, and only the matcher can decide it. The plan is exact when `maybe` is empty.
 */
export interface Condition {
  readonly sure: Dsl
  readonly possible: Dsl
  readonly maybe: readonly Dsl[]
}

/**
 * What is left to Elasticsearch. `phrases`: every pattern that it can have exactly. It may refuse one all the same, for how many words
 * there are that fit, or for how hard it is to compile; the question is then asked again with less. `tokens`: no pattern inside a
 * phrase, where it counts the words. `prefixes`: of the patterns only prefixes, which it never refuses.
 */
export const PATTERNS = ['phrases', 'tokens', 'prefixes'] as const
export type Patterns = (typeof PATTERNS)[number]

export const ALL: Dsl = { match_all: {} }
export const NONE: Dsl = { match_none: {} }

/** Of the setting index.max_regex_length, which bounds prefixes, too. */
const PATTERN_CHARS_MAX = 1_000
/** Of the 30 levels that indices.query.bool.max_nested_depth allows, the ones that a plan may take. */
const DEPTH_MAX = 20
/** No date of JavaScript is beyond. */
const TIME_MS_MAX = 8.64e15

type Of<T extends QueryNode['type']> = Extract<QueryNode, { type: T }>
type FieldNode = Exclude<QueryNode, { type: 'all' | 'and' | 'or' | 'not' | 'phrase' }>

export function planToDsl({ root }: QueryPlan, patterns: Patterns = 'phrases'): Condition {
  return condition(root, patterns, 0)
}

/** Found by all of them. */
export function allOf(queries: readonly Dsl[]): Dsl {
  const needed = [...new Set(queries)].filter((query) => query !== ALL)
  if (needed.includes(NONE)) return NONE
  const [first = ALL, ...others] = needed
  return others.length === 0 ? first : { bool: { filter: needed } }
}

/** Found by any of them. */
export function anyOf(queries: readonly Dsl[]): Dsl {
  const needed = [...new Set(queries)].filter((query) => query !== NONE)
  if (needed.includes(ALL)) return ALL
  const [first = NONE, ...others] = needed
  return others.length === 0 ? first : { bool: { should: needed, minimum_should_match: 1 } }
}

export function not(query: Dsl): Dsl {
  if (query === ALL) return NONE
  return query === NONE ? ALL : { bool: { must_not: [query] } }
}

/** Records with this attr; null: the index cannot tell, as it takes no name that is so long. */
export function attrExists(key: string): Dsl | null {
  return Buffer.byteLength(key) > ATTR_KEY_BYTES_MAX ? null : { prefix: { [attrField(key)]: '' } }
}

/** The field that an attr is compared in. */
export function attrField(key: string): string {
  return `${DOCUMENT_FIELDS.attrs}.${attrKey(key)}`
}

/** Time as the range of a request, half-open. */
export function timeRange({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): Dsl {
  const range = { from: fromMs, fromInclusive: true, to: toMs, toInclusive: false }
  return wholeRange('time', { type: 'range', field: 'time', ...range })
}

function condition(node: QueryNode, patterns: Patterns, depth: number): Condition {
  if (depth > DEPTH_MAX) return undecided(ALL)
  if (node.type === 'all') return exactly(ALL)
  if (node.type === 'not') return negated(condition(node.node, patterns, depth + 1))
  if (node.type === 'and' || node.type === 'or') {
    const parts = node.nodes.map((part) => condition(part, patterns, depth + 1))
    return joined(parts, node.type === 'and' ? allOf : anyOf)
  }
  if (node.type === 'phrase') return phrase(node, patterns)
  return isFieldName(node.field) ? recordField(node, node.field, patterns) : attr(node)
}

function exactly(query: Dsl): Condition {
  return { sure: query, possible: query, maybe: [] }
}

/** Nothing but what this finds is found; only the matcher knows what. */
function undecided(possible: Dsl): Condition {
  return { sure: NONE, possible, maybe: possible === NONE ? [] : [possible] }
}

function joined(parts: readonly Condition[], join: (queries: readonly Dsl[]) => Dsl): Condition {
  return {
    sure: join(parts.map(({ sure }) => sure)),
    possible: join(parts.map(({ possible }) => possible)),
    maybe: [...new Set(parts.flatMap(({ maybe }) => maybe))],
  }
}

function negated({ sure, possible, maybe }: Condition): Condition {
  return { sure: not(possible), possible: not(sure), maybe }
}

/** Words of the message, or of the message and the values of attrs. */
function phrase({ field, tokens }: Of<'phrase'>, patterns: Patterns): Condition {
  const texts = field === 'message' ? ['message'] : ['message', DOCUMENT_FIELDS.search]
  return joined(
    texts.map((text) => phraseIn(text, tokens, patterns)),
    anyOf,
  )
}

function phraseIn(text: string, tokens: readonly TokenPattern[], patterns: Patterns): Condition {
  const [first] = tokens
  // Nothing in a text is half of a surrogate pair.
  if (first === undefined || tokens.some((token) => token.type === 'token' && !token.text.isWellFormed()))
    return exactly(first === undefined ? ALL : NONE)
  if (tokens.length === 1) return tokenIn(text, first, patterns)
  const words = tokens.flatMap((token) => (token.type === 'token' ? token.text : []))
  if (words.length === tokens.length)
    return exactly({ match_phrase: { [text]: { query: words.join(' '), analyzer: 'whitespace' } } })
  const intervals = patterns === 'phrases' ? tokens.map(intervalOf) : [null]
  if (!intervals.includes(null))
    return exactly({ intervals: { [text]: { all_of: { ordered: true, max_gaps: 0, intervals } } } })
  return undecided(allOf(tokens.map((token) => tokenIn(text, token, patterns).possible)))
}

function tokenIn(text: string, token: TokenPattern, patterns: Patterns): Condition {
  if (token.type === 'token') return exactly({ term: { [text]: token.text } })
  const query = patternQuery(text, token.source, patterns)
  return query === null ? undecided({ exists: { field: text } }) : exactly(query)
}

function intervalOf(token: TokenPattern): object | null {
  if (token.type === 'token') return { match: { query: token.text, analyzer: 'keyword' } }
  const tree = readRegex(token.source)
  if (tree === null) return null
  if (isAnyRepeat(tree)) return { regexp: { pattern: '.*' } }
  const prefix = prefixOf(token.source)
  if (prefix !== null) return { prefix: { prefix } }
  const pattern = luceneRegex(tree)
  return pattern === null || pattern.length > PATTERN_CHARS_MAX ? null : { regexp: { pattern } }
}

/** Terms that a regex covers; null: Elasticsearch cannot have it. */
function patternQuery(field: string, source: string, patterns: Patterns): Dsl | null {
  const prefix = prefixOf(source)
  if (prefix !== null) return { prefix: { [field]: prefix } }
  if (patterns === 'prefixes') return null
  const tree = readRegex(source)
  const value = tree === null ? null : luceneRegex(tree)
  if (value === null || value.length > PATTERN_CHARS_MAX) return null
  return { regexp: { [field]: { value, flags: 'NONE' } } }
}

/** Of `abc.*`: most wildcards are this, and it is never refused. */
function prefixOf(source: string): string | null {
  const tree = readRegex(source)
  if (tree?.type !== 'sequence') return null
  const [last, ...others] = tree.nodes.toReversed()
  if (last === undefined || !isAnyRepeat(last)) return null
  let prefix = ''
  for (const part of others.toReversed()) {
    if (part.type !== 'char') return null
    prefix += part.char
  }
  return prefix.isWellFormed() && prefix.length <= PATTERN_CHARS_MAX ? prefix : null
}

function recordField(node: FieldNode, field: FieldName, patterns: Patterns): Condition {
  const { kind, ecs } = RECORD_FIELDS[field]
  if (kind === 'number' || kind === 'time') return numberField(node, field)
  if (node.type === 'range') return exactly(NONE)
  if (kind === 'text') return node.type === 'exists' ? exactly(exists(ecs)) : undecided(exists(ecs))
  if (node.type === 'exists') return exactly(exists(ecs))
  if (node.type === 'equals')
    return exactly(equals(ecs, node.value === '' ? null : node.value, TERM_BYTES_MAX))
  if (node.type === 'prefix') return node.prefix === '' ? exactly(exists(ecs)) : startsWith(ecs, node.prefix)
  const query = patternQuery(ecs, node.source, patterns)
  return query === null ? undecided(exists(ecs)) : exactly(query)
}

/** Nothing is half of a surrogate pair, and no value is longer than the index takes. */
function equals(field: string, value: string | null, bytesMax: number): Dsl {
  if (value === null || !value.isWellFormed() || Buffer.byteLength(value) > bytesMax) return NONE
  return { term: { [field]: value } }
}

/** A prefix may end in half of a surrogate pair, and be longer than Elasticsearch takes. */
function startsWith(field: string, prefix: string): Condition {
  let asked = prefix.slice(0, PATTERN_CHARS_MAX)
  if (!asked.isWellFormed()) asked = asked.slice(0, -1)
  if (!asked.isWellFormed()) return exactly(NONE)
  const query = { prefix: { [field]: asked } }
  return asked === prefix ? exactly(query) : undecided(query)
}

/** Numbers are compared as they are, and as JavaScript prints them. */
function numberField(node: FieldNode, field: FieldName): Condition {
  const { kind, ecs } = RECORD_FIELDS[field]
  const there = kind === 'time' ? ALL : exists(ecs)
  if (node.type === 'exists') return exactly(there)
  if (node.type === 'range') return exactly(range(field, node))
  if (node.type !== 'equals') return undecided(there) // The parser makes no such plan.
  const value = Number(node.value)
  if (String(value) !== node.value) return exactly(NONE)
  return exactly(
    range(field, { type: 'range', field, from: value, fromInclusive: true, to: value, toInclusive: true }),
  )
}

function range(field: FieldName, node: Of<'range'>): Dsl {
  if (Number.isNaN(node.from) || Number.isNaN(node.to)) return NONE
  const { kind, ecs } = RECORD_FIELDS[field]
  if (kind === 'time' || field === 'offset') return wholeRange(field, node)
  const { from, fromInclusive, to, toInclusive } = node
  if (from === Infinity || to === -Infinity) return NONE
  const bounds = {
    ...(from === null || from === -Infinity ? {} : { [fromInclusive ? 'gte' : 'gt']: from + 0 }),
    ...(to === null || to === Infinity ? {} : { [toInclusive ? 'lte' : 'lt']: to + 0 }),
  }
  return Object.keys(bounds).length === 0 ? exists(ecs) : { range: { [ecs]: bounds } }
}

/** Of a field with whole numbers. Bounds are whole, too, and none is beyond what the field can hold. */
function wholeRange(field: FieldName, { from, fromInclusive, to, toInclusive }: Of<'range'>): Dsl {
  const { kind, ecs } = RECORD_FIELDS[field]
  const edge = kind === 'time' ? TIME_MS_MAX : Number.MAX_SAFE_INTEGER
  const low = from === null ? -Infinity : fromInclusive ? Math.ceil(from) : Math.floor(from) + 1
  const high = to === null ? Infinity : toInclusive ? Math.floor(to) : Math.ceil(to) - 1
  if (low > high || low > edge || high < -edge) return NONE
  const bounds = {
    ...(low <= -edge ? {} : { gte: low + 0 }),
    ...(high >= edge ? {} : { lte: high + 0 }),
  }
  if (Object.keys(bounds).length === 0) return kind === 'time' ? ALL : exists(ecs)
  return { range: { [ecs]: kind === 'time' ? { ...bounds, format: 'epoch_millis' } : bounds } }
}

function attr(node: FieldNode): Condition {
  const { field } = node
  if (!field.isWellFormed()) return exactly(NONE)
  const there = attrExists(field)
  if (there === null) return undecided(ALL)
  if (node.type === 'exists') return exactly(there)
  if (node.type === 'range') return exactly(attrRange(node))
  if (node.type === 'keywordRegex') return undecided(there) // The parser makes no such plan.
  if (node.type === 'prefix') return startsWith(attrField(field), node.prefix)
  return exactly(equals(attrField(field), node.value, ATTR_VALUE_COMPARED_BYTES_MAX))
}

/** Both ends are closed: Elasticsearch would go on to the next key. */
function attrRange({ field, from, fromInclusive, to, toInclusive }: Of<'range'>): Dsl {
  if (Number.isNaN(from) || Number.isNaN(to)) return NONE
  const bounds = {
    [fromInclusive ? 'gte' : 'gt']: sortableHex(from ?? -Infinity),
    [toInclusive ? 'lte' : 'lt']: sortableHex(to ?? Infinity),
  }
  return { range: { [`${DOCUMENT_FIELDS.nums}.${attrKey(field)}`]: bounds } }
}

function exists(field: string): Dsl {
  return { exists: { field } }
}
