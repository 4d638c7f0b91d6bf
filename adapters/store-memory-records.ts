import { ServiceError } from '../core/errors.ts'
import type { Arrival, Clock, PartitionStats, StoreStats } from '../core/ports.ts'
import type { LogRecord } from '../core/record.ts'
import { createClassifier, isExpired, purgeAtMs, slotMsOf, slotOf } from '../core/retention.ts'
import type { Retention, RetentionClass } from '../core/retention.ts'
import { createPurgedCount, withPurged } from './store-purged.ts'
import type { Purged, PurgedCount } from './store-purged.ts'
import { heldRecord } from './store-record.ts'

/** The records of a memory store, as its retention policy wants them. Nothing here shows a record that has to be gone. */
export interface MemoryRecords {
  /** Keeps what is not expired. Throws STORE_UNAVAILABLE, and keeps nothing, when that is too much. */
  add(records: readonly LogRecord[]): void
  /** In order of arrival. */
  all(): readonly Arrival[]
  /** Position of the newest that ever arrived; 0 when there was none. */
  head(): number
  /** Oldest slot first. */
  partitions(): readonly PartitionStats[]
  /** Drops the partitions that are due, and says which these were. */
  purge(): readonly Purged[]
  purged(): readonly Purged[]
  /** What partitions were purged so far. */
  purgedTotal(): StoreStats['purged']
  clear(): void
}

interface Kept extends Arrival {
  readonly class: RetentionClass
  /** Start of its slot. */
  readonly slotMs: number
}

export interface MemoryRecordsOptions {
  readonly recordsMax: number
  readonly retention: Retention
  readonly clock: Clock
}

export function createMemoryRecords({ recordsMax, retention, clock }: MemoryRecordsOptions): MemoryRecords {
  const classOf = createClassOf(retention)
  let kept: Kept[] = []
  let head = 0
  let nextPurgeMs = Infinity
  let purged: readonly Purged[] = []
  let total = { partitions: 0, records: 0, bytes: 0 }

  function purge(): readonly Purged[] {
    const nowMs = clock.nowMs()
    if (nowMs < nextPurgeMs) return []
    const due = kept.filter((one) => purgeTimeOf(one) <= nowMs)
    kept = kept.filter((one) => purgeTimeOf(one) > nowMs)
    nextPurgeMs = kept.reduce((next, one) => Math.min(next, purgeTimeOf(one)), Infinity)
    const went = inPartitions(due).flatMap((partition) => purgedOf(partition, nowMs))
    purged = went.reduce(withPurged, purged)
    total = {
      partitions: total.partitions + went.length,
      records: total.records + due.length,
      bytes: 0,
    }
    return went
  }

  return {
    add(records) {
      purge()
      const { fresh, expired } = sorted(records, classOf, clock.nowMs())
      if (kept.length + fresh.length > recordsMax)
        throw new ServiceError('STORE_UNAVAILABLE', 'the memory store is full', { recordsMax })
      for (const one of fresh) {
        head += 1
        kept.push({ ...one, position: head })
        nextPurgeMs = Math.min(nextPurgeMs, purgeTimeOf(one))
      }
      purged = expired.reduce(withPurged, purged)
    },
    all() {
      purge()
      return kept
    },
    head: () => head,
    partitions() {
      purge()
      return inPartitions(kept).map(statsOf)
    },
    purge,
    purged() {
      purge()
      return purged
    },
    purgedTotal() {
      purge()
      return total
    },
    clear() {
      kept = []
    },
  }
}

function createClassOf(retention: Retention): (record: LogRecord) => RetentionClass {
  const classify = createClassifier(retention)
  return (record) => {
    const found = retention.classes[classify(record)]
    if (found === undefined) throw new Error('a retention policy has at least one class')
    return found
  }
}

/** What is to be kept, and for each class what came too late for that. */
function sorted(
  records: readonly LogRecord[],
  classOf: (record: LogRecord) => RetentionClass,
  nowMs: number,
): { fresh: Omit<Kept, 'position'>[]; expired: Purged[] } {
  const fresh: Omit<Kept, 'position'>[] = []
  const late = new Map<string, PurgedCount>()
  for (const record of records.map(heldRecord)) {
    const found = classOf(record)
    if (isExpired(record, found, nowMs)) {
      const count = late.get(found.name) ?? createPurgedCount()
      count.add(record)
      late.set(found.name, count)
    } else {
      fresh.push({ record, class: found, slotMs: slotOf(record, slotMsOf(found)) })
    }
  }
  const expired = [...late].flatMap(
    ([name, count]) => count.purged({ class: name, reason: 'expired', atMs: nowMs }) ?? [],
  )
  return { fresh, expired }
}

function purgeTimeOf({ class: its, slotMs }: Pick<Kept, 'class' | 'slotMs'>): number {
  return purgeAtMs(slotMs, its)
}

interface Partition {
  readonly class: RetentionClass
  readonly slotMs: number
  readonly kept: Kept[]
}

/** Oldest slot first. */
function inPartitions(kept: readonly Kept[]): readonly Partition[] {
  const partitions = new Map<string, Partition>()
  for (const one of kept) {
    const key = `${one.slotMs} ${one.class.name}`
    const partition = partitions.get(key) ?? { class: one.class, slotMs: one.slotMs, kept: [] }
    partition.kept.push(one)
    partitions.set(key, partition)
  }
  return [...partitions.values()].sort((left, right) => left.slotMs - right.slotMs)
}

function purgedOf(partition: Partition, atMs: number): Purged | [] {
  const count = createPurgedCount()
  for (const { record } of partition.kept) count.add(record)
  return count.purged({ class: partition.class.name, reason: 'age', atMs }) ?? []
}

function statsOf({ class: its, slotMs, kept }: Partition): PartitionStats {
  return {
    class: its.name,
    fromMs: slotMs,
    toMs: slotMs + slotMsOf(its),
    segments: 0,
    records: kept.length,
    bytes: 0,
    purgeAtMs: purgeAtMs(slotMs, its),
  }
}
