import { ServiceError } from '../core/errors.ts'
import { createLedger } from '../core/ledger/apply.ts'
import type {
  Arrival,
  HistogramAnswer,
  HistogramRequest,
  SearchAfter,
  Store,
  StoredBatch,
  TimeRange,
} from '../core/ports.ts'
import { compileMatcher } from '../core/query/matches.ts'
import type { LogRecord } from '../core/record.ts'
import { createCounts } from './store-counts.ts'
import { assertHoldable, heldRecord } from './store-record.ts'

const RECORDS_MAX = 1_000_000

export interface MemoryStoreOptions {
  /** A batch that would make it more is refused with STORE_UNAVAILABLE: nothing is dropped silently. */
  readonly recordsMax?: number
}

/** Keeps everything in this process, and forgets it at close. Every query looks at every record. */
export function createMemoryStore({ recordsMax = RECORDS_MAX }: MemoryStoreOptions = {}): Store {
  const arrived: Arrival[] = []
  const ledger = createLedger()
  const listeners = new Set<() => void>()
  let closed = false

  function open(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (closed) throw new ServiceError('SHUTTING_DOWN', 'the store is closed')
  }

  function append({ facts, records }: StoredBatch): 'stored' | 'duplicate' {
    records.forEach(assertHoldable)
    const fate = ledger.find(facts, facts.digest)
    if (fate === 'conflict') throw conflict(facts)
    if (fate === 'duplicate') return 'duplicate'
    if (arrived.length + records.length > recordsMax)
      throw new ServiceError('STORE_UNAVAILABLE', 'the memory store is full', { recordsMax })
    for (const record of records) arrived.push({ position: arrived.length + 1, record: heldRecord(record) })
    ledger.applyBatch(facts)
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
    async search({ plan, range, limit, after }, signal) {
      open(signal)
      const matches = compileMatcher(plan)
      const found = arrived
        .map(({ record }) => record)
        .filter((record) => inRange(record, range) && isBehind(record, after) && matches(record))
        .sort(newestFirst)
      return { records: found.slice(0, limit), more: found.length > limit, scanned: arrived.length }
    },
    async histogram(request, signal) {
      open(signal)
      return histogram(arrived, request)
    },
    async arrivals({ plan, after, limit }, signal) {
      open(signal)
      const matches = compileMatcher(plan)
      const found = arrived.filter(({ position, record }) => position > after && matches(record))
      const arrivals = found.slice(0, limit)
      const last = found.length >= limit ? arrivals.at(-1)?.position : undefined
      return { arrivals, position: last ?? Math.max(after, arrived.length) }
    },
    async head() {
      open()
      return arrived.length
    },
    onArrival(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async stats() {
      open()
      const times = arrived.map(({ record }) => record.timeMs)
      return {
        records: arrived.length,
        bytesOnDisk: 0,
        segments: 0,
        oldestMs: times.reduce<number | null>((min, time) => Math.min(min ?? time, time), null),
        newestMs: times.reduce<number | null>((max, time) => Math.max(max ?? time, time), null),
        setAside: [],
      }
    },
    async close() {
      closed = true
      arrived.length = 0
      listeners.clear()
    },
  }
}

function histogram(arrived: readonly Arrival[], request: HistogramRequest): HistogramAnswer {
  const { plan, range, intervalMs, by } = request
  const matches = compileMatcher(plan)
  const counts = createCounts()
  for (const { record } of arrived) {
    if (!inRange(record, range) || !matches(record)) continue
    const startMs = Math.floor(record.timeMs / intervalMs) * intervalMs
    counts.add(startMs, by === undefined ? '' : record[by], 1)
  }
  return { buckets: counts.buckets(by !== undefined), scanned: arrived.length }
}

function inRange({ timeMs }: LogRecord, { fromMs, toMs }: TimeRange): boolean {
  return timeMs >= fromMs && timeMs < toMs
}

function isBehind(record: LogRecord, after: SearchAfter | undefined): boolean {
  if (after === undefined) return true
  return record.timeMs < after.timeMs || (record.timeMs === after.timeMs && record.id < after.id)
}

function newestFirst(left: LogRecord, right: LogRecord): number {
  return right.timeMs - left.timeMs || (right.id > left.id ? 1 : -1)
}

function conflict({ collector, epoch, seq }: StoredBatch['facts']): ServiceError {
  const message = 'another batch is stored under this number'
  return new ServiceError('SEQUENCE_CONFLICT', message, { collector, epoch, seq })
}
