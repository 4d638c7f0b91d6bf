import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { ServiceError } from '../core/errors.ts'
import { isDiskFull } from '../core/fs.ts'
import type { AppendFile, Clock, Fs, Quarantine, QuarantineEntry, Store } from '../core/ports.ts'
import type { LogRecord } from '../core/record.ts'
import { appendAccepted } from './append.ts'

/** Characters of a refused text that are kept. */
export const QUARANTINE_TEXT_MAX = 4_096
/** All entries together, on disk and in memory; beyond it the oldest half goes, and an entry says so. */
const QUARANTINE_BYTES_MAX = 8 << 20
/** A larger record is kept as text only and cannot be replayed. */
const RECORD_BYTES_MAX = 1 << 20
const REPLAY_RECORDS_MAX = 1_000

export interface QuarantineOptions {
  readonly fs: Fs
  /** Folder of its own. */
  readonly dir: string
  readonly clock: Clock
  /** Where `replay` puts records. */
  readonly store: Pick<Store, 'append'>
  /** Stands as the host in what the ledger keeps of a replay. */
  readonly node: string
  readonly bytesMax?: number
}

interface Kept {
  readonly entry: QuarantineEntry
  readonly bytes: number
}

/** Entries are in memory and in one NDJSON file, oldest first. `put` resolves when they are durable. */
export async function openQuarantine(
  options: QuarantineOptions,
): Promise<Quarantine & { close(): Promise<void> }> {
  const { fs, dir, clock, bytesMax = QUARANTINE_BYTES_MAX } = options
  const path = join(dir, 'quarantine.ndjson')
  await fs.mkdir(dir)
  let kept = parse((await fs.size(path)) === null ? '' : (await fs.readFile(path)).toString('utf8'))
  let bytes = kept.reduce((sum, entry) => sum + entry.bytes, 0)
  let nextId = kept.reduce((most, { entry }) => Math.max(most, Number(entry.id)), 0) + 1
  let file: AppendFile | null = null
  let turn: Promise<unknown> = Promise.resolve()

  /** One change at a time; a failed one does not stop the next. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const next = turn.then(change, change)
    turn = next.catch(() => {})
    return next
  }

  async function rewrite(left: Kept[]) {
    await file?.close()
    file = null
    await fs.replaceFile(path, Buffer.from(left.map(({ entry }) => lineOf(entry)).join('')))
    kept = left
    bytes = left.reduce((sum, entry) => sum + entry.bytes, 0)
  }

  async function append(added: Kept[]) {
    // After a failed write the file may end in half an entry: it is written anew from memory.
    if (file === null) {
      await rewrite(kept)
      await fs.syncDir(dir)
      file = await fs.openAppend(path)
    }
    try {
      await file.write(Buffer.from(added.map(({ entry }) => lineOf(entry)).join('')))
      await file.sync()
    } catch (error) {
      await file.close().catch(() => {})
      file = null
      throw error
    }
    kept.push(...added)
    bytes += added.reduce((sum, entry) => sum + entry.bytes, 0)
  }

  function stamp(entry: Omit<QuarantineEntry, 'id' | 'atMs'>): Kept {
    const { record, text, ...rest } = entry
    const replayable = record !== undefined && JSON.stringify(record).length <= RECORD_BYTES_MAX
    const stamped: QuarantineEntry = {
      id: String(nextId++),
      atMs: clock.nowMs(),
      ...rest,
      text: text.slice(0, QUARANTINE_TEXT_MAX),
      ...(replayable ? { record } : {}),
    }
    return keptOf(stamped)
  }

  async function put(entries: readonly Omit<QuarantineEntry, 'id' | 'atMs'>[]) {
    // A batch that is sent again is refused again.
    const known = new Set(kept.map(({ entry }) => entry.record?.id))
    const added = entries.filter(({ record }) => record === undefined || !known.has(record.id)).map(stamp)
    if (added.length === 0) return
    await append(added)
    if (bytes > bytesMax) await forgetOldest()
  }

  async function forgetOldest() {
    let left = bytes
    let gone = 0
    while (left > bytesMax / 2 && gone < kept.length) left -= kept[gone++]?.bytes ?? 0
    const reason = `the quarantine is full: its ${gone} oldest entries were dropped`
    const note = stamp({ reason, site: '', sender: '', text: '' })
    await rewrite([...kept.slice(gone), note])
  }

  /** Stores the records of `entries`; gives back the entries that are stored now. */
  async function store(entries: readonly QuarantineEntry[], signal: AbortSignal) {
    const records = entries.map(({ record }) => record).filter((record) => record !== undefined)
    const stored = new Set(entries)
    await appendAccepted(options.store, batchOf(records, options.node), signal, async (_, index) => {
      const refused = entries[index]
      if (refused !== undefined) stored.delete(refused)
    })
    return stored
  }

  async function replay(signal: AbortSignal) {
    let stored = 0
    const tried = kept.map(({ entry }) => entry).filter(({ record }) => record !== undefined)
    for (const entries of chunksOf(tried)) {
      signal.throwIfAborted()
      const gone = await store(entries, signal)
      if (gone.size > 0) await rewrite(kept.filter(({ entry }) => !gone.has(entry)))
      stored += gone.size
    }
    return { stored, refused: tried.length - stored }
  }

  return {
    put: (entries) => inTurn(() => put(entries).catch(failed)),
    list: async (limit) => ({
      total: kept.length,
      entries: kept
        .slice(-Math.max(1, limit))
        .map(({ entry }) => entry)
        .toReversed(),
    }),
    replay: (signal) => inTurn(() => replay(signal)),
    close: () => inTurn(async () => file?.close()),
  }
}

function lineOf(entry: QuarantineEntry): string {
  return `${JSON.stringify(entry)}\n`
}

function keptOf(entry: QuarantineEntry): Kept {
  return { entry, bytes: lineOf(entry).length }
}

/** A last line without an end was torn by a crash: nobody was told that it is kept. */
function parse(text: string): Kept[] {
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => keptOf(JSON.parse(line) as QuarantineEntry))
}

/** Entries of one site each, in order. */
function chunksOf(entries: readonly QuarantineEntry[]): QuarantineEntry[][] {
  const chunks: QuarantineEntry[][] = []
  for (const entry of entries) {
    const last = chunks.at(-1)
    if (last === undefined || last.length >= REPLAY_RECORDS_MAX || last[0]?.site !== entry.site)
      chunks.push([entry])
    else last.push(entry)
  }
  return chunks
}

/** The key follows from the records: a replay that is repeated after a crash stores nothing twice. */
function batchOf(records: readonly LogRecord[], host: string) {
  const digest = createHash('sha256').update(JSON.stringify(records)).digest('hex')
  const facts = {
    site: records[0]?.site ?? '',
    collector: `replay-${digest.slice(0, 16)}`,
    epoch: digest.slice(0, 32),
    seq: 1,
    kind: 'records',
    host,
    digest,
    fromMs: records.reduce((least, { timeMs }) => Math.min(least, timeMs), Infinity),
    toMs: records.reduce((most, { timeMs }) => Math.max(most, timeMs), -Infinity),
    records: records.length,
    drops: [],
    tombstones: [],
  } as const
  return { facts, records }
}

function failed(error: unknown): never {
  if (error instanceof ServiceError) throw error
  const code = isDiskFull(error) ? 'DISK_FULL' : 'STORE_UNAVAILABLE'
  throw new ServiceError(code, 'the quarantine cannot be written', {}, error)
}
