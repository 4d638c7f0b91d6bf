import type { Clock, PartitionStats, StoreStats } from '../../core/ports.ts'
import type { CatalogState, SegmentEntry } from './catalog.ts'
import type { Journal } from './journal.ts'
import type { Policies } from './partitions.ts'
import { inPartitions } from './purger.ts'
import type { Shelf } from './shelf.ts'

interface StatsParts {
  readonly journal: Pick<Journal, 'state'>
  readonly shelf: Pick<Shelf, 'segments' | 'generations' | 'dueInMemory'>
  readonly policies: Policies
  readonly clock: Clock
}

/** What a store holds; without what has to be purged by now. */
export function statsOf({ journal, shelf, policies, clock }: StatsParts): StoreStats {
  const nowMs = clock.nowMs()
  const due = new Set(shelf.dueInMemory())
  const kept = shelf.segments.filter((segment) => policies.purgeAtMs(segment) > nowMs)
  const hot = shelf.generations.flatMap(({ partitions }) => partitions.list()).filter((one) => !due.has(one))
  const all = [...kept, ...hot]
  const bytes = [...shelf.segments.map((one) => one.bytes), ...shelf.generations.map(({ wal }) => wal.size)]
  return {
    records: sum(all.map(({ records }) => records)),
    bytesOnDisk: sum(bytes),
    segments: kept.length,
    partitions: partitionsOf(kept, policies),
    purged: journal.state.purgedTotal,
    oldestMs: all.reduce<number | null>((min, { minMs }) => Math.min(min ?? minMs, minMs), null),
    newestMs: all.reduce<number | null>((max, { maxMs }) => Math.max(max ?? maxMs, maxMs), null),
    setAside: [...journal.state.setAside],
  }
}

/** Oldest slot first. */
export function partitionsOf(
  segments: CatalogState['segments'],
  policies: Pick<Policies, 'purgeAtMs'>,
): readonly PartitionStats[] {
  return inPartitions(segments).flatMap((partition) => {
    const [first] = partition
    if (first === undefined) return []
    const { class: its, slotMs, slotEndMs } = first
    return {
      class: its,
      fromMs: slotMs,
      toMs: slotEndMs,
      segments: partition.length,
      records: sum(partition.map(({ records }: SegmentEntry) => records)),
      bytes: sum(partition.map((segment) => segment.bytes)),
      purgeAtMs: policies.purgeAtMs(first),
    }
  })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
