import type { Quantile } from '../../core/ports.ts'
import { ROUNDING } from '../store-counts.ts'
import { BUCKET } from './roll-up-sql.ts'

/**
 * Rows of (start, value, bucket): the latency bucket in which the quantile of each group lies, by nearest rank. `rolled` are rows of
 * (start, value, bucket, n), `records` rows with a latency; either may be missing.
 */
export function sketchSql(
  { rolled, records }: { readonly rolled: string | null; readonly records: string | null },
  { start, value }: { readonly start: string; readonly value: string },
  { p }: Quantile,
): string {
  const counted = [
    ...(rolled === null ? [] : [`SELECT ${start} AS start, ${value} AS value, bucket, n FROM ${rolled}`]),
    ...(records === null
      ? []
      : [`SELECT ${start} AS start, ${value} AS value, ${BUCKET} AS bucket, 1 AS n FROM ${records}`]),
  ]
  return `WITH buckets AS (SELECT start, value, bucket, sum(n) AS n FROM (${counted.join(' UNION ALL ')}) GROUP BY ALL),
    ranked AS (SELECT start, value, bucket, sum(n) OVER (PARTITION BY start, value ORDER BY bucket) AS upto,
      sum(n) OVER (PARTITION BY start, value) AS total FROM buckets)
    SELECT start::DOUBLE, value, min(bucket)::DOUBLE FROM ranked WHERE upto >= ceil(${p}::DOUBLE * total * ${ROUNDING}) GROUP BY start, value`
}
