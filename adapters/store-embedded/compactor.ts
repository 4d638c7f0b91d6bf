import { messageOf } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { SegmentEntry, SegmentFacts } from './catalog.ts'
import { filesOf } from './parts.ts'
import type { Policies } from './partitions.ts'
import { STORED_COLUMNS } from './promoted.ts'
import { inPartitions, partitionKey } from './purger.ts'
import { LEVELS, writeSegment } from './segment-writer.ts'
import type { WriterParts } from './segment-writer.ts'
import { isNoSpace } from './sealer.ts'
import type { Sealer } from './sealer.ts'
import type { Shelf } from './shelf.ts'

/** A segment of so many records is not compacted any more. */
export const COMPACTED_RECORDS_MAX = 1_048_576
/** Of all files that become one: what is read of them at a time has to fit into memory. */
const COMPACTED_BYTES_MAX = 128 << 20
/** So many small segments of a partition become one. */
const COMPACT_SEGMENTS_MIN = 8
/** When nothing new comes, so many become one, … */
const COMPACT_REST_MIN = 4
/** … or fewer, when they are so few records together that it costs next to nothing. */
const COMPACT_REST_RECORDS = 131_072
/** Segments of one tier differ in size by at most this factor, so that a record is rewritten few times. */
const TIER_FACTOR = 8
const LOOK_EVERY_MS = 60_000
/** A partition that is purged soon is left alone. */
const PURGED_SOON_MS = 600_000

/** Makes few large segments of many small ones, in the background, when nothing waits to be sealed. */
export interface Compactor {
  /** Something was sealed, or may have been before: looks now, and every minute from then on. */
  look(): void
  /** Stops what runs; its drafts are removed. */
  close(): Promise<void>
}

interface CompactorParts extends WriterParts {
  readonly shelf: Shelf
  readonly sealer: Pick<Sealer, 'waiting'>
  readonly policies: Policies
  readonly clock: Clock
  readonly log: Logger
}

export function createCompactor(parts: CompactorParts): Compactor {
  const { shelf, sealer, policies, clock, log } = parts
  const stop = new AbortController()
  /** Not tried again by this process, after a failure that is not the disk's. */
  const failed = new Set<number>()
  let uncommitted: Written | undefined
  let work: Promise<void> | undefined
  let newest = newestByPartition(shelf.segments)
  let quiet: ReadonlySet<string> = new Set()
  let cancel: (() => void) | undefined

  function tick(): void {
    cancel = clock.after(LOOK_EVERY_MS, tick)
    const now = newestByPartition(shelf.segments)
    quiet = new Set([...now.keys()].filter((key) => now.get(key) === newest.get(key)))
    newest = now
    look()
  }

  function look(): void {
    if (stop.signal.aborted) return
    cancel ??= clock.after(LOOK_EVERY_MS, tick)
    work ??= compactAll().finally(() => (work = undefined))
  }

  function next(): readonly SegmentEntry[] | undefined {
    if (stop.signal.aborted || sealer.waiting > 0) return undefined
    const usable = shelf.segments.filter(({ id }) => !failed.has(id))
    return toCompact(usable, policies, { nowMs: clock.nowMs(), quiet })
  }

  async function compactAll(): Promise<void> {
    for (let run = next(); run !== undefined || uncommitted !== undefined; run = next()) {
      try {
        uncommitted ??= run === undefined ? undefined : await merge(run, parts, stop.signal)
        if (uncommitted === undefined) return
        await commit()
      } catch (error) {
        if (stop.signal.aborted) return
        const segments = (run ?? []).map(({ id }) => id)
        log.error({ segments, problem: messageOf(error) }, 'segments could not be compacted')
        if (uncommitted !== undefined || isNoSpace(error)) return
        for (const id of segments) failed.add(id)
      }
    }
  }

  /** A commit that fails may have got through: it is repeated with the same files. */
  async function commit(): Promise<void> {
    if (uncommitted === undefined) return
    const { inputs, made } = uncommitted
    const segment = await parts.journal.compact(inputs, made)
    uncommitted = undefined
    if (segment === null) return parts.journal.discard(made.id)
    shelf.replaced(
      inputs.map(({ id }) => id),
      segment,
    )
  }

  return {
    look,
    async close() {
      cancel?.()
      stop.abort()
      await work
    },
  }
}

interface Written {
  readonly inputs: readonly SegmentEntry[]
  readonly made: SegmentFacts
}

/** Writes the drafts of what these segments become; undefined when one of them is not there any more. */
async function merge(
  inputs: readonly SegmentEntry[],
  { shelf, sql, journal }: CompactorParts,
  signal: AbortSignal,
): Promise<Written | undefined> {
  const ids = new Set(inputs.map(({ id }) => id))
  const snapshot = shelf.snapshot()
  try {
    const sources = snapshot.sources.filter(({ from }) => from.type === 'segment' && ids.has(from.segment.id))
    const [first] = inputs
    if (sources.length !== inputs.length || first === undefined) return undefined
    await shelf.verify(sources)
    const files = filesOf(sources.flatMap(({ from }) => (from.type === 'segment' ? from.path : [])))
    const { class: its, slotMs, slotEndMs } = first
    const made = await writeSegment(
      { sql, journal },
      {
        times: `SELECT time FROM ${files}`,
        rowsWhere: (conditions) =>
          conditions
            .map((condition) => `SELECT ${STORED_COLUMNS} FROM ${files} WHERE ${condition}`)
            .join(' UNION ALL '),
      },
      {
        class: its,
        slotMs,
        slotEndMs,
        records: inputs.reduce((sum, { records }) => sum + records, 0),
        firstPosition: inputs.reduce((min, { firstPosition }) => Math.min(min, firstPosition), Infinity),
        lastPosition: inputs.reduce((max, { lastPosition }) => Math.max(max, lastPosition), 0),
      },
      { level: LEVELS.compaction, slices: 'block', signal },
    )
    return { inputs, made }
  } finally {
    snapshot.release()
  }
}

/**
 * Segments of one partition that should become one; undefined when there is nothing to do. A partition whose slot is over and that is
 * `quiet`, which got nothing new for a while, becomes as few as possible.
 */
export function toCompact(
  segments: readonly SegmentEntry[],
  policies: Pick<Policies, 'purgeAtMs'>,
  { nowMs, quiet }: { readonly nowMs: number; readonly quiet: ReadonlySet<string> },
): readonly SegmentEntry[] | undefined {
  const small = segments.filter(
    ({ records, bytes }) => records < COMPACTED_RECORDS_MAX && bytes < COMPACTED_BYTES_MAX,
  )
  for (const partition of inPartitions(small)) {
    const [first] = partition
    if (first === undefined || policies.purgeAtMs(first) <= nowMs + PURGED_SOON_MS) continue
    const inOrder = partition.toSorted((left, right) => left.minMs - right.minMs)
    const isDone = nowMs >= first.slotEndMs && quiet.has(partitionKey(first))
    const tiers = isDone ? [inOrder] : fullTiers(inOrder)
    const run = tiers.map(longestRun).find(isWorthIt)
    if (run !== undefined) return run
  }
  return undefined
}

function newestByPartition(segments: readonly SegmentEntry[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>()
  for (const segment of segments) {
    const key = partitionKey(segment)
    newest.set(key, Math.max(newest.get(key) ?? 0, segment.id))
  }
  return newest
}

/** Groups of segments of about the same size, with enough of them. */
function fullTiers(segments: readonly SegmentEntry[]): readonly (readonly SegmentEntry[])[] {
  const tiers = Map.groupBy(segments, ({ records }) => Math.floor(Math.log(records) / Math.log(TIER_FACTOR)))
  return [...tiers.values()].filter(({ length }) => length >= COMPACT_SEGMENTS_MIN)
}

/** Writing a record again costs about half of what taking it cost. */
function isWorthIt(run: readonly SegmentEntry[]): boolean {
  const records = run.reduce((sum, segment) => sum + segment.records, 0)
  return run.length >= COMPACT_REST_MIN || (run.length >= 2 && records <= COMPACT_REST_RECORDS)
}

/** The most neighbours that fit into one segment. */
function longestRun(segments: readonly SegmentEntry[]): readonly SegmentEntry[] {
  let best: readonly SegmentEntry[] = []
  for (let from = 0; from < segments.length; from++) {
    let [records, bytes] = [0, 0]
    const rest = segments.slice(from)
    const end = rest.findIndex((segment) => {
      records += segment.records
      bytes += segment.bytes
      return records > COMPACTED_RECORDS_MAX || bytes > COMPACTED_BYTES_MAX
    })
    const run = end < 0 ? rest : rest.slice(0, end)
    if (run.length > best.length) best = run
    if (end < 0) break
  }
  return best
}
