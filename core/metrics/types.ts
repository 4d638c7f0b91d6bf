import type { TimeRange } from '../ports.ts'

/**
 * What the values of a series are. `counter`: increments; `gauge`: a state; `set`: how many different values;
 * `distribution`: single measurements, whose percentiles can be asked for (statsd's timers and histograms are distributions, too).
 */
export const METRIC_KINDS = ['counter', 'gauge', 'set', 'distribution'] as const
export type MetricKind = (typeof METRIC_KINDS)[number]

/** Tags that Noctule stamps; a tag of that name that an application sent becomes `exported_<name>`. */
export const STAMPED_TAGS = ['site', 'host', 'tier'] as const

/**
 * What a collector lost of what was sent to it: a counter with the tag `reason`, at least so many metrics or packets.
 * Its values travel and are stored like every other series, so that every answer can say what is missing from it.
 */
export const LOST_METRIC = 'noctule.statsd.lost'

/** One thing that is measured, with everything that tells it from others. */
export interface Series {
  readonly name: string
  readonly kind: MetricKind
  /** In code-point order of their names. A tag without a value has ''. */
  readonly tags: Readonly<Record<string, string>>
}

/**
 * What one collector saw of one series in [startMs, startMs + stepMs). Several points of one series and time (of several hosts, or an
 * amendment that came late) are added up: no point replaces another.
 */
export interface MetricPoint {
  readonly series: Series
  /** A multiple of `stepMs`, ms since 1970. */
  readonly startMs: number
  readonly stepMs: number
  /** Values, scaled by their sample rate: need not be whole. */
  readonly count: number
  /** Of the values, scaled like `count`. Of a set 0. */
  readonly sum: number
  readonly min: number
  readonly max: number
  /** The newest value. */
  readonly last: number
  /** Of a distribution: core/sketch/distribution.ts; of a set: core/sketch/members.ts; of others null. */
  readonly sketch: Uint8Array | null
}

/** How wide the points are that are kept, and for how long: configuration's `metrics.retention`. */
export const METRIC_RESOLUTIONS = ['raw', 'minute', 'hour'] as const
export type MetricResolution = (typeof METRIC_RESOLUTIONS)[number]
export const ROLL_UP_MS = { minute: 60_000, hour: 3_600_000 } as const
/** Each at least as long as the one before it. */
export type MetricRetention = Readonly<Record<MetricResolution, number>>

/** What a query may ask of each step. Which kind knows which: core/metrics/fold.ts. */
export const METRIC_AGGREGATES = [
  'rate',
  'sum',
  'avg',
  'min',
  'max',
  'count',
  'last',
  'p50',
  'p75',
  'p90',
  'p95',
  'p99',
  'p999',
] as const
export type MetricAggregate = (typeof METRIC_AGGREGATES)[number]

/** Matches series whose tag has one of the values (`*` and `?` are wildcards); `''` matches a series without the tag. */
export interface TagFilter {
  readonly tag: string
  readonly values: readonly string[]
  readonly exclude: boolean
}

export interface MetricSelection {
  readonly name: string
  /** Absent: any. */
  readonly kind?: MetricKind | undefined
  readonly tags: readonly TagFilter[]
  readonly range: TimeRange
}

export interface MetricQuery extends MetricSelection {
  /** Tags to split by; empty: everything together. */
  readonly by: readonly string[]
  /** Width of an answered step; a store reads the widest points it keeps whose width divides it. Steps start at multiples of it. */
  readonly stepMs: number
  readonly aggregates: readonly MetricAggregate[]
}

/** One line of a chart. */
export interface MetricLine {
  /** Value of every tag of `by`; '' where a series has none. */
  readonly tags: Readonly<Record<string, string>>
  readonly kind: MetricKind
  /** Oldest first; steps without a point are left out. `values` are in the order of `aggregates`; null: this step has none (`last` of nothing). */
  readonly steps: readonly { readonly startMs: number; readonly values: readonly (number | null)[] }[]
}

export interface MetricAnswer {
  /** In order of their tags; at most METRIC_LINES_MAX. */
  readonly lines: readonly MetricLine[]
  /** Lines there would be. */
  readonly linesTotal: number
  /** Series that were read. */
  readonly series: number
  /** Points that were read, and how wide. */
  readonly scanned: number
  readonly resolution: MetricResolution
  /** `raw` is gone for the start of the range, so it starts later, or a wider step would see more: the oldest time that the read points can have. */
  readonly oldestMs: number | null
  /** Of the range: points of these times are missing, or some of them, because a file that held them is damaged. In order of their starts. */
  readonly damaged: readonly TimeRange[]
}

export const METRIC_LINES_MAX = 1_000

export interface MetricName {
  readonly name: string
  readonly kind: MetricKind
  /** Series of that name in the range. */
  readonly series: number
}

export interface MetricTag {
  readonly tag: string
  /** Most frequent first, at most the limit asked for. */
  readonly values: readonly { readonly value: string; readonly series: number }[]
  readonly valuesTotal: number
}

export interface MetricStoreStats {
  /** Series that had a point arrive since the day (UTC) began: what METRICS' `seriesMax` bounds. */
  readonly series: number
  readonly bytesOnDisk: number
  readonly resolutions: Readonly<
    Record<MetricResolution, { readonly points: number; readonly oldestMs: number | null }>
  >
  /** Points refused since the start because the store holds METRICS' `seriesMax` series already. */
  readonly refused: number
  /** Points not kept since the start because they came when they were older than the retention of `raw`. */
  readonly expired: number
  /** Files whose bytes fail their checksum: no longer read, kept for a person. */
  readonly damaged: readonly string[]
}
