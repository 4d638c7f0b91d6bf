import { LN_GAMMA, ZERO_BUCKET } from '../../core/sketch/latency-buckets.ts'
import { ROUNDING } from '../store-counts.ts'

/** The bucket of a latency (core/sketch/latency-buckets.ts). */
export function bucketSql(latency: string): string {
  return `(CASE WHEN ${latency} > 0 THEN ceil(ln(${latency}) / ${LN_GAMMA}) ELSE ${ZERO_BUCKET} END)::INTEGER`
}

/**
 * Rows of (start, value, bucket): the bucket in which the p-quantile of each group lies, by nearest rank. `rows` have start, value, and
 * number, a latency. Takes memory for the buckets, not for the numbers.
 */
export function sketchSql(rows: string, p: number): string {
  return `WITH buckets AS (SELECT start, value, ${bucketSql('number')} AS bucket, count(*) AS n FROM ${rows} GROUP BY ALL),
    ranked AS (SELECT start, value, bucket, sum(n) OVER (PARTITION BY start, value ORDER BY bucket) AS upto,
      sum(n) OVER (PARTITION BY start, value) AS total FROM buckets)
    SELECT start, value, min(bucket) AS bucket FROM ranked WHERE upto >= ceil(${p}::DOUBLE * total * ${ROUNDING}) GROUP BY start, value`
}
