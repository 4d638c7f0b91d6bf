import type { QueryNode, QueryPlan } from '../../core/query/plan.ts'
import { tokenize } from '../../core/query/tokenize.ts'
import { EVENT_ID_CHARS } from '../../core/event-id.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import type { FieldName } from '../../core/record.ts'
import { splitId } from './columns.ts'
import { NOT_PROMOTED, promotedColumn } from './promoted.ts'
import type { Promoted } from './promoted.ts'
import { attrSql, phraseInAttrs, phraseInMessage, sqlText } from './text-sql.ts'
import type { AttrSql } from './text-sql.ts'
import type { WordFacts } from './word-index.ts'

/** Which records the matcher has to look at: none, the ones that are not plain (plain.ts), or all. */
type Undecided = 'none' | 'others' | 'all'

/**
 * A plan in SQL; neither condition is ever NULL. `plain` holds for every plain record that is found, `other` for every other one; they
 * hold for no more than those, but for the records that are left to the matcher.
 */
export interface SqlCondition {
  readonly plain: string
  readonly other: string
  readonly undecided: Undecided
}

/** What is known of a token in the records that are asked; undefined: nothing. */
export type WordLookup = (token: string) => WordFacts | undefined

/** Words of a value that are looked up: the first of them say enough. */
const VALUE_WORDS_MAX = 4
const TRUE = decided('true')
const FALSE = decided('false')
const BIGINT_EDGE = 2 ** 62
const EVENT_ID = new RegExp(`^[0-9a-v]{${EVENT_ID_CHARS}}$`)

/** Column of each record field; `id` is stored in parts. */
const COLUMNS: Readonly<Record<FieldName, string>> = {
  time: 'time',
  id: 'stream',
  ingested: 'ingested',
  message: 'message',
  level: 'level',
  service: 'service',
  version: 'version',
  host: 'host',
  site: 'site',
  tier: 'tier',
  path: 'path',
  offset: '"offset"',
  trace: 'trace',
  pattern: 'pattern',
  status: 'status',
  latency_ms: 'latency',
  bytes: 'bytes',
}

/** What the records that are asked have beside their columns. */
export interface Helps {
  readonly words: WordLookup
  readonly promoted: Promoted
}
const NO_HELPS: Helps = { words: () => undefined, promoted: NOT_PROMOTED }

export function planToSql({ root }: QueryPlan, helps: Helps = NO_HELPS): SqlCondition {
  return condition(root, helps)
}

/** How an attr is asked for in records with these columns. */
export function attrIn(key: string, promoted: Promoted): AttrSql {
  return attrSql(key, promoted.has(key) ? promotedColumn(key) : null)
}

/** The condition on records that are all plain. */
export function amongPlain(condition: SqlCondition): SqlCondition {
  return condition.undecided === 'all' ? condition : decided(condition.plain)
}

/** Every record that may be found. */
export function possible({ plain, other }: Pick<SqlCondition, 'plain' | 'other'>): string {
  return plain === other ? plain : `((plain AND ${plain}) OR (NOT plain AND ${other}))`
}

/** Records that are found for sure; null: none is. */
export function sure(condition: SqlCondition): string | null {
  if (condition.undecided === 'all') return null
  return condition.undecided === 'none' ? possible(condition) : `(plain AND ${condition.plain})`
}

/** Records that only the matcher can decide; null: there are none. */
export function unsure(condition: SqlCondition): string | null {
  const { other, undecided } = condition
  if (undecided === 'all') return possible(condition)
  return undecided === 'none' || other === 'false' ? null : `(NOT plain AND ${other})`
}

/** Every token that the plan looks for as it is; who asks for the value of an attr looks for its words. */
export function tokensOf(node: QueryNode): readonly string[] {
  if (node.type === 'and' || node.type === 'or') return [...new Set(node.nodes.flatMap(tokensOf))]
  if (node.type === 'not') return tokensOf(node.node)
  if (node.type === 'equals' && !isFieldName(node.field)) return wordsOf(node.value)
  if (node.type !== 'phrase') return []
  return node.tokens.flatMap((token) => (token.type === 'token' ? token.text : []))
}

/** Words that a record has whose attr has this value. */
function wordsOf(value: string): readonly string[] {
  return tokenize(value).slice(0, VALUE_WORDS_MAX)
}

function condition(node: QueryNode, helps: Helps): SqlCondition {
  if (node.type === 'all') return TRUE
  if (node.type === 'and') return both(node.nodes.map((part) => condition(part, helps)))
  if (node.type === 'or') return either(node.nodes.map((part) => condition(part, helps)))
  if (node.type === 'not') return negated(condition(node.node, helps))
  if (node.type === 'phrase') return phrase(node, helps.words)
  return isFieldName(node.field) ? recordField(node, node.field) : attr(node, helps)
}

function decided(sql: string): SqlCondition {
  return { plain: sql, other: sql, undecided: 'none' }
}

/** Decided for plain records only. */
function decidedWhenPlain(plain: string): SqlCondition {
  return { plain, other: 'true', undecided: 'others' }
}

const UNKNOWN: SqlCondition = { plain: 'true', other: 'true', undecided: 'all' }

function both(parts: readonly SqlCondition[]): SqlCondition {
  return joined(parts, (conditions) => junction(conditions, 'AND'))
}

function either(parts: readonly SqlCondition[]): SqlCondition {
  return joined(parts, (conditions) => junction(conditions, 'OR'))
}

function joined(
  parts: readonly SqlCondition[],
  join: (conditions: readonly string[]) => string,
): SqlCondition {
  const plain = join(parts.map((part) => part.plain))
  const other = join(parts.map((part) => part.other))
  const undecided = parts.map((part) => part.undecided)
  return {
    plain,
    other,
    undecided:
      undecided.find((some) => some === 'all') ?? undecided.find((some) => some === 'others') ?? 'none',
  }
}

function junction(conditions: readonly string[], operator: 'AND' | 'OR'): string {
  const neutral = operator === 'AND' ? 'true' : 'false'
  const deciding = not(neutral)
  const needed = conditions.filter((sql) => sql !== neutral)
  if (needed.includes(deciding)) return deciding
  const [first = neutral, ...others] = needed
  return others.length === 0 ? first : `(${needed.join(` ${operator} `)})`
}

function negated(inner: SqlCondition): SqlCondition {
  const { plain, other, undecided } = inner
  if (undecided === 'all') return UNKNOWN
  return { plain: not(plain), other: undecided === 'none' ? not(other) : 'true', undecided }
}

export function not(sql: string): string {
  if (sql === 'true') return 'false'
  return sql === 'false' ? 'true' : `(NOT ${sql})`
}

/** Words: by the pattern of a record where that decides, else by its text. */
function phrase({ field, tokens }: Extract<QueryNode, { type: 'phrase' }>, words: WordLookup): SqlCondition {
  const inMessage = phraseInMessage(tokens)
  const inText = decidedWhenPlain(
    field === 'message' ? inMessage : junction([inMessage, phraseInAttrs(tokens)], 'OR'),
  )
  const [first] = tokens
  const only = first?.type === 'token' && tokens.length === 1 ? words(first.text) : undefined
  if (only !== undefined && field === '') {
    const always = patternIn(only.always)
    const text = only.rare !== null ? inText : both([patternIn(only.some), inText])
    return either([always, text])
  }
  const known = tokens.flatMap((token) => (token.type === 'token' ? token.text : []))
  return both([...patternsWith(known, words), inText])
}

/** Records of other patterns do not have all of these words. */
function patternsWith(tokens: readonly string[], words: WordLookup): readonly SqlCondition[] {
  return tokens.flatMap((token) => {
    const fact = words(token)
    return fact === undefined || fact.rare !== null ? [] : [patternIn([...fact.always, ...fact.some])]
  })
}

function patternIn(patterns: readonly string[]): SqlCondition {
  return patterns.length === 0 ? FALSE : decided(`pattern IN (${patterns.map(sqlText).join(', ')})`)
}

type FieldNode = Exclude<QueryNode, { type: 'all' | 'and' | 'or' | 'not' | 'phrase' }>

function recordField(node: FieldNode, field: FieldName): SqlCondition {
  const column = COLUMNS[field]
  if (node.type === 'range') return decided(range(node, field))
  if (field === 'id') return eventIdField(node)
  if (isNumeric(field)) return numberField(node, field)
  if (node.type === 'exists') return decided(`(${column} <> '')`)
  if (node.type === 'keywordRegex') return fullMatch(column, node.source)
  const text = node.type === 'equals' ? node.value : node.prefix
  // Half of a surrogate pair stands in no stored text, but could not be written here either.
  if (!text.isWellFormed() || (text === '' && node.type === 'equals')) return FALSE
  if (node.type === 'equals') return decided(`(${column} = ${sqlText(text)})`)
  return decided(`(${column} <> '' AND starts_with(${column}, ${sqlText(text)}))`)
}

function fullMatch(column: string, source: string): SqlCondition {
  if (!source.isWellFormed() || source.includes('\0')) return UNKNOWN
  return decided(`(${column} <> '' AND regexp_full_match(${column}, ${sqlText(`(?s:${source})`)}))`)
}

/** The id is what JavaScript prints of its parts. */
export const EVENT_ID_SQL = `(stream || lower(to_base(seq, 32, 8)) || lower(to_base(idx, 32, 4)))`

function eventIdField(node: Exclude<FieldNode, { type: 'range' }>): SqlCondition {
  if (node.type === 'exists') return TRUE
  if (node.type === 'keywordRegex') return fullMatch(EVENT_ID_SQL, node.source)
  if (node.type === 'prefix') {
    if (!node.prefix.isWellFormed()) return FALSE
    return decided(`starts_with(${EVENT_ID_SQL}, ${sqlText(node.prefix)})`)
  }
  if (!EVENT_ID.test(node.value)) return FALSE
  const { stream, seq, index } = splitId(node.value)
  return decided(`(stream = ${sqlText(stream)} AND seq = ${seq} AND idx = ${index})`)
}

/** Numbers are compared as they are, and as JavaScript prints them. */
function numberField(node: Exclude<FieldNode, { type: 'range' }>, field: FieldName): SqlCondition {
  if (node.type === 'exists') return decided(`(${COLUMNS[field]} IS NOT NULL)`)
  if (node.type !== 'equals') return UNKNOWN // The parser makes no such plan.
  const value = Number(node.value)
  if (String(value) !== node.value) return FALSE
  const exactly = {
    type: 'range',
    field,
    from: value,
    fromInclusive: true,
    to: value,
    toInclusive: true,
  } as const
  return decided(range(exactly, field))
}

export function columnOf(field: FieldName): string {
  return COLUMNS[field]
}

/** A number as JavaScript prints it, but for exponents; NULL when there is none. */
export function numberText(field: FieldName): string {
  const column = COLUMNS[field]
  return `CASE WHEN ${column} = trunc(${column}) AND abs(${column}) < 1e15 THEN ${column}::BIGINT::VARCHAR ELSE ${column}::VARCHAR END`
}

function range(node: Extract<QueryNode, { type: 'range' }>, field: FieldName): string {
  const { from, to } = node
  if (!isNumeric(field) || Number.isNaN(from) || Number.isNaN(to)) return 'false'
  const column = COLUMNS[field]
  const bounds = isWhole(field) ? wholeBounds(node) : doubleBounds(node)
  const there = field === 'time' || field === 'ingested' ? [] : [`${column} IS NOT NULL`]
  const parts = [...there, ...bounds.map((bound) => `${column} ${bound}`)]
  return parts.length === 0 ? 'true' : `(${parts.join(' AND ')})`
}

function attr(node: FieldNode, { words, promoted }: Helps): SqlCondition {
  const { field } = node
  const asked = attrIn(field, promoted)
  if (node.type === 'exists') return decidedWhenPlain(asked.exists())
  if (node.type === 'equals') {
    const equals = decidedWhenPlain(asked.equals(node.value))
    return promoted.has(field) ? equals : both([...patternsWith(wordsOf(node.value), words), equals])
  }
  if (node.type === 'prefix') return decidedWhenPlain(asked.startsWith(node.prefix))
  if (node.type === 'keywordRegex') return UNKNOWN // The parser makes no such plan.
  const number = asked.number()
  if (Number.isNaN(node.from) || Number.isNaN(node.to)) return decidedWhenPlain('false')
  const parts = [`${number} IS NOT NULL`, ...doubleBounds(node).map((bound) => `${number} ${bound}`)]
  return decidedWhenPlain(`coalesce(${parts.join(' AND ')}, false)`)
}

/** Bounds as integers, so that the column is compared as it is stored and whole row groups are skipped. */
function wholeBounds(node: Extract<QueryNode, { type: 'range' }>): string[] {
  const bounds: string[] = []
  const clamp = (value: number) => BigInt(Math.max(-BIGINT_EDGE, Math.min(BIGINT_EDGE, value)))
  if (node.from !== null)
    bounds.push(`>= ${clamp(node.fromInclusive ? Math.ceil(node.from) : Math.floor(node.from) + 1)}`)
  if (node.to !== null)
    bounds.push(`<= ${clamp(node.toInclusive ? Math.floor(node.to) : Math.ceil(node.to) - 1)}`)
  return bounds
}

function doubleBounds(node: Extract<QueryNode, { type: 'range' }>): string[] {
  const bounds: string[] = []
  if (node.from !== null) bounds.push(`${node.fromInclusive ? '>=' : '>'} '${node.from}'::DOUBLE`)
  if (node.to !== null) bounds.push(`${node.toInclusive ? '<=' : '<'} '${node.to}'::DOUBLE`)
  return bounds
}

function isNumeric(field: FieldName): boolean {
  const { kind } = RECORD_FIELDS[field]
  return kind === 'number' || kind === 'time'
}

function isWhole(field: FieldName): boolean {
  return field === 'time' || field === 'ingested' || field === 'offset'
}
