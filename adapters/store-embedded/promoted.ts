import { isFieldName } from '../../core/record.ts'
import type { QueryNode } from '../../core/query/plan.ts'
import type { Sql } from './duckdb.ts'
import { sqlText } from './text-sql.ts'

/** Attrs of a segment that have a column of their own. */
const PROMOTED_MAX = 16
/** Fewer records than this share are read as quickly from the attrs' text as a column costs. */
const SHARE_MIN = 0.05
/** An attr with more different values in the sample is told apart by its words (decision 9), and its column would be large. */
const VALUES_MAX = 128
/** Entropy of all columns' values together; files grow by half of it. */
const BITS_MAX = 8
const SAMPLE_RECORDS = 4_096
/** Lists, and numbers that SQL may print otherwise than JavaScript does: attrs with such a value have no column. */
const NOT_COMPARABLE = String.raw`^\[|^-?[0-9]+[.eE]|^-?[0-9]{16}`

/** The columns that every segment and hot table has. */
export const STORED_COLUMNS = `pos, time, stream, seq, idx, ingested, message, level, service, version, host, site, tier, path,
  "offset", trace, pattern, status, latency, bytes, attrs, plain`

/** Columns of a segment beside STORED_COLUMNS: attr keys; each holds the value of its attr, no list, as JSON text, of plain records only. */
export type Promoted = ReadonlySet<string>
export const NOT_PROMOTED: Promoted = new Set()

/** The column of a promoted attr, as SQL. */
export function promotedColumn(key: string): string {
  return `"attr:${key}"`
}

/** STORED_COLUMNS, and those of these attrs. */
export function columnsWith(promoted: Promoted): string {
  return [STORED_COLUMNS, ...[...promoted].map(promotedColumn)].join(', ')
}

/** Attrs, not fields of the record, that a plan asks for by name. */
export function attrsOf(node: QueryNode): readonly string[] {
  if (node.type === 'and' || node.type === 'or') return node.nodes.flatMap(attrsOf)
  if (node.type === 'not') return attrsOf(node.node)
  if (node.type === 'all' || node.type === 'phrase' || isFieldName(node.field)) return []
  return [node.field]
}

/**
 * Chooses the attrs that are worth a column, by a sample: many records have them, they have few different values, and together they
 * cost little. `rowsWhere` selects the records, of `records` in all, that a condition on `pos` holds for.
 */
export async function choosePromoted(
  sql: Sql,
  rowsWhere: (condition: string) => string,
  records: number,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  // An odd step: batches have round sizes.
  const step = Math.floor(records / SAMPLE_RECORDS) | 1
  const sample = rowsWhere(`pos % ${step} = 0`)
  const result = await sql.run(
    `WITH sample AS (SELECT attrs, plain AND attrs <> '' AS readable FROM (${sample})),
      pairs AS (SELECT unnest(json_keys(attrs)) AS key, unnest(json_extract(attrs, '$.*'))::VARCHAR AS value
        FROM sample WHERE readable)
      SELECT key, (count(*) / (SELECT count(*) FROM sample))::DOUBLE AS share, entropy(value)::DOUBLE FROM pairs
      GROUP BY key HAVING share >= ${SHARE_MIN} AND count(DISTINCT value) <= ${VALUES_MAX}
        AND NOT bool_or(regexp_matches(value, '${NOT_COMPARABLE}')) ORDER BY share DESC, key`,
    signal,
  )
  const candidates: Candidate[] = []
  for (const { rows, columns } of result.chunks())
    for (let row = 0; row < rows; row++) {
      const [key, share, entropy] = columns.map((column) => column[row])
      candidates.push({ key: String(key), share: Number(share), entropy: Number(entropy) })
    }
  return affordable(candidates)
}

interface Candidate {
  readonly key: string
  readonly share: number
  /** Of its values, in bits. */
  readonly entropy: number
}

/** Column names are told apart without regard to case. */
function affordable(candidates: readonly Candidate[]): readonly string[] {
  const chosen = new Map<string, string>()
  let bits = 0
  for (const { key, share, entropy } of candidates) {
    const its = share * entropy + presenceBits(share)
    const name = key.toLowerCase()
    if (chosen.size === PROMOTED_MAX || chosen.has(name) || bits + its > BITS_MAX) continue
    bits += its
    chosen.set(name, key)
  }
  return [...chosen.values()]
}

/** What it takes to say of every record whether it has the attr. */
function presenceBits(share: number): number {
  return share >= 1 ? 0 : -share * Math.log2(share) - (1 - share) * Math.log2(1 - share)
}

/** SELECT of the rows with a column for each of these attrs. Records that are not plain have none: the matcher looks at them. */
export function withPromoted(rows: string, keys: readonly string[]): string {
  if (keys.length === 0) return `SELECT ${STORED_COLUMNS} FROM (${rows})`
  const shape = JSON.stringify(Object.fromEntries(keys.map((key) => [key, 'JSON'])))
  const read = `CASE WHEN plain AND attrs <> '' THEN from_json(attrs, ${sqlText(shape)}) END`
  const columns = keys.map((key) => `promoted."${key}"::VARCHAR AS ${promotedColumn(key)}`)
  return `SELECT ${STORED_COLUMNS}, ${columns.join(', ')} FROM (SELECT *, ${read} AS promoted FROM (${rows}))`
}

/** Those of the attrs whose column can be used: one may have values in it that the sample had none of. */
export async function exactlyPromoted(
  sql: Sql,
  path: string,
  keys: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  if (keys.length === 0) return []
  const checks = keys.map(
    (key) => `coalesce(bool_or(regexp_matches(${promotedColumn(key)}, '${NOT_COMPARABLE}')), false)::INTEGER`,
  )
  const result = await sql.run(`SELECT ${checks.join(', ')} FROM read_parquet(${sqlText(path)})`, signal)
  const [first] = result.chunks()
  return keys.filter((_, at) => Number(first?.columns[at]?.[0]) === 0)
}
