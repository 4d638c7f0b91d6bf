/** Why metrics were lost: the tag `reason` of LOST_METRIC. */
export const LOSS_REASONS = [
  'kernel',
  'series',
  'name_series',
  'malformed',
  'late',
  'spool',
  'packet',
] as const
export type LossReason = (typeof LOSS_REASONS)[number]

/** `_e{…}:title|text|…` of DogStatsD. Strings have no control characters but newlines in `text`. */
export interface StatsdEvent {
  readonly title: string
  readonly text: string
  readonly alertType: 'error' | 'warning' | 'info' | 'success'
  readonly priority: 'normal' | 'low'
  /** Of the client's clock; null: it sent none. */
  readonly atMs: number | null
  readonly hostname: string | null
  readonly aggregationKey: string | null
  readonly sourceType: string | null
  readonly tags: Readonly<Record<string, string>>
}

/** `_sc|name|status|…` of DogStatsD. */
export interface StatsdServiceCheck {
  readonly name: string
  /** 0 ok, 1 warning, 2 critical, 3 unknown. */
  readonly status: 0 | 1 | 2 | 3
  readonly message: string
  readonly atMs: number | null
  readonly hostname: string | null
  readonly tags: Readonly<Record<string, string>>
}

export interface MetricChunk {
  /** Encoded metric lines, each "\n" ended. They are the receiver's: nothing writes to them again. */
  readonly bytes: Uint8Array
  /** Lines in it. */
  readonly points: number
}

/** A line that was refused, as a sample for people to look at. */
export interface BadLine {
  /** Cut, without control characters. */
  readonly line: string
  readonly problem: string
  readonly atMs: number
}

export interface AggregationStats {
  /** Live series. */
  readonly series: number
  /** Values taken since the start. */
  readonly metrics: number
  /** Datagrams taken since the start. */
  readonly packets: number
  /** Since the start. Reasons without a loss are absent. */
  readonly lost: Readonly<Partial<Record<LossReason, number>>>
  /** Names with the most refused series first. */
  readonly overflowing: readonly { readonly name: string; readonly refused: number }[]
  /** Newest last. */
  readonly badLines: readonly BadLine[]
}

export interface Aggregation {
  /** Takes one datagram: bytes[start, end). Never throws. */
  take(bytes: Uint8Array, start: number, end: number): void
  /** Counts a loss found elsewhere: of the kernel, of the spool. */
  lost(reason: LossReason, count: number): void
  /**
   * Closes everything before `boundaryMs` and yields it as encoded metric lines, in chunks of at most CHUNK_BYTES_MAX and CHUNK_LINES_MAX, so that
   * the caller can receive between them. Datagrams taken meanwhile count for the interval that starts at `boundaryMs`. It must be read to its end
   * before the next one starts.
   */
  flush(boundaryMs: number): Iterable<MetricChunk>
  stats(): AggregationStats
}

export interface AggregationOptions {
  /** Width of the points; boundaries are its multiples. */
  readonly flushMs: number
  readonly seriesMax: number
  readonly seriesPerNameMax: number
  readonly lateMaxMs: number
  /** Stamped on every series; a client's own tag of that name becomes `exported_<name>`. */
  readonly tags: Readonly<Record<string, string>>
  readonly nowMs: () => number
  readonly onEvent: (event: StatsdEvent) => void
  readonly onServiceCheck: (check: StatsdServiceCheck) => void
}

export declare function createAggregation(options: AggregationOptions): Aggregation
