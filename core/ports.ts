import type {
  BatchFacts,
  BatchKey,
  CollectorLedger,
  LedgerDocument,
  LedgerNote,
  SiteCompleteness,
} from './ledger/types.ts'
import type { HealthReport, HostHealth } from './health.ts'
import type {
  MetricAnswer,
  MetricName,
  MetricPoint,
  MetricQuery,
  MetricSelection,
  MetricStoreStats,
  MetricTag,
} from './metrics/types.ts'
import type { QueryPlan } from './query/plan.ts'
import type { LogRecord } from './record.ts'
import type { Mark } from './wire.ts'

/** Wall time, monotonic time and timers. Contract: test/contracts/clock.ts. */
export interface Clock {
  /** ms since 1970; may jump. */
  nowMs(): number
  /** ms since some start; never goes back. Durations and deadlines use this one. */
  monotonicMs(): number
  /** Calls `run` once after `delayMs`, unless the returned function is called before. Never keeps the process alive by itself. */
  after(delayMs: number, run: () => void): () => void
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** The program's own log: JSON lines. Never pass a secret. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Logger
}

/**
 * Durable files. All durable writes of the program go through it. Contract: test/contracts/fs.ts.
 * - Bytes are durable after `sync()` of their file; a new, renamed or removed name is durable after `syncDir()` of its folder.
 * - Errors keep Node's `code` (ENOENT, ENOSPC, …).
 */
export interface Fs {
  /** Makes the folder and its parents. */
  mkdir(path: string): Promise<void>
  /** Names in a folder, sorted; [] when there is no such folder. */
  list(path: string): Promise<readonly string[]>
  size(path: string): Promise<number | null>
  readFile(path: string): Promise<Buffer>
  /** Opens for appending, creating it when missing. */
  openAppend(path: string): Promise<AppendFile>
  openRead(path: string): Promise<ReadFile>
  /** Writes a whole file so that after a crash either the old or the new content is there. Durable when it resolves. */
  replaceFile(path: string, bytes: Uint8Array, options?: { mode?: number }): Promise<void>
  truncate(path: string, size: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file; nothing happens when it is not there. */
  remove(path: string): Promise<void>
  /** Makes the bytes of a file that somebody else wrote durable. */
  syncFile(path: string): Promise<void>
  syncDir(path: string): Promise<void>
  /** Becomes the only owner of a folder until released or the process ends (also by kill -9). Throws DATA_DIR_IN_USE. */
  lock(path: string): Promise<{ release(): Promise<void> }>
}

export interface AppendFile {
  /** Bytes written so far, synced or not. */
  readonly size: number
  /** Appends all of `bytes`; after an error the file may end in a part of them. */
  write(bytes: Uint8Array): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

export interface ReadFile {
  /** Up to `length` bytes from `offset`; shorter only at the end. */
  read(offset: number, length: number): Promise<Buffer>
  size(): Promise<number>
  close(): Promise<void>
}

/** Where a frame or mark came from, as the receiving side established it. */
export interface Origin {
  /** The site of the sender's credential or source cluster. */
  readonly site: string
  /** Credential or connection, for logs. */
  readonly sender: string
  /** When a broker took it, by its clock; absent: it has just arrived. */
  readonly arrivedAtMs?: number
}

/**
 * Carries frames and marks from collectors to an aggregator. Contract: test/contracts/transport.ts.
 * - `send` resolves once the other side holds the batch durably; until then the caller keeps it and may send it again.
 * - A failure is a ServiceError; retryable ones may carry `details.retryAfterMs`. SEQUENCE_CONFLICT asks for a new epoch.
 * - `sendMark` and `sendHealth` are latest-wins and unspooled: a failed one is not repeated, the next one replaces it. Neither waits behind batches.
 */
export interface TransportSender {
  send(frame: Uint8Array, signal: AbortSignal): Promise<void>
  sendMark(mark: Mark, signal: AbortSignal): Promise<void>
  sendHealth(report: HealthReport, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/**
 * The aggregator's side: what every Transport hands frames and marks to.
 * - `batch` resolves once the batch is durable (or was already); rejects with BATCH_MALFORMED, SEQUENCE_CONFLICT, OVERLOADED, STORE_UNAVAILABLE, ….
 * - The frame must not be changed after it was handed over.
 */
export interface Intake {
  batch(frame: Uint8Array, origin: Origin, signal: AbortSignal): Promise<'stored' | 'duplicate'>
  mark(mark: Mark, origin: Origin): Promise<void>
  /** Takes note at once; never waits for the store. */
  health(report: HealthReport, origin: Origin): void
}

/** What became of an import: `refused` names at most REFUSALS_LISTED_MAX lines. */
export interface ImportReport {
  readonly imported: number
  readonly refusedTotal: number
  readonly refused: readonly { readonly line: number; readonly problem: string }[]
}

/** Takes NDJSON records that bring their own times. Good lines are kept, bad ones are named by line number. */
export interface RecordImport {
  import(chunks: AsyncIterable<Uint8Array>, origin: Origin, signal: AbortSignal): Promise<ImportReport>
}

/** A batch after parsing and enrichment: what a store keeps. */
export interface StoredBatch {
  readonly facts: BatchFacts
  readonly records: readonly LogRecord[]
}

/** Half-open [fromMs, toMs). */
export interface TimeRange {
  readonly fromMs: number
  readonly toMs: number
}

/** Keyset position in a newest-first listing: the last record already given. */
export interface SearchAfter {
  readonly timeMs: number
  readonly id: string
}

export interface SearchRequest {
  readonly plan: QueryPlan
  readonly range: TimeRange
  readonly limit: number
  readonly after?: SearchAfter | undefined
  /** 'newest' (default): by (timeMs, id) descending; 'oldest': ascending. `after` is the last record given in that order. */
  readonly order?: 'newest' | 'oldest' | undefined
  /** Only records with a text that this regular expression finds: core/query/grep.ts. */
  readonly grep?: string | undefined
}

export interface SearchPage {
  /** In the order asked for. */
  readonly records: readonly LogRecord[]
  /** More records match behind the last one. */
  readonly more: boolean
  /** How many records were looked at. */
  readonly scanned: number
}

/** Records as the lines of an NDJSON file: what `toPublicRecord` gives, one JSON object a line. */
export interface ExportPage {
  readonly ndjson: Uint8Array<ArrayBuffer>
  readonly records: number
  /** Where the next page starts; null when nothing is left. A page that is not full may have a next one all the same. */
  readonly next: SearchAfter | null
  readonly scanned: number
}

/** Fields a histogram may be split by. */
export const HISTOGRAM_BY = [
  'level',
  'service',
  'host',
  'site',
  'tier',
  'version',
  'path',
  'pattern',
] as const
export type HistogramBy = (typeof HISTOGRAM_BY)[number]

/** Numbers of a record whose quantiles can be asked for. */
export const QUANTILE_OF = ['latency_ms', 'bytes', 'status'] as const
/**
 * The p-quantile (0 < p <= 1) of a field, by nearest rank: the smallest value that at least the share p of the values do not exceed.
 * Exact, but for latencies of more than 16 million records, which a store may estimate to 1 %.
 */
export interface Quantile {
  readonly of: (typeof QUANTILE_OF)[number]
  readonly p: number
}

export interface HistogramRequest {
  readonly plan: QueryPlan
  readonly range: TimeRange
  /** Width of a bucket; buckets start at multiples of it since 1970. */
  readonly intervalMs: number
  readonly by?: HistogramBy | undefined
  /** Also this quantile, for every bucket and value. */
  readonly quantile?: Quantile | undefined
}

export interface HistogramBucket {
  readonly startMs: number
  readonly total: number
  /** Count per value of `by`; '' stands for records without one. Empty without `by`. */
  readonly by: Readonly<Record<string, number>>
  /** With `quantile`: its number per value of `by` (without `by` under ''); a value without numbers is left out. */
  readonly quantiles?: Readonly<Record<string, number>>
}

export interface HistogramAnswer {
  /** Oldest first; buckets without a record are left out. */
  readonly buckets: readonly HistogramBucket[]
  readonly scanned: number
}

export interface TopRequest {
  readonly plan: QueryPlan
  readonly range: TimeRange
  /** A short name of `RECORD_FIELDS` that is a keyword or a number (not `id`), or the path of an attr. */
  readonly field: string
  readonly limit: number
}

/** How often a value is there, and when first and last. Numbers as JSON prints them; of a list each different element counts once. */
export interface TopValue {
  readonly value: string
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
}

export interface TopAnswer {
  /** Most frequent first, then by value: numbers by size, texts by code points. */
  readonly values: readonly TopValue[]
  /** Records that match, with the field or without. */
  readonly matched: number
  /** Of those, the ones that have the field. */
  readonly having: number
  /** Different values. */
  readonly distinct: number
  readonly scanned: number
}

export interface ExplainRequest {
  readonly plan: QueryPlan
  readonly range: TimeRange
}

/** What a query would have to read. */
export interface Explanation {
  /** Partitions in the store, and how many of them the query reads. */
  readonly partitions: number
  readonly partitionsRead: number
  /** Blocks (runs of some ten thousand records) by what became of them. */
  readonly blocks: {
    readonly total: number
    readonly outOfRange: number
    /** Their levels or services exclude a match. */
    readonly excludedByValues: number
    /** Their words or trace ids exclude a match. */
    readonly excludedByWords: number
    readonly read: number
  }
  /** In the blocks that are read. */
  readonly records: number
  /** On disk, of the blocks that are read; memory tables count 0. */
  readonly bytes: number
  /** True: the store decides every record by itself; false: some are looked at one by one, which is slower. */
  readonly exact: boolean
}

export const PURGED_LISTED_MAX = 1_000

/** What was purged of a partition, as a range in which records are missing. */
export interface PurgedRange extends TimeRange {
  /** Whose records they were; absent: of several sites. */
  readonly site?: string
  /** Retention class; of a damaged file, its name. */
  readonly class: string
  /** `age`, `size`: a partition went. `expired`: records came when their slot was purged already. `damaged`: not purged, but a damaged file is not served. */
  readonly reason: 'age' | 'size' | 'expired' | 'damaged'
  readonly records: number
  readonly atMs: number
}

/** A record with its arrival position in this store: positions only grow, and outlive restarts. */
export interface Arrival {
  readonly position: number
  readonly record: LogRecord
}

export interface ArrivalsRequest {
  readonly plan: QueryPlan
  /** Give what arrived behind this position. */
  readonly after: number
  readonly limit: number
}

export interface ArrivalsPage {
  /** In order of arrival. */
  readonly arrivals: readonly Arrival[]
  /** Everything up to here was looked at: ask again from here. */
  readonly position: number
}

/** The unit of purging: a retention class in a time slot. */
export interface PartitionStats {
  readonly class: string
  /** The slot, half-open. Records from the future lie in the slot of their ingest. */
  readonly fromMs: number
  readonly toMs: number
  readonly segments: number
  readonly records: number
  readonly bytes: number
  /** When it is purged, at the latest. */
  readonly purgeAtMs: number
}

export interface StoreStats {
  readonly records: number
  readonly bytesOnDisk: number
  readonly segments: number
  /** Of sealed segments; oldest slot first. */
  readonly partitions: readonly PartitionStats[]
  /** Since the store was made. */
  readonly purged: { readonly partitions: number; readonly records: number; readonly bytes: number }
  readonly oldestMs: number | null
  readonly newestMs: number | null
  /** Files that failed their checksum, put beside and not served; each is a fault to report. */
  readonly setAside: readonly {
    readonly file: string
    readonly problem: string
    /** When it was noticed. */
    readonly atMs: number
    /** What it held. `toMs` 0: nobody knows. */
    readonly fromMs: number
    readonly toMs: number
    readonly records: number
  }[]
}

/**
 * Keeps batches and answers queries. Contract: test/contracts/store.ts.
 * - `append` resolves once the batch is durable and searchable, records and ledger facts in one step: after a crash both are there or neither.
 * - A batch (site, collector, epoch, seq) is kept once: the same digest again answers 'duplicate'; another digest throws SEQUENCE_CONFLICT.
 * - The store never keeps or changes the caller's arrays.
 * - A record it cannot hold: RECORD_REFUSED, with `details.index`; the batch is then refused whole and nothing of it is kept.
 * - Full disk: DISK_FULL, nothing of the batch is kept, queries go on, and it recovers by itself.
 * - A record whose retention class keeps it no longer is not kept (`expired`), and no query shows one that has grown too old.
 * - A query answers from one moment; a failure inside a scan fails the query whole, it is never a short answer.
 * - Meaning of a plan: core/query/matches.ts, on every record.
 */
export interface Store {
  append(batch: StoredBatch, signal: AbortSignal): Promise<'stored' | 'duplicate'>
  /** Keeps marks and retirements; losing the newest few in a crash is allowed (the ledger is then stale, not wrong). */
  note(notes: readonly LedgerNote[]): Promise<void>
  /** Ledger state as of everything appended and noted before the call. */
  ledger(): Promise<LedgerDocument>
  search(request: SearchRequest, signal: AbortSignal): Promise<SearchPage>
  /** Like `search`, for many records: pages of `limit` as NDJSON. Each page answers from a moment of its own. */
  exportPage(request: SearchRequest, signal: AbortSignal): Promise<ExportPage>
  histogram(request: HistogramRequest, signal: AbortSignal): Promise<HistogramAnswer>
  top(request: TopRequest, signal: AbortSignal): Promise<TopAnswer>
  explain(request: ExplainRequest, signal: AbortSignal): Promise<Explanation>
  arrivals(request: ArrivalsRequest, signal: AbortSignal): Promise<ArrivalsPage>
  /** Position behind the newest record: where a tail that wants only news starts. */
  head(): Promise<number>
  /** Calls `listener` soon after records arrived; returns how to stop that. */
  onArrival(listener: () => void): () => void
  stats(): Promise<StoreStats>
  /** Purged and damaged ranges that touch `range` and may have held a record of the plan; oldest first, at most PURGED_LISTED_MAX. */
  purged(request: ExplainRequest): Promise<readonly PurgedRange[]>
  /** Purges what is due now; it also happens by itself. Returns what went. */
  purge(): Promise<readonly PurgedRange[]>
  close(): Promise<void>
}

/**
 * Keeps metric points and answers questions about them. Contract: test/contracts/metric-store.ts.
 * - `append` resolves once the points are durable and found by queries. The batch is kept once: the same key again changes nothing, however
 *   much time has passed within the raw retention (a crash between this and the ledger sends it again).
 * - Points of one series and time are added up, whoever sent them: sums and counts are added, sketches merged, `last` is the newest.
 * - Roll-ups are pure functions of the points: a late point is found in all resolutions.
 * - Points older than the retention of `raw` are not kept and counted as expired; those from the future (beyond a step) are kept at their time.
 * - Meaning of a query: core/metrics/fold.ts, on every point.
 */
export interface MetricStore {
  append(
    batch: { readonly key: BatchKey; readonly points: readonly MetricPoint[] },
    signal: AbortSignal,
  ): Promise<'stored' | 'duplicate'>
  query(query: MetricQuery, signal: AbortSignal): Promise<MetricAnswer>
  /** Names with a point in the range that start with `prefix` or contain it behind a '.' or '_', in order of name; at most `limit`, and how many there are. */
  names(
    ask: { readonly prefix: string; readonly range: TimeRange; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ readonly names: readonly MetricName[]; readonly total: number }>
  /** Tags of the selected series with their most frequent values, in order of tag. */
  tags(
    ask: MetricSelection & { readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ readonly tags: readonly MetricTag[]; readonly series: number }>
  stats(): Promise<MetricStoreStats>
  /** Drops what is too old; it also happens by itself. */
  purge(): Promise<void>
  close(): Promise<void>
}

/** The newest word of every host. */
export interface HealthBoard {
  /** Every host that is expected or was seen and has not left, with what it is now; in order of site and name. */
  hosts(): readonly HostHealth[]
}

/** The ledger as query answers need it: what is covered, and what is known to be missing. Contract: test/contracts/completeness.ts. */
export interface Completeness {
  /** Ask before the query runs: what arrives meanwhile can only make the answer better than stated. */
  judge(range: TimeRange, site: string): SiteCompleteness
  collectors(): readonly CollectorLedger[]
  /** Stops expecting a collector; NOT_FOUND when there is no such. */
  retire(collector: string): Promise<void>
}

export interface QuarantineEntry {
  readonly id: string
  readonly atMs: number
  readonly reason: string
  readonly site: string
  readonly sender: string
  /** What was refused, as text, at most QUARANTINE_TEXT_MAX characters of it. */
  readonly text: string
  /** The refused record, when it could be parsed: what `replay` stores. */
  readonly record?: LogRecord
}

/** Records and bytes that could not be kept, with the reason. Nothing is dropped without standing here. */
export interface Quarantine {
  put(entries: readonly Omit<QuarantineEntry, 'id' | 'atMs'>[]): Promise<void>
  /** Newest first. */
  list(limit: number): Promise<{ readonly total: number; readonly entries: readonly QuarantineEntry[] }>
  /** Tries every entry that has a record again; the ones that are stored now leave. */
  replay(signal: AbortSignal): Promise<{ readonly stored: number; readonly refused: number }>
}

/** The program's own numbers, shown on /metrics. Names in Prometheus form, with unit: `noctule_spool_bytes`. */
export interface Metrics {
  counter(
    name: string,
    help: string,
    labelNames?: readonly string[],
  ): { add(value: number, labels?: Readonly<Record<string, string>>): void }
  /** `read` is called when the numbers are collected. */
  gauge(name: string, help: string, read: () => number): void
  /** Seconds. */
  histogram(
    name: string,
    help: string,
    labelNames?: readonly string[],
  ): { observe(seconds: number, labels?: Readonly<Record<string, string>>): void }
  /** Prometheus text format. */
  text(): Promise<string>
}
