import { isDiskFull } from '../../core/fs.ts'
import { ServiceError, messageOf } from '../../core/errors.ts'
import type { Clock, Logger, TimeRange } from '../../core/ports.ts'
import type { SegmentFacts } from './catalog.ts'
import type { Sql } from './duckdb.ts'
import { inPartition } from './hot-table.ts'
import type { Journal, LedgerSnapshot } from './journal.ts'
import type { HotPartition, Policies } from './partitions.ts'
import { LEVELS, writeSegment } from './segment-writer.ts'
import type { Generation, Shelf } from './shelf.ts'
import type { WordIndexBuilder } from './word-index.ts'

/** Generations in memory beside the one that takes records; more batches wait until one is sealed. */
const WAITING_MAX = 3
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 60_000

/** Turns full generations into segments, one for each partition, one generation after the other, in the background; a failure is tried again. */
export interface Sealer {
  /** Generations that wait or are being sealed. */
  readonly waiting: number
  /** `snapshot` is the ledger at the end of this generation. */
  add(generation: Generation, snapshot: LedgerSnapshot): void
  /** Resolves when fewer than `max` generations (default: so many that one more may wait) are left. Throws what keeps sealing from going on, DISK_FULL or STORE_UNAVAILABLE. */
  room(max?: number): Promise<void>
  /** Waits for the seal that runs; the others stay in their WALs. */
  close(): Promise<void>
}

interface SealerParts {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly sql: Sql
  readonly policies: Policies
  readonly clock: Clock
  readonly log: Logger
  /** Called when a generation is sealed. */
  readonly onSealed: () => void
}

interface Waiting {
  readonly generation: Generation
  readonly snapshot: LedgerSnapshot
  /** Written, and not in the catalog yet: a commit that failed may have got through, so it is repeated with the same files. */
  made?: readonly SegmentFacts[]
}

export function createSealer(parts: SealerParts): Sealer {
  const { journal, shelf, clock, log, onSealed } = parts
  const waiting: Waiting[] = []
  const stop = new AbortController()
  let progress = Promise.withResolvers<void>()
  let failure: ServiceError | undefined
  let work: Promise<void> | undefined

  async function seal(next: Waiting): Promise<void> {
    const { generation, snapshot } = next
    const { gen, wal, expired } = generation
    next.made ??= await writeSegments(generation, parts)
    const segments = await journal.seal(gen, { segments: next.made, expired }, snapshot)
    shelf.sealed(generation, segments)
    await wal
      .close()
      .then(() => journal.removeWal(gen))
      .catch((error: unknown) => {
        // Nothing reads it any more, and the next start removes it.
        log.warn({ gen, problem: messageOf(error) }, 'the log of a sealed generation could not be removed')
      })
  }

  async function sealAll(): Promise<void> {
    for (let retryMs = RETRY_MS_MIN; waiting[0] !== undefined && !stop.signal.aborted;) {
      const { gen } = waiting[0].generation
      try {
        await seal(waiting[0])
        failure = undefined
        retryMs = RETRY_MS_MIN
        waiting.shift()
        onSealed()
      } catch (error) {
        failure = failureOf(error)
        log.error({ gen, problem: messageOf(error), retryMs }, 'sealing failed, it is tried again')
      }
      progress.resolve()
      progress = Promise.withResolvers()
      if (failure !== undefined) {
        await clock.sleep(retryMs, stop.signal).catch(() => undefined)
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)
      }
    }
    work = undefined
  }

  return {
    get waiting() {
      return waiting.length
    },
    add(generation, snapshot) {
      generation.table.finish()
      waiting.push({ generation, snapshot })
      work ??= sealAll()
    },
    async room(max = WAITING_MAX) {
      while (waiting.length >= max) {
        if (failure !== undefined) throw failure
        await progress.promise
      }
    },
    async close() {
      stop.abort()
      await work
    },
  }
}

/** One segment for each partition; when one fails none of them is left. */
async function writeSegments(generation: Generation, parts: SealerParts): Promise<readonly SegmentFacts[]> {
  const made: SegmentFacts[] = []
  try {
    for (const partition of generation.partitions.list())
      made.push(await writePartition(generation, partition, parts))
    return made
  } catch (error) {
    for (const { id } of made) await parts.journal.discard(id)
    throw error
  }
}

function writePartition(
  { table, records }: Generation,
  hot: HotPartition,
  parts: SealerParts,
): Promise<SegmentFacts> {
  const partition = parts.policies.partition(hot.classIndex, hot.slotMs)
  const isAll = hot.records === records
  const inIt = isAll ? 'true' : inPartition(hot.classIndex, hot.slotMs, partition.slotEndMs)
  const source = {
    times: table.timesWhere(inIt),
    rowsWhere: (conditions: readonly string[]) =>
      table.rowsWhere(conditions.map((condition) => `${inIt} AND ${condition}`)),
    addWords: (range: TimeRange, builder: WordIndexBuilder) =>
      table.addWords({ ...hot, slotEndMs: partition.slotEndMs, ...range }, builder),
  }
  const { firstPosition, lastPosition } = hot
  const expected = { ...partition, records: hot.records, firstPosition, lastPosition }
  return writeSegment(parts, source, expected, { level: LEVELS.seal, slices: 'small' })
}

/** DuckDB's own writes say it in words. */
export function isNoSpace(error: unknown): boolean {
  return isDiskFull(error) || messageOf(error).includes('No space left on device')
}

function failureOf(error: unknown): ServiceError {
  if (isNoSpace(error)) return new ServiceError('DISK_FULL', 'no space is left to seal a segment', {}, error)
  return new ServiceError('STORE_UNAVAILABLE', 'segments cannot be sealed', {}, error)
}
