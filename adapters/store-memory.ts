import { systemClock } from '../core/clock.ts'
import { ServiceError } from '../core/errors.ts'
import { createLedger } from '../core/ledger/apply.ts'
import type {
  Arrival,
  ArrivalsPage,
  ArrivalsRequest,
  Clock,
  Explanation,
  ExportPage,
  HistogramAnswer,
  HistogramRequest,
  SearchAfter,
  SearchPage,
  SearchRequest,
  Store,
  StoredBatch,
  StoreStats,
  TimeRange,
  TopAnswer,
  TopRequest,
} from '../core/ports.ts'
import { compileGrep } from '../core/query/grep.ts'
import { compileMatcher } from '../core/query/matches.ts'
import type { QueryPlan } from '../core/query/plan.ts'
import { RECORD_FIELDS, toPublicRecord } from '../core/record.ts'
import type { LogRecord } from '../core/record.ts'
import { KEEP_ALL } from '../core/retention.ts'
import type { Retention } from '../core/retention.ts'
import { createCounts } from './store-counts.ts'
import { createMemoryRecords } from './store-memory-records.ts'
import type { MemoryRecords } from './store-memory-records.ts'
import { listPurged, publicRange } from './store-purged.ts'
import { assertHoldable } from './store-record.ts'
import { createTop } from './store-top.ts'

const RECORDS_MAX = 1_000_000

export interface MemoryStoreOptions {
  /** A batch that would make it more is refused with STORE_UNAVAILABLE: nothing is dropped silently. */
  readonly recordsMax?: number
  /** Only ages count: there are no bytes on disk. KEEP_ALL unless given. */
  readonly retention?: Retention
  readonly clock?: Clock
}

/** Keeps everything in this process, and forgets it at close. Every query looks at every record. */
export function createMemoryStore({
  recordsMax = RECORDS_MAX,
  retention = KEEP_ALL,
  clock = systemClock,
}: MemoryStoreOptions = {}): Store {
  const records = createMemoryRecords({ recordsMax, retention, clock })
  const ledger = createLedger()
  const listeners = new Set<() => void>()
  let closed = false

  function open(signal?: AbortSignal): MemoryRecords {
    signal?.throwIfAborted()
    if (closed) throw new ServiceError('SHUTTING_DOWN', 'the store is closed')
    return records
  }

  function append(batch: StoredBatch): 'stored' | 'duplicate' {
    batch.records.forEach(assertHoldable)
    const fate = ledger.find(batch.facts, batch.facts.digest)
    if (fate === 'conflict') throw conflict(batch.facts)
    if (fate === 'duplicate') return 'duplicate'
    records.add(batch.records)
    ledger.applyBatch(batch.facts)
    for (const listener of listeners) queueMicrotask(listener)
    return 'stored'
  }

  return {
    async append(batch, signal) {
      open(signal)
      return append(batch)
    },
    async note(notes) {
      open()
      for (const note of notes) ledger.applyNote(note)
    },
    async ledger() {
      open()
      return ledger.snapshot()
    },
    search: async (request, signal) => search(open(signal).all(), request),
    exportPage: async (request, signal) => exportPage(open(signal).all(), request),
    histogram: async (request, signal) => histogram(open(signal).all(), request),
    top: async (request, signal) => top(open(signal).all(), request),
    explain: async (_, signal) => explain(open(signal)),
    arrivals: async (request, signal) => arrivals(open(signal), request),
    head: async () => open().head(),
    onArrival(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stats: async () => stats(open()),
    purged: async (request) => listPurged(open().purged(), request),
    purge: async () => open().purge().map(publicRange),
    async close() {
      closed = true
      records.clear()
      listeners.clear()
    },
  }
}

function search(arrived: readonly Arrival[], request: SearchRequest): SearchPage {
  const { plan, range, limit, after, order, grep } = request
  const compare = order === 'oldest' ? oldestFirst : newestFirst
  const hasText = grep === undefined ? () => true : compileGrep(grep)
  const found = matching(arrived, plan, range)
    .filter((record) => (after === undefined || compare(after, record) < 0) && hasText(record))
    .sort(compare)
  return { records: found.slice(0, limit), more: found.length > limit, scanned: arrived.length }
}

function exportPage(arrived: readonly Arrival[], request: SearchRequest): ExportPage {
  const { records, more, scanned } = search(arrived, request)
  const lines = records.map((record) => `${JSON.stringify(toPublicRecord(record))}\n`)
  const last = records.at(-1)
  return {
    ndjson: new TextEncoder().encode(lines.join('')),
    records: records.length,
    next: more && last !== undefined ? { timeMs: last.timeMs, id: last.id } : null,
    scanned,
  }
}

function histogram(arrived: readonly Arrival[], request: HistogramRequest): HistogramAnswer {
  const { plan, range, intervalMs, by, quantile } = request
  const counts = createCounts(quantile)
  for (const record of matching(arrived, plan, range)) {
    const startMs = Math.floor(record.timeMs / intervalMs) * intervalMs
    const value = by === undefined ? '' : record[by]
    counts.add(startMs, value, 1)
    const number = quantile === undefined ? null : record[RECORD_FIELDS[quantile.of].key]
    if (number !== null) counts.addNumber(startMs, value, number)
  }
  return { buckets: counts.buckets(by !== undefined), scanned: arrived.length }
}

function top(arrived: readonly Arrival[], { plan, range, field, limit }: TopRequest): TopAnswer {
  const values = createTop(field)
  for (const record of matching(arrived, plan, range)) values.add(record)
  return { ...values.answer(limit), scanned: arrived.length }
}

/** Everything is one block that is read, record by record. */
function explain(held: MemoryRecords): Explanation {
  const records = held.all().length
  const partitions = held.partitions().length
  const total = records > 0 ? 1 : 0
  return {
    partitions,
    partitionsRead: partitions,
    blocks: { total, outOfRange: 0, excludedByValues: 0, excludedByWords: 0, read: total },
    records,
    bytes: 0,
    exact: false,
  }
}

function arrivals(held: MemoryRecords, { plan, after, limit }: ArrivalsRequest): ArrivalsPage {
  const matches = compileMatcher(plan)
  const found = held.all().filter(({ position, record }) => position > after && matches(record))
  const page = found.slice(0, limit).map(({ position, record }) => ({ position, record }))
  const last = found.length >= limit ? page.at(-1)?.position : undefined
  return { arrivals: page, position: last ?? Math.max(after, held.head()) }
}

function stats(held: MemoryRecords): StoreStats {
  const times = held.all().map(({ record }) => record.timeMs)
  return {
    records: times.length,
    bytesOnDisk: 0,
    segments: 0,
    partitions: held.partitions(),
    purged: held.purgedTotal(),
    oldestMs: times.reduce<number | null>((min, time) => Math.min(min ?? time, time), null),
    newestMs: times.reduce<number | null>((max, time) => Math.max(max ?? time, time), null),
    setAside: [],
  }
}

function matching(arrived: readonly Arrival[], plan: QueryPlan, { fromMs, toMs }: TimeRange): LogRecord[] {
  const matches = compileMatcher(plan)
  return arrived
    .map(({ record }) => record)
    .filter((record) => record.timeMs >= fromMs && record.timeMs < toMs && matches(record))
}

function oldestFirst(left: SearchAfter, right: SearchAfter): number {
  if (left.timeMs !== right.timeMs) return left.timeMs - right.timeMs
  if (left.id === right.id) return 0
  return left.id < right.id ? -1 : 1
}

function newestFirst(left: SearchAfter, right: SearchAfter): number {
  return oldestFirst(right, left)
}

function conflict({ collector, epoch, seq }: StoredBatch['facts']): ServiceError {
  const message = 'another batch is stored under this number'
  return new ServiceError('SEQUENCE_CONFLICT', message, { collector, epoch, seq })
}
