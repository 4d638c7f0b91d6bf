import { isDiskFull } from '../../core/fs.ts'
import { ServiceError, messageOf } from '../../core/errors.ts'
import type { Ledger } from '../../core/ledger/apply.ts'
import type { BatchKey, LedgerNote } from '../../core/ledger/types.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { withPurged } from '../store-purged.ts'
import { joinedColumns } from './columns.ts'
import { createHotTable } from './hot-table.ts'
import type { Sql } from './duckdb.ts'
import type { Journal } from './journal.ts'
import { createPartitionCounts } from './partitions.ts'
import type { Policies } from './partitions.ts'
import type { Sealer } from './sealer.ts'
import type { Generation, Shelf } from './shelf.ts'
import type { EncodedBatch, WalEntry } from './wal-entry.ts'

/** Batches that share one sync are at most about so long: it bounds the copy that is written. */
const GROUP_BYTES_MAX = 8 << 20
/** Notes wait this long for a batch to share its sync with. */
const NOTES_DELAY_MS_MAX = 5_000

export interface WriterOptions {
  readonly segmentRecords: number
  readonly segmentAgeMsMax: number
  readonly walBytesMax: number
}

interface WriterParts {
  readonly journal: Journal
  readonly shelf: Shelf
  readonly sealer: Sealer
  readonly sql: Sql
  readonly policies: Policies
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Logger
  readonly onArrival: () => void
}

/** Takes batches: durable in the WAL first, then in the hot table and the ledger. All that wait for a sync share the next one. */
export interface Writer {
  append(batch: EncodedBatch): Promise<'stored' | 'duplicate'>
  note(notes: readonly LedgerNote[]): Promise<void>
  /** Lets the generation that takes records go to be sealed, unless it is empty. Throws when sealing cannot go on. */
  rotate(): Promise<void>
  /** Finishes what was begun; the WALs stay open. */
  close(): Promise<void>
}

interface Waiting {
  /** null: only the notes are to be kept. */
  readonly batch: EncodedBatch | null
  readonly bytes: number
  readonly done: PromiseWithResolvers<void>
}

/** A generation with what its WAL holds, and where it ends. */
export async function openGeneration(
  { journal, sql, policies }: Pick<WriterParts, 'journal' | 'sql' | 'policies'>,
  gen: number,
  walBytes = 0,
): Promise<Generation> {
  const wal = await journal.openWal(gen, walBytes)
  const table = await createHotTable(sql, gen, policies)
  const partitions = createPartitionCounts(policies.slotsMs)
  const none = { records: 0, firstPosition: 0, lastPosition: 0, minMs: Infinity, maxMs: -Infinity }
  return { gen, wal, table, partitions, expired: [], ...none }
}

/** Adds a batch's records to a hot table; they are counted, and can be read once it is flushed: whoever reads does that. */
export function addToTable(generation: Generation, batch: EncodedBatch, firstPosition: number): void {
  const { table, partitions } = generation
  let position = firstPosition
  if (generation.records === 0) generation.firstPosition = firstPosition
  for (const chunk of batch.chunks) {
    const columns = joinedColumns(chunk)
    table.add(columns, position, (row) => {
      partitions.add(row)
      if (row.timeMs < generation.minMs) generation.minMs = row.timeMs
      if (row.timeMs > generation.maxMs) generation.maxMs = row.timeMs
    })
    position += columns.rows
    generation.records += columns.rows
  }
  generation.lastPosition = position - 1
  generation.expired = batch.expired.reduce(withPurged, generation.expired)
}

export function createWriter(parts: WriterParts, options: WriterOptions, first: Generation): Writer {
  const { journal, shelf, sealer, ledger, clock, log } = parts
  const queue: Waiting[] = []
  const underway = new Map<string, Promise<void>>()
  const notes = createPendingNotes()
  const asked: PromiseWithResolvers<void>[] = []
  let active = first
  let nextGen = Math.max(journal.nextGen, first.gen + 1)
  let due = false
  let failure: ServiceError | undefined
  let work: Promise<void> | undefined
  let cancelAge = armAge()
  let cancelNotes: (() => void) | undefined

  function armAge(): () => void {
    return clock.after(options.segmentAgeMsMax, () => {
      due = true
      start()
    })
  }

  function start(): void {
    work ??= run().finally(() => {
      work = undefined
      if (queue.length > 0 || asked.length > 0) start()
    })
  }

  async function run(): Promise<void> {
    if (due && !active.wal.isEmpty) {
      await rotate().catch((error: unknown) => {
        log.warn({ gen: active.gen, problem: messageOf(error) }, 'an old generation cannot be sealed yet')
      })
    }
    for (const done of asked.splice(0)) {
      if (active.wal.isEmpty) done.resolve()
      else await rotate().then(done.resolve, done.reject)
    }
    while (queue.length > 0) {
      const group = takeGroup(queue, options.segmentRecords)
      try {
        if (mustRotate(active, group, options)) await rotate()
        await commit(group)
        for (const { done } of group) done.resolve()
      } catch (error) {
        const refusal = refusalOf(error)
        for (const { done } of group) done.reject(refusal)
      }
    }
  }

  async function rotate(): Promise<void> {
    if (failure !== undefined) throw failure
    await sealer.room()
    try {
      active.table.flush()
    } catch (error) {
      throw failed(error)
    }
    const next = await openGeneration(parts, nextGen)
    nextGen += 1
    const full = active
    active = next
    due = false
    cancelAge()
    cancelAge = armAge()
    shelf.add(next)
    sealer.add(full, { gen: full.gen, position: shelf.position, ledger: ledger.snapshot() })
  }

  async function commit(group: readonly Waiting[]): Promise<void> {
    if (failure !== undefined) throw failure
    const noted = notes.peek()
    const entries: WalEntry[] = noted.length === 0 ? [] : [{ type: 'notes', notes: noted }]
    let position = shelf.position + 1
    for (const { batch } of group) {
      if (batch === null) continue
      entries.push({ type: 'batch', firstPosition: position, batch })
      position += batch.records
    }
    await active.wal.append(entries)
    notes.drop(noted)
    try {
      publish(entries)
    } catch (error) {
      throw failed(error)
    }
  }

  /** In one step: all of the group can be found, and the ledger knows it. */
  function publish(entries: readonly WalEntry[]): void {
    const batches = entries.filter((entry) => entry.type === 'batch')
    for (const { batch, firstPosition } of batches) addToTable(active, batch, firstPosition)
    for (const { batch } of batches) {
      ledger.applyBatch(batch.facts)
      shelf.position += batch.records
    }
    if (batches.length > 0) parts.onArrival()
  }

  /** What is durable cannot be shown: only a new start, which reads the WAL again, helps. */
  function failed(error: unknown): ServiceError {
    log.error(
      { problem: messageOf(error) },
      'the hot table failed: the store takes nothing more until it is restarted',
    )
    return (failure = new ServiceError('STORE_UNAVAILABLE', 'the hot table failed', {}, error))
  }

  function enqueue(batch: EncodedBatch | null): Promise<void> {
    const bytes = batch === null ? 0 : batch.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    const done = Promise.withResolvers<void>()
    queue.push({ batch, bytes, done })
    start()
    return done.promise
  }

  return {
    async append(batch) {
      const key = keyOf(batch.facts)
      for (let other = underway.get(key); other !== undefined; other = underway.get(key))
        await other.catch(() => undefined) // Its sender learns of that.
      const fate = ledger.find(batch.facts, batch.facts.digest)
      if (fate === 'duplicate') return 'duplicate'
      if (fate === 'conflict') throw conflict(batch.facts)
      const stored = enqueue(batch).finally(() => underway.delete(key))
      underway.set(key, stored)
      await stored
      return 'stored'
    },
    async note(given) {
      for (const note of given) {
        ledger.applyNote(note)
        notes.add(note)
      }
      if (given.some(({ type }) => type !== 'mark')) return enqueue(null)
      cancelNotes ??= clock.after(NOTES_DELAY_MS_MAX, () => {
        cancelNotes = undefined
        if (notes.peek().length > 0) enqueue(null).catch(() => undefined) // They stay pending.
      })
    },
    rotate() {
      const done = Promise.withResolvers<void>()
      asked.push(done)
      start()
      return done.promise
    },
    async close() {
      cancelAge()
      cancelNotes?.()
      if (notes.peek().length > 0) await enqueue(null).catch(() => undefined)
      for (let running = work; running !== undefined; running = work) await running
    },
  }
}

/** Of a collector's marks only the newest counts. */
function createPendingNotes() {
  const pending = new Map<string, LedgerNote>()
  return {
    add(note: LedgerNote) {
      const collector = note.type === 'mark' ? note.mark.collector : note.collector
      const key = JSON.stringify([note.type, note.site, collector])
      pending.delete(key) // The order of what is left stays the order of arrival.
      pending.set(key, note)
    },
    peek: (): readonly LedgerNote[] => [...pending.values()],
    /** These are durable now; what came meanwhile stays. */
    drop(noted: readonly LedgerNote[]) {
      const durable = new Set(noted)
      for (const [key, note] of pending) if (durable.has(note)) pending.delete(key)
    },
  }
}

/** The longest start of the queue within the bounds, but at least its first. */
function takeGroup(queue: Waiting[], recordsMax: number): Waiting[] {
  let bytes = 0
  let records = 0
  const end = queue.findIndex((waiting) => {
    bytes += waiting.bytes
    records += waiting.batch?.records ?? 0
    return bytes > GROUP_BYTES_MAX || records > recordsMax
  })
  return queue.splice(0, end < 0 ? queue.length : Math.max(1, end))
}

function mustRotate(active: Generation, group: readonly Waiting[], options: WriterOptions): boolean {
  if (active.wal.isEmpty) return false
  const records = group.reduce((sum, { batch }) => sum + (batch?.records ?? 0), 0)
  const bytes = group.reduce((sum, waiting) => sum + waiting.bytes, 0)
  return active.records + records > options.segmentRecords || active.wal.size + bytes > options.walBytesMax
}

function keyOf({ site, collector, epoch, seq }: BatchKey): string {
  return JSON.stringify([site, collector, epoch, seq])
}

function refusalOf(error: unknown): unknown {
  if (error instanceof ServiceError) return error
  if (isDiskFull(error)) return new ServiceError('DISK_FULL', 'no space is left to keep a batch', {}, error)
  return new ServiceError('STORE_UNAVAILABLE', 'a batch could not be kept', {}, error)
}

function conflict({ collector, epoch, seq }: BatchKey): ServiceError {
  const message = 'another batch is stored under this number'
  return new ServiceError('SEQUENCE_CONFLICT', message, { collector, epoch, seq })
}
