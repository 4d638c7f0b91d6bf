import { LN_GAMMA, ZERO_BUCKET } from '../../core/sketch/latency-buckets.ts'

const MINUTE_MS = 60_000
const MINUTE = `(time - ((time % ${MINUTE_MS} + ${MINUTE_MS}) % ${MINUTE_MS}))`
/** The bucket of a record's latency (core/sketch/latency-buckets.ts). */
export const BUCKET = `(CASE WHEN latency > 0 THEN ceil(ln(latency) / ${LN_GAMMA}) ELSE ${ZERO_BUCKET} END)::INTEGER`

/** What a roll-up counts: per kind, the columns that the counts are split by beside `minute`, and which records count. */
const KINDS = {
  counts: { by: ['site', 'service', 'level'], where: 'true' },
  patterns: { by: ['pattern'], where: 'true' },
  latency: { by: ['site', 'service', 'bucket'], where: 'latency IS NOT NULL' },
} as const
type RollUpKind = keyof typeof KINDS
export const ROLL_UP_KINDS = Object.keys(KINDS) as readonly RollUpKind[]

const COLUMNS = {
  site: 'VARCHAR',
  service: 'VARCHAR',
  level: 'VARCHAR',
  pattern: 'VARCHAR',
  bucket: 'INTEGER',
} as const

/**
 * SELECT of all roll-ups of a relation of records: kind, minute (its start, ms since 1970), site, service, level, pattern, bucket
 * (core/sketch/latency-buckets.ts), n (how many records). A column that the kind is not split by is NULL.
 */
export function rollUpSql(relation: string): string {
  return ROLL_UP_KINDS.map((kind) => kindSql(kind, relation)).join(' UNION ALL ')
}

function kindSql(kind: RollUpKind, relation: string): string {
  const { by, where } = KINDS[kind]
  const split: readonly string[] = by
  const columns = Object.entries(COLUMNS).map(([name, type]) => {
    if (!split.includes(name)) return `NULL::${type} AS ${name}`
    return name === 'bucket' ? `${BUCKET} AS bucket` : name
  })
  return `SELECT '${kind}' AS kind, ${MINUTE} AS minute, ${columns.join(', ')}, count(*) AS n
    FROM ${relation} WHERE ${where} GROUP BY ALL`
}
