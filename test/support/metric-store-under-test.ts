import { createDistribution } from '../../core/sketch/distribution.ts'
import { createMembers } from '../../core/sketch/members.ts'
import type { BatchKey } from '../../core/ledger/types.ts'
import type { MetricPoint, MetricQuery, MetricRetention, Series } from '../../core/metrics/types.ts'
import type { Clock, MetricStore } from '../../core/ports.ts'

export interface MetricStoreUnderTest extends AsyncDisposable {
  readonly store: MetricStore
  /** Closes the store and opens it again on what it kept, with the same options; absent when it keeps nothing. */
  readonly reopen?: () => Promise<MetricStore>
}

export interface MakeMetricOptions {
  readonly clock: Clock
  readonly retention?: MetricRetention
  readonly seriesMax?: number
}

/** Opens a new, empty store, which seals, rolls up and so on with few points already, if it does such things. */
export type MakeMetricStore = (options: MakeMetricOptions) => Promise<MetricStoreUnderTest>

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000
export const RETENTION: MetricRetention = { raw: 2 * DAY_MS, minute: 14 * DAY_MS, hour: 30 * DAY_MS }

/** A point with one value, or with several. Sketches are made of them where the kind has any. */
export function metricPoint(
  series: Partial<Series>,
  startMs: number,
  values: readonly number[] = [1],
  stepMs = 10_000,
): MetricPoint {
  const { name = 'm', kind = 'counter', tags = {} } = series
  return {
    series: { name, kind, tags },
    startMs,
    stepMs,
    count: values.length,
    sum: kind === 'set' ? 0 : values.reduce((sum, value) => sum + value, 0),
    min: kind === 'set' ? 0 : Math.min(...values),
    max: kind === 'set' ? 0 : Math.max(...values),
    last: kind === 'set' ? 0 : (values.at(-1) ?? 0),
    sketch: sketchOf(kind, values),
  }
}

function sketchOf(kind: Series['kind'], values: readonly number[]): Uint8Array | null {
  if (kind === 'distribution') {
    const distribution = createDistribution()
    for (const value of values) distribution.add(value)
    return distribution.encode()
  }
  if (kind !== 'set') return null
  const members = createMembers()
  for (const value of values) members.add(`${value}`)
  return members.encode()
}

let seq = 0

/** A batch of its own. */
export function metricBatch(points: readonly MetricPoint[], key: Partial<BatchKey> = {}) {
  return { key: { site: 'eu', collector: 'c1', epoch: 'e'.repeat(32), seq: ++seq, ...key }, points }
}

export function metricQuery(fields: Partial<MetricQuery> & Pick<MetricQuery, 'range'>): MetricQuery {
  return { name: 'm', tags: [], by: [], stepMs: MINUTE_MS, aggregates: ['sum'], ...fields }
}
