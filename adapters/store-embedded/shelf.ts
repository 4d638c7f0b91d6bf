import type { Logger, TimeRange } from '../../core/ports.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { ServiceError, messageOf } from '../../core/errors.ts'
import type { HotTable } from './hot-table.ts'
import type { Journal, SegmentEntry, Wal } from './journal.ts'
import { mayHold, sqlText } from './plan-sql.ts'

/** A generation that takes records or waits to be sealed. */
export interface Generation {
  readonly gen: number
  readonly wal: Wal
  readonly table: HotTable
  records: number
  firstPosition: number
  lastPosition: number
  minMs: number
  maxMs: number
}

/** Something to scan: a sealed segment or a hot table. */
export interface Source {
  readonly records: number
  readonly firstPosition: number
  readonly lastPosition: number
  readonly minMs: number
  readonly maxMs: number
  readonly from: { readonly path: string; readonly segment: SegmentEntry } | { readonly relation: string }
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
  /** In one step: the generation is out, its segment (already in the journal) is in. Its table goes when the last query is done. */
  sealed(generation: Generation): void
  snapshot(): Snapshot
  /** Throws STORE_UNAVAILABLE when a segment of these fails its checksum, after it was put aside; each is read once per process. */
  verify(sources: readonly Source[]): Promise<void>
  /** After a query failed on these: reads all of them again. */
  suspect(sources: readonly Source[]): Promise<void>
  /** This segment was written by this process just now. */
  trust(gen: number): void
  /** Waits for tables that are being dropped. */
  close(): Promise<void>
}

export function createShelf(journal: Journal, log: Logger): Shelf {
  const checks = new Map<number, Promise<void>>()
  const readers = new Map<Generation, number>()
  const dropped = new Set<Generation>()
  const drops = new Set<Promise<void>>()
  let generations: readonly Generation[] = []

  async function check(segment: SegmentEntry): Promise<void> {
    const problem = await journal.problemOf(segment).catch(messageOf)
    if (problem === undefined) return
    if (journal.segments.some(({ gen }) => gen === segment.gen)) {
      await journal.putAside(segment, problem)
      log.error(
        { gen: segment.gen, problem, records: segment.records },
        'a segment is damaged and was put aside',
      )
    }
    const message = 'a segment is damaged and was put aside: ask again for the rest'
    throw new ServiceError('STORE_UNAVAILABLE', message, { segment: segment.gen, problem })
  }

  async function verify(sources: readonly Source[]): Promise<void> {
    for (const segment of segmentsOf(sources)) {
      const known = checks.get(segment.gen) ?? check(segment)
      checks.set(segment.gen, known)
      await known
    }
  }

  function drop(generation: Generation): void {
    if (!dropped.has(generation) || (readers.get(generation) ?? 0) > 0) return
    dropped.delete(generation)
    const dropping = generation.table
      .drop()
      .catch((error: unknown) => {
        log.error({ gen: generation.gen, problem: messageOf(error) }, 'a hot table could not be dropped')
      })
      .finally(() => drops.delete(dropping))
    drops.add(dropping)
  }

  function hold(held: readonly Generation[], by: 1 | -1): void {
    for (const generation of held) {
      const count = (readers.get(generation) ?? 0) + by
      if (count > 0) readers.set(generation, count)
      else readers.delete(generation)
      drop(generation)
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
    sealed(generation) {
      generations = generations.filter((other) => other !== generation)
      dropped.add(generation)
      drop(generation)
    },
    snapshot() {
      // A generation whose segment is in the catalog since this moment still stands here.
      const sealed = new Set(journal.segments.map(({ gen }) => gen))
      const held = generations.filter(({ gen, records }) => records > 0 && !sealed.has(gen))
      const { position } = this
      hold(held, 1)
      const hot = held.map((generation) => hotSource(generation, position))
      const sources = [...journal.segments.map((segment) => segmentSource(journal, segment)), ...hot]
      return { position, sources, release: () => hold(held, -1) }
    },
    verify,
    async suspect(sources) {
      for (const { gen } of segmentsOf(sources)) checks.delete(gen)
      await verify(sources)
    },
    trust(gen) {
      checks.set(gen, Promise.resolve())
    },
    async close() {
      await Promise.all(drops)
    },
  }
}

/** The sources that may hold a record of the plan in the range. */
export function relevant(sources: readonly Source[], plan: QueryPlan, range: TimeRange): readonly Source[] {
  return sources.filter(({ minMs, maxMs, from }) => {
    if (maxMs < range.fromMs || minMs >= range.toMs) return false
    return !('segment' in from) || mayHold(plan.root, from.segment)
  })
}

/** One relation over all of them. */
export function relationOf(sources: readonly Source[]): string {
  const paths = sources.flatMap(({ from }) => ('path' in from ? sqlText(from.path) : []))
  const relations = sources.flatMap(({ from }) => ('relation' in from ? from.relation : []))
  const files = paths.length === 0 ? [] : [`SELECT * FROM read_parquet([${paths.join(', ')}])`]
  return `(${[...files, ...relations].join(' UNION ALL ')})`
}

function segmentsOf(sources: readonly Source[]): SegmentEntry[] {
  return sources.flatMap(({ from }) => ('segment' in from ? from.segment : []))
}

function hotSource(generation: Generation, position: number): Source {
  const { records, firstPosition, lastPosition, minMs, maxMs, table } = generation
  return { records, firstPosition, lastPosition, minMs, maxMs, from: { relation: table.relation(position) } }
}

function segmentSource(journal: Journal, segment: SegmentEntry): Source {
  const { records, firstPosition, lastPosition, minMs, maxMs } = segment
  const from = { path: journal.segmentPath(segment.gen), segment }
  return { records, firstPosition, lastPosition, minMs, maxMs, from }
}
