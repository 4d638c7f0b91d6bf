import { isDiskFull } from '../../core/fs.ts'
import { ServiceError, messageOf } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { Sql } from './duckdb.ts'
import type { Journal, LedgerSnapshot, SegmentFacts } from './journal.ts'
import { sqlText } from './plan-sql.ts'
import type { Generation, Shelf } from './shelf.ts'

/** Generations in memory beside the one that takes records; more batches wait until one is sealed. */
const WAITING_MAX = 3
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 60_000
/** Above this the services of a segment are not listed: skipping by service would hardly ever help. */
const SERVICES_LISTED_MAX = 64

/** Turns full generations into segments, one after the other, in the background; a failure is tried again. */
export interface Sealer {
  /** `snapshot` is the ledger at the end of this generation. */
  add(generation: Generation, snapshot: LedgerSnapshot): void
  /** Resolves when one more generation may wait. Throws what keeps sealing from going on, DISK_FULL or STORE_UNAVAILABLE. */
  room(): Promise<void>
  /** Waits for the seal that runs; the others stay in their WALs. */
  close(): Promise<void>
}

interface SealerParts {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly sql: Sql
  readonly clock: Clock
  readonly log: Logger
}

export function createSealer({ journal, shelf, sql, clock, log }: SealerParts): Sealer {
  const waiting: { generation: Generation; snapshot: LedgerSnapshot }[] = []
  const stop = new AbortController()
  let progress = Promise.withResolvers<void>()
  let failure: ServiceError | undefined
  let work: Promise<void> | undefined

  async function seal(generation: Generation, snapshot: LedgerSnapshot): Promise<void> {
    const { gen, records, wal } = generation
    const facts = await factsOf(generation, sql)
    if (records > 0) await writeDraft(generation, journal.draftPath(gen), sql)
    await journal.commit(facts, snapshot)
    shelf.trust(gen)
    shelf.sealed(generation)
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
      const { generation, snapshot } = waiting[0]
      try {
        await seal(generation, snapshot)
        failure = undefined
        retryMs = RETRY_MS_MIN
        waiting.shift()
      } catch (error) {
        failure = failureOf(error)
        log.error(
          { gen: generation.gen, problem: messageOf(error), retryMs },
          'sealing failed, it is tried again',
        )
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
    add(generation, snapshot) {
      generation.table.finish()
      waiting.push({ generation, snapshot })
      work ??= sealAll()
    },
    async room() {
      while (waiting.length >= WAITING_MAX) {
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

async function factsOf(generation: Generation, sql: Sql): Promise<SegmentFacts> {
  const { gen, records, firstPosition, lastPosition, minMs, maxMs, table } = generation
  const distinct = async (column: string) => {
    const result = await sql.run(
      `SELECT DISTINCT ${column} FROM (${table.relation(lastPosition)}) LIMIT ${SERVICES_LISTED_MAX + 1}`,
    )
    return [...result.chunks()].flatMap(({ columns }) => (columns[0] ?? []).map(String))
  }
  const facts = { gen, records, firstPosition, lastPosition, minMs, maxMs }
  if (records === 0) return { ...facts, levels: [], services: [] }
  const services = await distinct('service')
  return {
    ...facts,
    levels: await distinct('level'),
    services: services.length > SERVICES_LISTED_MAX ? null : services,
  }
}

async function writeDraft({ table, records }: Generation, path: string, sql: Sql): Promise<void> {
  await table.writeTo(path)
  const counted = await sql.run(`SELECT count(*)::DOUBLE FROM read_parquet(${sqlText(path)})`)
  const [chunk] = counted.chunks()
  const written = Number(chunk?.columns[0]?.[0])
  if (written !== records) throw new Error(`a segment has ${written} records instead of ${records}`)
}

/** DuckDB's own writes say it in words. */
function failureOf(error: unknown): ServiceError {
  const full = isDiskFull(error) || messageOf(error).includes('No space left on device')
  if (full) return new ServiceError('DISK_FULL', 'no space is left to seal a segment', {}, error)
  return new ServiceError('STORE_UNAVAILABLE', 'segments cannot be sealed', {}, error)
}
