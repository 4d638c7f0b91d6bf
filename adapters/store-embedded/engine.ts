import { join } from 'node:path'
import { ServiceError } from '../../core/errors.ts'
import { createLedger } from '../../core/ledger/apply.ts'
import type { Ledger } from '../../core/ledger/apply.ts'
import type { LedgerDocument } from '../../core/ledger/types.ts'
import type {
  ArrivalsRequest,
  Clock,
  Fs,
  Logger,
  SearchRequest,
  Store,
  StoreStats,
} from '../../core/ports.ts'
import { encodeChunks } from './columns.ts'
import { openDuckDb } from './duckdb.ts'
import type { Sql } from './duckdb.ts'
import { openJournal } from './journal.ts'
import type { Journal, Unsealed } from './journal.ts'
import { createQueries } from './queries.ts'
import { createSealer } from './sealer.ts'
import type { Sealer } from './sealer.ts'
import { createShelf } from './shelf.ts'
import type { Generation, Shelf } from './shelf.ts'
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
    const journal = await openJournal(fs, options.dir)
    const { memoryMbMax, threads } = options
    const tempDir = await emptyFolder(fs, join(options.dir, 'tmp'))
    const sql = await openDuckDb({ memoryMbMax, threads, tempDir })
    const shelf = createShelf(journal, log)
    const ledger = createLedger(journal.snapshot.ledger)
    const sealer = createSealer({ journal, shelf, sql, clock, log })
    const arrivals = createArrivalSignal(clock)
    const active = await restore({ journal, shelf, sql, ledger, sealer })
    for (const { file, problem } of journal.setAside)
      log.error({ file, problem }, 'a damaged file is set aside')
    const writer = createWriter(
      { journal, shelf, sealer, sql, ledger, clock, log, onArrival: () => arrivals.ring() },
      { ...options, walBytesMax: memoryMbMax * WAL_SHARE * 2 ** 20 },
      active,
    )
    return engineOver({
      journal,
      shelf,
      sql,
      ledger,
      writer,
      sealer,
      arrivals,
      release: () => lock.release(),
    })
  } catch (error) {
    await lock.release()
    throw error
  }
}

interface Running {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly sql: Sql
  readonly ledger: Ledger
  readonly writer: Writer
  readonly sealer: Sealer
  readonly arrivals: ReturnType<typeof createArrivalSignal>
  readonly release: () => Promise<void>
}

function engineOver({ journal, shelf, sql, ledger, writer, sealer, arrivals, release }: Running): Engine {
  const queries = createQueries(sql, shelf)
  const underway = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  /** Runs unless the store is closing; closing waits for it. */
  async function during<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    if (closing !== undefined) throw new ServiceError('SHUTTING_DOWN', 'the store is closed')
    const running = work()
    underway.add(running)
    try {
      return await running
    } finally {
      underway.delete(running)
    }
  }

  async function shut(): Promise<void> {
    await Promise.allSettled(underway)
    await writer.close()
    await sealer.close()
    for (const { wal } of shelf.generations) await wal.close()
    await journal.close()
    await shelf.close()
    sql.close()
    await release()
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
    histogram: (request, signal) => during(signal, () => queries.histogram(request, signal)),
    arrivals: (request, signal) =>
      during(signal, async () => {
        const { arrivals, position } = await queries.arrivals(request, signal)
        const chunks = await encodeChunks(arrivals.map(({ record }) => record))
        return { chunks, positions: arrivals.map((arrival) => arrival.position), position }
      }),
    head: () => during(undefined, async () => shelf.position),
    onArrival: (listener) => arrivals.listen(listener),
    stats: () => during(undefined, async () => statsOf(journal, shelf)),
    close: () => (closing ??= shut()),
  }
}

interface Restoring {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly sql: Sql
  readonly ledger: Ledger
  readonly sealer: Sealer
}

/** Rebuilds the generations that are not sealed; the newest goes on, the others are sealed. */
async function restore(parts: Restoring): Promise<Generation> {
  const { journal, shelf, sealer, ledger } = parts
  const positions = journal.segments.map(({ lastPosition }) => lastPosition)
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
  generation.table.flush()
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

function statsOf({ segments, setAside }: Journal, { generations }: Shelf): StoreStats {
  const all = [...segments, ...generations].filter(({ records }) => records > 0)
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  return {
    records: sum(all.map(({ records }) => records)),
    bytesOnDisk: sum([...segments.map(({ bytes }) => bytes), ...generations.map(({ wal }) => wal.size)]),
    segments: segments.length,
    oldestMs: all.reduce<number | null>((min, { minMs }) => Math.min(min ?? minMs, minMs), null),
    newestMs: all.reduce<number | null>((max, { maxMs }) => Math.max(max ?? maxMs, maxMs), null),
    setAside: [...setAside],
  }
}
