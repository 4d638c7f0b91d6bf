import type { QueryNode, QueryPlan } from '../../core/query/plan.ts'
import { TOKEN_CHARS_MAX } from '../../core/query/tokenize.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import type { FieldName } from '../../core/record.ts'

/** A condition that is true for every record of the plan; when `exact`, for no other. It is never NULL. */
export interface SqlCondition {
  readonly sql: string
  readonly exact: boolean
}

const TRUE: SqlCondition = { sql: 'true', exact: true }
const FALSE: SqlCondition = { sql: 'false', exact: true }
const UNKNOWN: SqlCondition = { sql: 'true', exact: false }
const BIGINT_EDGE = 2 ** 62
/** Such a token stands in JSON as it stands in the value: no character of it is ever escaped. */
const PLAIN_TOKEN = /^[a-z0-9_]+$/

/** Column of each record field; `id` is stored in parts, `level` and the like under their own names. */
const COLUMNS: Readonly<Record<FieldName, string | null>> = {
  time: 'time',
  id: null,
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

/** Says in SQL what can be said; `compileMatcher` decides the rest. */
export function planToSql({ root }: QueryPlan): SqlCondition {
  return condition(root)
}

/** False when no record of a segment with these values can be found. */
export function mayHold(
  node: QueryNode,
  values: { readonly levels: readonly string[]; readonly services: readonly string[] | null },
): boolean {
  if (node.type === 'and') return node.nodes.every((part) => mayHold(part, values))
  if (node.type === 'or') return node.nodes.some((part) => mayHold(part, values))
  if (node.type !== 'equals') return true
  if (node.field === 'level') return values.levels.includes(node.value)
  return node.field !== 'service' || values.services === null || values.services.includes(node.value)
}

function condition(node: QueryNode): SqlCondition {
  if (node.type === 'all') return TRUE
  if (node.type === 'and') return join(node.nodes.map(condition), ' AND ', TRUE)
  if (node.type === 'or') return join(node.nodes.map(condition), ' OR ', FALSE)
  if (node.type === 'not') return negated(condition(node.node))
  if (node.type === 'phrase') return phrase(node)
  if (node.type === 'equals') return equals(node)
  if (node.type === 'prefix') return prefix(node)
  if (node.type === 'range') return range(node)
  return node.type === 'exists' ? exists(node.field) : inexact(exists(node.field))
}

function join(parts: readonly SqlCondition[], operator: string, none: SqlCondition): SqlCondition {
  if (parts.length === 0) return none
  return {
    sql: `(${parts.map(({ sql }) => sql).join(operator)})`,
    exact: parts.every(({ exact }) => exact),
  }
}

function negated({ sql, exact }: SqlCondition): SqlCondition {
  return exact ? { sql: `(NOT ${sql})`, exact } : UNKNOWN
}

function inexact({ sql }: SqlCondition): SqlCondition {
  return { sql, exact: false }
}

/** DuckDB's lower() maps the few letters beyond ASCII that become ASCII (K, İ) as the tokenizer does. */
function phrase({ field, tokens }: Extract<QueryNode, { type: 'phrase' }>): SqlCondition {
  const words = tokens.flatMap((token) =>
    token.type === 'token' && PLAIN_TOKEN.test(token.text) ? token.text : [],
  )
  if (words.length === 0) return UNKNOWN
  const allIn = (column: string) => words.map((word) => wordIn(column, word)).join(' AND ')
  const sql = field === 'message' ? allIn('message') : `((${allIn('message')}) OR (${allIn('attrs')}))`
  return { sql: `(${sql})`, exact: false }
}

/**
 * The word between separators, or beyond ASCII, or behind an escape of JSON. A text that may hold a token longer than
 * TOKEN_CHARS_MAX is only looked through for the letters: such a token is cut where no separator stands.
 */
function wordIn(column: string, word: string): string {
  const alone = sqlText(`(?:^|[^a-z0-9_]|\\\\[bfnrt]|\\\\u[0-9a-f]{4})${word}(?:[^a-z0-9_]|$)`)
  return `(contains(lower(${column}), ${sqlText(word)}) AND (strlen(${column}) > ${TOKEN_CHARS_MAX} OR regexp_matches(lower(${column}), ${alone})))`
}

function equals({ field, value }: Extract<QueryNode, { type: 'equals' }>): SqlCondition {
  if (!isFieldName(field)) return attrsContain(jsonInside(value))
  const column = COLUMNS[field]
  if (column === null) return UNKNOWN
  if (value === '') return FALSE
  if (isNumeric(field)) return String(Number(value)) === value ? numberEquals(field, Number(value)) : FALSE
  return { sql: `(${column} = ${sqlText(value)})`, exact: value.isWellFormed() }
}

function numberEquals(field: FieldName, value: number): SqlCondition {
  return range({ type: 'range', field, from: value, fromInclusive: true, to: value, toInclusive: true })
}

function prefix({ field, prefix }: Extract<QueryNode, { type: 'prefix' }>): SqlCondition {
  if (!isFieldName(field)) return attrsContain(jsonInside(prefix))
  const column = COLUMNS[field]
  if (column === null || isNumeric(field) || !prefix.isWellFormed()) return inexact(exists(field))
  return { sql: `(${column} <> '' AND starts_with(${column}, ${sqlText(prefix)}))`, exact: true }
}

function exists(field: string): SqlCondition {
  if (!isFieldName(field)) return attrsContain(JSON.stringify(field))
  const column = COLUMNS[field]
  if (column === null || field === 'time' || field === 'ingested') return TRUE
  return { sql: isNumeric(field) ? `(${column} IS NOT NULL)` : `(${column} <> '')`, exact: true }
}

function range(node: Extract<QueryNode, { type: 'range' }>): SqlCondition {
  const { field, from, to } = node
  if (!isFieldName(field)) return attrsContain(JSON.stringify(field))
  const column = COLUMNS[field]
  if (column === null || !isNumeric(field) || Number.isNaN(from) || Number.isNaN(to)) return FALSE
  const bounds = isWhole(field) ? wholeBounds(node) : doubleBounds(node)
  const parts = [`${column} IS NOT NULL`, ...bounds.map((bound) => `${column} ${bound}`)]
  return { sql: `(${parts.join(' AND ')})`, exact: true }
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

/** Attrs are one JSON text; what a key or value looks like in it is looked for. */
function attrsContain(json: string): SqlCondition {
  if (json === '') return { sql: `(attrs <> '')`, exact: false }
  // Half of a surrogate pair would be written as an escape, but stands unescaped in a whole one.
  return json.includes('\\ud') ? UNKNOWN : { sql: `contains(attrs, ${sqlText(json)})`, exact: false }
}

function jsonInside(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

/** A text as SQL; the parser would stop at a NUL. */
export function sqlText(text: string): string {
  if (!text.includes('\0')) return `'${text.replaceAll("'", "''")}'`
  return `(${text.split('\0').map(sqlText).join(' || chr(0) || ')})`
}
