const MINUTE_MS = 60_000
/** The start of the minute that a record is in. */
export const MINUTE = `(time - ((time % ${MINUTE_MS} + ${MINUTE_MS}) % ${MINUTE_MS}))`

/** What a roll-up holds: per kind, the columns that its rows are split by beside `minute`. */
export const ROLL_UPS = {
  counts: ['site', 'service', 'level'],
  patterns: ['pattern'],
  latencies: ['site', 'service'],
} as const
export type RollUpKind = keyof typeof ROLL_UPS
export const ROLL_UP_KINDS = Object.keys(ROLL_UPS) as readonly RollUpKind[]

const COLUMNS = {
  site: 'VARCHAR',
  service: 'VARCHAR',
  level: 'VARCHAR',
  pattern: 'VARCHAR',
} as const

/**
 * SELECT of all roll-ups of a relation of records: kind, minute (its start, ms since 1970), site, service, level, pattern, latencies
 * (of `latencies`: every latency, ascending), n (how many records). A column that the kind is not split by is NULL.
 */
export function rollUpSql(relation: string): string {
  const kinds: Readonly<Record<RollUpKind, string>> = {
    counts: `${columnsOf('counts')}, count(*) AS n FROM ${relation}`,
    patterns: `${columnsOf('patterns')}, count(*) AS n FROM ${relation}`,
    latencies: `${columnsOf('latencies', 'list(latency ORDER BY latency)')}, count(*) AS n FROM ${relation} WHERE latency IS NOT NULL`,
  }
  return ROLL_UP_KINDS.map((kind) => `SELECT '${kind}' AS kind, ${kinds[kind]} GROUP BY ALL`).join(
    ' UNION ALL ',
  )
}

function columnsOf(kind: RollUpKind, latencies = 'NULL::DOUBLE[]'): string {
  const split: readonly string[] = ROLL_UPS[kind]
  const columns = Object.entries(COLUMNS).map(([name, type]) =>
    split.includes(name) ? name : `NULL::${type} AS ${name}`,
  )
  return [`${MINUTE} AS minute`, ...columns, `${latencies} AS latencies`].join(', ')
}
