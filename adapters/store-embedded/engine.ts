import { join } from 'node:path'
import { ServiceError } from '../../core/errors.ts'
import { createLedger } from '../../core/ledger/apply.ts'
import type { Ledger } from '../../core/ledger/apply.ts'
import type { LedgerDocument } from '../../core/ledger/types.ts'
import type {
  ArrivalsRequest,
  Clock,
  ExplainRequest,
  Fs,
  Logger,
  SearchRequest,
  Store,
} from '../../core/ports.ts'
import type { Retention } from '../../core/retention.ts'
import { encodeChunks } from './columns.ts'
import type { SegmentEntry } from './catalog.ts'
import { createCompactor } from './compactor.ts'
import type { Compactor } from './compactor.ts'
import { openDuckDb } from './duckdb.ts'
import type { Sql } from './duckdb.ts'
import { openJournal } from './journal.ts'
import type { Journal, Unsealed } from './journal.ts'
import { createPolicies } from './partitions.ts'
import type { Policies } from './partitions.ts'
import { createPurger } from './purger.ts'
import type { Purger } from './purger.ts'
import { createQueries } from './queries.ts'
import { createSealer } from './sealer.ts'
import type { Sealer } from './sealer.ts'
import { rebuildFile } from './segment-writer.ts'
import { createShelf } from './shelf.ts'
import type { Generation, Shelf } from './shelf.ts'
import { statsOf } from './stats.ts'
import type { EncodedBatch } from './wal-entry.ts'
import { addToTable, createWriter, openGeneration } from './writer.ts'
import type { Writer } from './writer.ts'

/** A generation's WAL is at most this part of the query engine's memory: hot tables have to fit in it. */
const WAL_SHARE = 1 / 8
/** A tail asks after each of these, and planning a statement alone costs some 5 ms of CPU. */
const ARRIVAL_DELAY_MS = 100

export interface EngineOptions {
  /** Everything is kept here; locked while open. */
  readonly dir: string
  /** Records in the hot table before they are sealed into a segment. */
  readonly segmentRecords: number
  /** A hot table older than this is sealed, however small. */
  readonly segmentAgeMsMax: number
  /** Memory limit of the query engine in MiB. */
  readonly memoryMbMax: number
  readonly threads: number
  readonly retention: Retention
  /** Latency quantiles of more records are estimated, to 1 %. */
  readonly exactQuantileRecordsMax?: number | undefined
}

export interface EngineParts {
  readonly fs: Fs
  readonly clock: Clock
  readonly log: Logger
}

/** Records of an answer, as chunks of columns. */
export interface EncodedPage {
  readonly chunks: readonly Uint8Array<ArrayBuffer>[]
  readonly more: boolean
  readonly scanned: number
}

export interface EncodedArrivals {
  readonly chunks: readonly Uint8Array<ArrayBuffer>[]
  /** One for each record. */
  readonly positions: readonly number[]
  readonly position: number
}

/** The store behind its front: batches and records go in and out encoded, so that they can cross a thread. */
export interface Engine extends Omit<Store, 'append' | 'search' | 'arrivals'> {
  append(batch: EncodedBatch, signal: AbortSignal): Promise<'stored' | 'duplicate'>
  search(request: SearchRequest, signal: AbortSignal): Promise<EncodedPage>
  arrivals(request: ArrivalsRequest, signal: AbortSignal): Promise<EncodedArrivals>
}

/** Locks and opens a directory, and brings back what its WALs hold. Throws DATA_DIR_IN_USE. */
export async function openEngine(options: EngineOptions, { fs, clock, log }: EngineParts): Promise<Engine> {
  const lock = await fs.lock(options.dir)
  try {
    const journal = await openJournal(fs, options.dir, () => clock.nowMs())
    const policies = createPolicies(options.retention)
    const { memoryMbMax, threads } = options
    const tempDir = await emptyFolder(fs, join(options.dir, 'tmp'))
    const sql = await openDuckDb({ memoryMbMax, threads, tempDir })
    const rebuild = oneAtATime((segment: SegmentEntry, file: 'index' | 'rollup') =>
      rebuildFile({ sql, journal }, segment, file),
    )
    const readFile = (path: string) => fs.readFile(path)
    const shelf = createShelf({ journal, policies, clock, log, rebuild, readFile })
    const ledger = createLedger(journal.snapshot.ledger)
    const shared = { journal, shelf, sql, policies, clock, log }
    const sealer = createSealer({ ...shared, onSealed: () => compactor.look() })
    const compactor: Compactor = createCompactor({ ...shared, sealer })
    const arrivals = createArrivalSignal(clock)
    const active = await restore({ ...shared, ledger, sealer })
    for (const { file, problem } of journal.state.setAside)
      log.error({ file, problem }, 'a damaged file is set aside')
    const writer = createWriter(
      { ...shared, sealer, ledger, onArrival: () => arrivals.ring() },
      { ...options, walBytesMax: memoryMbMax * WAL_SHARE * 2 ** 20 },
      active,
    )
    const purger = createPurger(shared)
    compactor.look()
    await purger.run().catch(() => undefined) // It is tried again in a minute, and what is due is hidden.
    const release = () => lock.release()
    const { exactQuantileRecordsMax } = options
    const running = { ...shared, ledger, writer, sealer, compactor, purger, arrivals, release }
    return engineOver({ ...running, exactQuantileRecordsMax })
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** One call waits for the one before. */
function oneAtATime<T extends unknown[]>(work: (...given: T) => Promise<void>): typeof work {
  let last: Promise<void> = Promise.resolve()
  return (...given) => {
    const done = last.then(() => work(...given))
    last = done.catch(() => undefined)
    return done
  }
}

interface Running {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly sql: Sql
  readonly policies: Policies
  readonly clock: Clock
  readonly ledger: Ledger
  readonly writer: Writer
  readonly sealer: Sealer
  readonly compactor: Compactor
  readonly purger: Purger
  readonly arrivals: ReturnType<typeof createArrivalSignal>
  readonly release: () => Promise<void>
  readonly exactQuantileRecordsMax: number | undefined
}

function engineOver(running: Running): Engine {
  const { journal, shelf, sql, ledger, writer, sealer, compactor, purger, arrivals, release } = running
  const queries = createQueries(sql, shelf, running.exactQuantileRecordsMax)
  const underway = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  /** Runs unless the store is closing; closing waits for it. */
  async function during<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    if (closing !== undefined) throw new ServiceError('SHUTTING_DOWN', 'the store is closed')
    const working = work()
    underway.add(working)
    try {
      return await working
    } finally {
      underway.delete(working)
    }
  }

  async function shut(): Promise<void> {
    purger.close()
    await Promise.allSettled(underway)
    await compactor.close()
    await writer.close()
    await sealer.close()
    for (const { wal } of shelf.generations) await wal.close()
    await journal.close()
    await shelf.close()
    sql.close()
    await release()
  }

  /** What is due in memory goes too: it is sealed first. */
  async function purge(): ReturnType<Engine['purge']> {
    if (shelf.dueInMemory().length > 0) {
      await writer.rotate()
      await sealer.room(1)
    }
    return purger.run()
  }

  return {
    append: (batch, signal) => during(signal, () => writer.append(batch)),
    note: (notes) => during(undefined, () => writer.note(notes)),
    ledger: () => during(undefined, async (): Promise<LedgerDocument> => ledger.snapshot()),
    search: (request, signal) =>
      during(signal, async () => {
        const { records, ...page } = await queries.search(request, signal)
        return { ...page, chunks: await encodeChunks(records) }
      }),
    exportPage: (request, signal) => during(signal, () => queries.exportPage(request, signal)),
    histogram: (request, signal) => during(signal, () => queries.histogram(request, signal)),
    top: (request, signal) => during(signal, () => queries.top(request, signal)),
    explain: (request, signal) => during(signal, () => queries.explain(request)),
    arrivals: (request, signal) =>
      during(signal, async () => {
        const { arrivals, position } = await queries.arrivals(request, signal)
        const chunks = await encodeChunks(arrivals.map(({ record }) => record))
        return { chunks, positions: arrivals.map((arrival) => arrival.position), position }
      }),
    head: () => during(undefined, async () => shelf.position),
    onArrival: (listener) => arrivals.listen(listener),
    stats: () => during(undefined, async () => statsOf(running)),
    purged: (request: ExplainRequest) => during(undefined, async () => purger.list(request)),
    purge: () => during(undefined, purge),
    close: () => (closing ??= shut()),
  }
}

interface Restoring {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly sql: Sql
  readonly policies: Policies
  readonly ledger: Ledger
  readonly sealer: Sealer
}

/** Rebuilds the generations that are not sealed; the newest goes on, the others are sealed. */
async function restore(parts: Restoring): Promise<Generation> {
  const { journal, shelf, sealer, ledger } = parts
  const positions = journal.state.segments.map(({ lastPosition }) => lastPosition)
  shelf.position = Math.max(journal.snapshot.position, ...positions)
  let active: Generation | undefined
  for (const unsealed of journal.unsealed) {
    if (active !== undefined)
      sealer.add(active, { gen: active.gen, position: shelf.position, ledger: ledger.snapshot() })
    active = await replay(parts, unsealed)
    shelf.add(active)
  }
  if (active !== undefined) return active
  active = await openGeneration(parts, journal.nextGen)
  shelf.add(active)
  return active
}

async function replay(parts: Restoring, { gen, entries, walBytes }: Unsealed): Promise<Generation> {
  const { journal, shelf, ledger } = parts
  const generation = await openGeneration(parts, gen, walBytes)
  const isNew = gen > journal.snapshot.gen
  for (const entry of entries) {
    if (entry.type === 'batch') {
      addToTable(generation, entry.batch, entry.firstPosition)
      shelf.position = Math.max(shelf.position, generation.lastPosition)
      if (isNew) ledger.applyBatch(entry.batch.facts)
    } else if (isNew) for (const note of entry.notes) ledger.applyNote(note)
  }
  return generation
}

async function emptyFolder(fs: Fs, path: string): Promise<string> {
  await fs.mkdir(path)
  for (const name of await fs.list(path)) await fs.remove(join(path, name))
  return path
}

/** Tells listeners soon after something arrived: once for what comes close together. */
function createArrivalSignal(clock: Clock) {
  const listeners = new Set<() => void>()
  let armed = false

  function tell(): void {
    armed = false
    for (const listener of listeners) listener()
  }

  return {
    ring(): void {
      if (!armed) clock.after(ARRIVAL_DELAY_MS, tell)
      armed = true
    },
    listen(listener: () => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
