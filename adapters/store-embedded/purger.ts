import { messageOf } from '../../core/errors.ts'
import type { Clock, ExplainRequest, Logger, PurgedRange } from '../../core/ports.ts'
import { listPurged, publicRange, withPurged } from '../store-purged.ts'
import type { Purged } from '../store-purged.ts'
import type { CatalogState, SegmentEntry } from './catalog.ts'
import { damagedRanges } from './damage.ts'
import type { Journal, PurgeEntry } from './journal.ts'
import type { HotPartition, Policies } from './partitions.ts'
import { SERVICES_LISTED_MAX } from './segment-index.ts'
import type { Shelf } from './shelf.ts'

const PURGE_EVERY_MS = 60_000

/** Drops segments whose time is over, or that do not fit any more. What went stands in the catalog. */
export interface Purger {
  /** Purges what is due now, in one step. Rejects when that could not be written. */
  run(): Promise<readonly PurgedRange[]>
  /** What went, what is hidden already because it has to, and what damaged files held. */
  list(request: ExplainRequest): readonly PurgedRange[]
  close(): void
}

interface PurgerParts {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly policies: Policies
  readonly clock: Clock
  readonly log: Logger
}

export function createPurger(parts: PurgerParts): Purger {
  const { journal, shelf, policies, clock, log } = parts
  let cancel = clock.after(PURGE_EVERY_MS, tick)

  function tick(): void {
    cancel = clock.after(PURGE_EVERY_MS, tick)
    run().catch((error: unknown) => {
      log.error({ problem: messageOf(error) }, 'purging failed, it is tried again in a minute')
    })
  }

  async function run(): Promise<readonly PurgedRange[]> {
    const nowMs = clock.nowMs()
    const otherBytes = shelf.generations.reduce((sum, { wal }) => sum + wal.size, 0)
    const went = await journal.purge((state) => toPurge(state, policies, { nowMs, otherBytes }))
    for (const { removed, purged, bytes } of went) {
      shelf.replaced(removed)
      log.info({ ...publicRange(purged), bytes, segments: removed.length }, 'purged a partition')
    }
    return went.map(({ purged }) => publicRange(purged))
  }

  return {
    run,
    list(request) {
      const nowMs = clock.nowMs()
      const due = dueEntries(journal.state.segments, policies, nowMs).map(({ purged }) => purged)
      const hot = shelf.dueInMemory().map((partition) => hotPurged(partition, policies, nowMs))
      const expired = shelf.generations.flatMap((generation) => generation.expired)
      const purged = [...due, ...hot, ...expired].reduce(withPurged, journal.state.purged)
      const keptMs = policies.classes.reduce((max, { maxAgeMs }) => Math.max(max, maxAgeMs), 0)
      return listPurged([...purged, ...damagedRanges(journal.state.setAside, { nowMs, keptMs })], request)
    },
    close() {
      cancel()
    },
  }
}

/** What has to go: by age, then, oldest first, what makes a class or everything too large. */
export function toPurge(
  { segments }: CatalogState,
  policies: Policies,
  { nowMs, otherBytes }: { nowMs: number; otherBytes: number },
): readonly PurgeEntry[] {
  const byAge = dueEntries(segments, policies, nowMs)
  let left = without(segments, byAge)
  const bySize: PurgeEntry[] = []
  const fit = (some: readonly SegmentEntry[], bytesMax: number | null) => {
    const tooMuch = oldestAbove(some, bytesMax ?? Infinity, policies)
    const entries = inPartitions(tooMuch).map((gone) => entryOf(gone, left, { reason: 'size', nowMs }))
    left = without(left, entries)
    bySize.push(...entries)
  }
  for (const { name, bytesMax } of policies.classes)
    fit(
      left.filter((segment) => segment.class === name),
      bytesMax,
    )
  fit(left, policies.bytesMax === null ? null : policies.bytesMax - otherBytes)
  return [...byAge, ...bySize]
}

function dueEntries(segments: readonly SegmentEntry[], policies: Policies, nowMs: number): PurgeEntry[] {
  const due = segments.filter((segment) => policies.purgeAtMs(segment) <= nowMs)
  return inPartitions(due).map((gone) => entryOf(gone, segments, { reason: 'age', nowMs }))
}

/** The segments that have to go for the rest to fit: those that would be purged first. */
function oldestAbove(
  segments: readonly SegmentEntry[],
  bytesMax: number,
  policies: Policies,
): readonly SegmentEntry[] {
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  const gone: SegmentEntry[] = []
  if (bytes <= bytesMax) return gone
  const inOrder = segments.toSorted(
    (left, right) => policies.purgeAtMs(left) - policies.purgeAtMs(right) || left.maxMs - right.maxMs,
  )
  for (const segment of inOrder) {
    if (bytes <= bytesMax) break
    gone.push(segment)
    bytes -= segment.bytes
  }
  return gone
}

/** Names a partition. */
export function partitionKey({ class: its, slotMs }: Pick<SegmentEntry, 'class' | 'slotMs'>): string {
  return JSON.stringify([its, slotMs])
}

/** Segments by partition; oldest slot first. */
export function inPartitions(segments: readonly SegmentEntry[]): readonly (readonly SegmentEntry[])[] {
  const partitions = Map.groupBy(segments, partitionKey)
  return [...partitions.values()].sort((left, right) => (left[0]?.slotMs ?? 0) - (right[0]?.slotMs ?? 0))
}

/** The entry of some segments of one partition, of all that there are. */
function entryOf(
  gone: readonly SegmentEntry[],
  all: readonly SegmentEntry[],
  { reason, nowMs }: { reason: 'age' | 'size'; nowMs: number },
): PurgeEntry {
  const removed = new Set(gone.map(({ id }) => id))
  const its = gone[0]?.class ?? ''
  const slotMs = gone[0]?.slotMs ?? 0
  const isRest = all.some(
    (segment) => segment.class === its && segment.slotMs === slotMs && !removed.has(segment.id),
  )
  const purged = {
    class: its,
    reason,
    atMs: nowMs,
    fromMs: gone.reduce((min, { minMs }) => Math.min(min, minMs), Infinity),
    toMs: gone.reduce((max, { maxMs }) => Math.max(max, maxMs + 1), -Infinity),
    records: gone.reduce((sum, { records }) => sum + records, 0),
    levels: [...new Set(gone.flatMap(({ levels }) => levels))],
    services: gone.some(({ services }) => services === null)
      ? null
      : [...new Set(gone.flatMap(({ services }) => services ?? []))],
  }
  const bytes = gone.reduce((sum, segment) => sum + segment.bytes, 0)
  return { removed: [...removed], purged, partitions: isRest ? 0 : 1, bytes }
}

function without(segments: readonly SegmentEntry[], entries: readonly PurgeEntry[]): readonly SegmentEntry[] {
  const gone = new Set(entries.flatMap(({ removed }) => removed))
  return segments.filter(({ id }) => !gone.has(id))
}

function hotPurged(partition: HotPartition, policies: Policies, atMs: number): Purged {
  const { classIndex, slotMs, records, minMs, maxMs, levels, services } = partition
  return {
    class: policies.partition(classIndex, slotMs).class,
    reason: 'age',
    atMs,
    fromMs: minMs,
    toMs: maxMs + 1,
    records,
    levels: [...levels],
    services: services.size > SERVICES_LISTED_MAX ? null : [...services],
  }
}
