import type { Clock, Logger } from '../../core/ports.ts'
import { ServiceError, messageOf } from '../../core/errors.ts'
import type { Purged } from '../store-purged.ts'
import type { SegmentEntry } from './catalog.ts'
import type { SegmentFile } from './files.ts'
import { keptFrom } from './hot-table.ts'
import type { HotTable } from './hot-table.ts'
import { createIndexCache } from './index-cache.ts'
import type { Journal, Wal } from './journal.ts'
import type { HotPartition, PartitionCounts, Policies } from './partitions.ts'
import { createReaders } from './readers.ts'
import { decodeSegmentIndex } from './segment-index.ts'
import type { Block } from './segment-index.ts'

/** A generation that takes records or waits to be sealed. */
export interface Generation {
  readonly gen: number
  readonly wal: Wal
  readonly table: HotTable
  readonly partitions: PartitionCounts
  /** What was too old when it came; into the catalog when the generation is sealed. */
  expired: readonly Purged[]
  records: number
  firstPosition: number
  lastPosition: number
  minMs: number
  maxMs: number
}

/** Something to scan: a sealed segment or a hot table. Positions of several sources may alternate. */
export interface Source {
  /** Some of a hot table's may be hidden. */
  readonly records: number
  readonly firstPosition: number
  readonly lastPosition: number
  readonly minMs: number
  readonly maxMs: number
  readonly from:
    | {
        readonly type: 'segment'
        readonly segment: SegmentEntry
        /** Row groups are narrow in time, but their order in the file means nothing. */
        readonly path: string
        readonly rollupPath: string | null
        /** Oldest first. Throws STORE_UNAVAILABLE when the segment turns out to be damaged. */
        blocks(): Promise<readonly Block[]>
      }
    | {
        readonly type: 'hot'
        /** SELECT with the columns of a segment. */
        readonly relation: string
        /** All of its records are plain (plain.ts). */
        readonly isPlain: boolean
      }
}

/** What a query sees, from one moment. What is in it is kept until `release`. */
export interface Snapshot {
  readonly position: number
  readonly sources: readonly Source[]
  release(): void
}

/** All that can be queried: the generations in memory and the segments. */
export interface Shelf {
  readonly generations: readonly Generation[]
  /** Highest position that can be read. */
  position: number
  add(generation: Generation): void
  /** What can be read; it follows the catalog. */
  readonly segments: readonly SegmentEntry[]
  /** In one step: the generation is out, its segments, already in the catalog and written just now, are in. Its table goes when the last query is done. */
  sealed(generation: Generation, segments: readonly SegmentEntry[]): void
  /** In one step: these segments are out, as they are in the catalog, and one may be in. The files go when the last query is done. */
  replaced(ids: readonly number[], by?: SegmentEntry): void
  /** Hides what has to be purged by now. Throws STORE_UNAVAILABLE when a memory table is not whole. */
  snapshot(): Snapshot
  /** Partitions in memory that have to be purged by now. */
  dueInMemory(): readonly HotPartition[]
  /** Throws STORE_UNAVAILABLE when a segment of these fails its checksum, after it was put aside; each is read once per process. A damaged roll-up is made again. */
  verify(sources: readonly Source[]): Promise<void>
  /** After a query failed on these: reads all of them again. */
  suspect(sources: readonly Source[]): Promise<void>
  /** Waits for what is being dropped. */
  close(): Promise<void>
}

export interface ShelfParts {
  readonly journal: Journal
  readonly policies: Policies
  readonly clock: Clock
  readonly log: Logger
  /** Makes a sidecar or roll-up again from the segment's records. */
  readonly rebuild: (segment: SegmentEntry, file: Exclude<SegmentFile, 'parquet'>) => Promise<void>
  /** Reads a whole file. */
  readonly readFile: (path: string) => Promise<Buffer>
}

export function createShelf(parts: ShelfParts): Shelf {
  const { journal, policies, clock, log } = parts
  const checks = createChecks(parts, () => {
    const known = new Map(journal.state.segments.map((segment) => [segment.id, segment]))
    segments = segments.flatMap(({ id }) => known.get(id) ?? [])
  })
  const tasks = createTasks(log)
  const tables = createReaders<Generation>(({ gen, table }) => {
    tasks.run(() => table.drop(), { gen }, 'a hot table could not be dropped')
  })
  const files = createReaders<number>((id) => {
    checks.forget(id)
    tasks.run(() => journal.removeFiles([id]), { segment: id }, 'a segment that left could not be removed')
  })
  let generations: readonly Generation[] = []
  let segments = journal.state.segments

  /** Some may have left the catalog again meanwhile. */
  function show(added: readonly SegmentEntry[]): void {
    const known = new Set(journal.state.segments.map(({ id }) => id))
    for (const { id } of added) checks.trust(id)
    segments = [...segments, ...added].filter(({ id }) => known.has(id))
  }

  function hotSource(generation: Generation, position: number, keptFromMs: readonly number[]): Source {
    const { records, firstPosition, lastPosition, minMs, maxMs, table } = generation
    const due = new Set(duePartitions(generation, keptFromMs).map(({ classIndex }) => classIndex))
    const kept = [...due].map((classIndex) => keptFrom(classIndex, keptFromMs[classIndex] ?? 0))
    const relation = table.relation(position, kept.length === 0 ? undefined : kept.join(' AND '))
    return {
      records,
      firstPosition,
      lastPosition,
      minMs,
      maxMs,
      from: { type: 'hot', relation, isPlain: table.isPlain },
    }
  }

  return {
    position: 0,
    get generations() {
      return generations
    },
    add(generation) {
      generations = [...generations, generation]
    },
    get segments() {
      return segments
    },
    sealed(generation, made) {
      show(made)
      generations = generations.filter((other) => other !== generation)
      tables.retire(generation)
    },
    replaced(ids, by) {
      const gone = new Set(ids)
      segments = segments.filter(({ id }) => !gone.has(id))
      if (by !== undefined) show([by])
      for (const id of ids) files.retire(id)
    },
    snapshot() {
      const nowMs = clock.nowMs()
      const keptFromMs = policies.keptFromMs(nowMs)
      const { position } = this
      const held = generations.filter(({ records }) => records > 0)
      for (const { table } of held) table.flush()
      const kept = segments.filter((segment) => policies.purgeAtMs(segment) > nowMs)
      const ids = kept.map(({ id }) => id)
      tables.hold(held)
      files.hold(ids)
      const sources = [
        ...kept.map((segment) => segmentSource(segment, journal, checks)),
        ...held.map((generation) => hotSource(generation, position, keptFromMs)),
      ]
      const release = () => {
        tables.release(held)
        files.release(ids)
      }
      return { position, sources, release }
    },
    dueInMemory() {
      const keptFromMs = policies.keptFromMs(clock.nowMs())
      return generations.flatMap((generation) => duePartitions(generation, keptFromMs))
    },
    verify: (sources) => checks.verify(segmentsOf(sources)),
    async suspect(sources) {
      const segments = segmentsOf(sources)
      for (const { id } of segments) checks.forget(id)
      await checks.verify(segments)
    },
    close: () => tasks.close(),
  }
}

function segmentsOf(sources: readonly Source[]): SegmentEntry[] {
  return sources.flatMap(({ from }) => (from.type === 'segment' ? from.segment : []))
}

function segmentSource(segment: SegmentEntry, journal: Journal, checks: Checks): Source {
  const { id, records, firstPosition, lastPosition, minMs, maxMs } = segment
  const from = {
    type: 'segment' as const,
    segment,
    path: journal.path(id, 'parquet'),
    rollupPath: segment.files.rollup === null ? null : journal.path(id, 'rollup'),
    blocks: () => checks.blocks(segment),
  }
  return { records, firstPosition, lastPosition, minMs, maxMs, from }
}

function duePartitions({ partitions }: Generation, keptFromMs: readonly number[]): readonly HotPartition[] {
  return partitions.list().filter(({ classIndex, slotMs }) => slotMs < (keptFromMs[classIndex] ?? -Infinity))
}

interface Checks {
  verify(segments: readonly SegmentEntry[]): Promise<void>
  blocks(segment: SegmentEntry): Promise<readonly Block[]>
  trust(id: number): void
  /** Its files are looked at again. */
  forget(id: number): void
}

/**
 * Looks at the files of segments before they are first read; puts aside or makes again what is damaged. `onChange`: the catalog says
 * something else of a segment now.
 */
function createChecks({ journal, log, rebuild, readFile }: ShelfParts, onChange: () => void): Checks {
  const checked = new Map<number, Promise<void>>()
  const indexes = createIndexCache()

  async function check(segment: SegmentEntry): Promise<void> {
    const { id, records } = segment
    const problem = await journal.problemOf(segment, 'parquet').catch(messageOf)
    if (problem === undefined) return repair(segment, 'rollup')
    if (journal.state.segments.some((other) => other.id === id)) {
      await journal.putAside(segment, problem)
      onChange()
      log.error({ segment: id, problem, records }, 'a segment is damaged and was put aside')
    }
    const message = 'a segment is damaged and was put aside: ask again for the rest'
    throw new ServiceError('STORE_UNAVAILABLE', message, { segment: id, problem })
  }

  /** What follows from the records is made again when it is damaged. */
  async function repair(segment: SegmentEntry, file: 'index' | 'rollup'): Promise<void> {
    const now = journal.state.segments.find(({ id }) => id === segment.id) ?? segment
    const problem = await journal.problemOf(now, file).catch(messageOf)
    if (problem === undefined) return
    log.error(
      { segment: segment.id, file, problem },
      'what follows from a segment is damaged: it is made again',
    )
    await rebuild(now, file)
    onChange()
  }

  function verified(segment: SegmentEntry): Promise<void> {
    const known = checked.get(segment.id)
    if (known !== undefined) return known
    const checking = check(segment)
    checked.set(segment.id, checking)
    checking.catch(() => checked.delete(segment.id)) // Whoever asks again gets an answer of that moment.
    return checking
  }

  async function readIndex(segment: SegmentEntry): Promise<{ blocks: readonly Block[]; bytes: number }> {
    const path = () => journal.path(segment.id, 'index')
    try {
      const bytes = await readFile(path())
      return { blocks: decodeSegmentIndex(bytes), bytes: bytes.length }
    } catch (error) {
      log.error({ segment: segment.id, problem: messageOf(error) }, 'a segment index is made again')
    }
    await verified(segment)
    await rebuild(segment, 'index')
    onChange()
    const bytes = await readFile(path())
    return { blocks: decodeSegmentIndex(bytes), bytes: bytes.length }
  }

  return {
    async verify(segments) {
      for (const segment of segments) await verified(segment)
    },
    blocks: (segment) => indexes.get(segment.id, () => readIndex(segment)),
    trust(id) {
      checked.set(id, Promise.resolve())
    },
    forget(id) {
      checked.delete(id)
      indexes.drop(id)
    },
  }
}

/** Work that nobody waits for but `close`. */
function createTasks(log: Logger) {
  const running = new Set<Promise<void>>()
  return {
    run(work: () => Promise<void>, fields: object, failure: string): void {
      const task = work()
        .catch((error: unknown) => {
          log.error({ ...fields, problem: messageOf(error) }, failure)
        })
        .finally(() => running.delete(task))
      running.add(task)
    },
    async close(): Promise<void> {
      await Promise.all(running)
    },
  }
}
