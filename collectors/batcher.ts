import type { Config } from '../core/config.ts'
import { asServiceError, messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { BatchRun, BatchSource, Drop } from '../core/wire.ts'
import { backoffMs } from '../core/backoff.ts'
import type { BatchDraft, PositionChanges, Spool } from './spool/types.ts'

/** Lines of one source that stand next to each other. */
export interface Lines {
  /** The same object for the same source: batches name each source once. */
  readonly source: BatchSource
  /** Byte offset of the first line in its source. */
  readonly offset: number
  /** Each line ended by a newline; one that the last line lacks is added. Must not be changed before `release`. */
  readonly bytes: Buffer
  readonly lines: number
  /** When they were read (collector's clock) … */
  readonly readAtMs: number
  /** … and a time before which none of them was written. */
  readonly fromMs: number
  readonly cutFrom?: number
  /** Called when the lines are numbered: the bytes are not needed any more. */
  readonly release?: () => void
}

/**
 * Collects lines into batches and numbers them, in the order in which they were added.
 * When the spool refuses a batch, it and all behind it wait; nothing is dropped, `room` does not resolve meanwhile.
 */
export interface Batcher {
  /** `changes`: positions that are true once these lines are numbered. Ask for `room` before. */
  add(lines: Lines, changes: PositionChanges): void
  /** Losses and position changes that come without lines; they ride in the next batch. */
  note(note: { readonly drops?: readonly Drop[]; readonly changes?: PositionChanges }): void
  /** Resolves when more lines may be added; rejects when the signal aborts. */
  room(signal: AbortSignal): Promise<void>
  /** Resolves when everything that was added before is numbered. */
  numbered(): Promise<void>
  /** Closes the open batch and waits until everything is numbered; rejects when the signal aborts. */
  flush(signal: AbortSignal): Promise<void>
  stats(): BatcherStats
}

export interface BatcherStats {
  /** Why the spool takes nothing now; null: it does. */
  readonly held: string | null
  /** For how long it took nothing, summed up since the start. */
  readonly heldMs: number
}

export interface BatcherOptions {
  readonly spool: Pick<Spool, 'append'>
  readonly host: string
  readonly bounds: Config['collector']['batch']
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  /** Called with every batch that got its number. */
  readonly onNumbered?: (draft: BatchDraft) => void
}

/** Closed batches that may wait for the spool: enough to compress one while another is synced. */
const CLOSED_MAX = 4
/** A decoder refuses headers above 1 MiB; a run is about 100 bytes of it, a source as long as its path and labels. */
const HEADER_BYTES_MAX = 256 << 10
const RUN_HEADER_BYTES = 120
const HOLD_BACKOFF = { baseMs: 100, maxMs: 2_000 }
const NEWLINE = Buffer.from('\n')

interface OpenBatch {
  readonly sources: Map<BatchSource, number>
  readonly runs: BatchRun[]
  readonly parts: Buffer[]
  readonly releases: (() => void)[]
  readonly drops: Drop[]
  changes: Record<string, PositionChanges[string]>
  bytes: number
  records: number
  headerBytes: number
  fromMs: number
  cancelTimer: () => void
}

interface ClosedBatch {
  readonly draft: BatchDraft
  readonly changes: PositionChanges
  readonly releases: readonly (() => void)[]
  flying: boolean
}

export function createBatcher({
  spool,
  host,
  bounds,
  clock,
  log,
  random,
  onNumbered,
}: BatcherOptions): Batcher {
  let open: OpenBatch | null = null
  const closed: ClosedBatch[] = [] // in order; the first `flying` ones are with the spool
  let added = 0 // batches closed so far
  let done = 0 // batches numbered so far
  let waiters: { readonly until: () => boolean; readonly resolve: () => void }[] = []
  let held: { readonly reason: string; readonly sinceMs: number; attempts: number } | null = null
  let heldMs = 0

  function opened(): OpenBatch {
    open ??= {
      sources: new Map(),
      runs: [],
      parts: [],
      releases: [],
      drops: [],
      changes: {},
      bytes: 0,
      records: 0,
      headerBytes: 0,
      fromMs: Infinity,
      cancelTimer: clock.after(bounds.ageMsMax, closeOld),
    }
    return open
  }

  /** The open batch, or a new one when `headerBytes` more would not fit it. */
  function openedFor(headerBytes: number): OpenBatch {
    if (open !== null && open.headerBytes + headerBytes > HEADER_BYTES_MAX) close()
    const batch = opened()
    batch.headerBytes += headerBytes
    return batch
  }

  function fits(batch: OpenBatch, records: number, bytes: number): boolean {
    return batch.bytes + bytes <= bounds.bytesMax && batch.records + records <= bounds.recordsMax
  }

  function closeOld(): void {
    if (closed.length < CLOSED_MAX) close()
    else if (open !== null) open.cancelTimer = clock.after(bounds.ageMsMax, closeOld)
  }

  function close(): void {
    if (open === null) return
    const batch = open
    open = null
    batch.cancelTimer()
    const { changes, releases } = batch
    closed.push({ draft: draftOf(batch), changes, releases, flying: false })
    added++
    launch()
  }

  function draftOf(batch: OpenBatch): BatchDraft {
    const createdAtMs = clock.nowMs()
    const header = {
      kind: 'lines',
      host,
      createdAtMs,
      utcOffsetMin: -new Date(createdAtMs).getTimezoneOffset(),
      fromMs: Math.min(batch.fromMs, createdAtMs),
      toMs: createdAtMs,
      records: batch.records,
      sources: [...batch.sources.keys()],
      runs: batch.runs,
      drops: batch.drops,
    } as const
    const [only] = batch.parts
    return {
      header,
      body: batch.parts.length === 1 && only !== undefined ? only : Buffer.concat(batch.parts),
    }
  }

  /** Hands closed batches to the spool; after a refusal one at a time, until it takes one again. */
  function launch(): void {
    const flyingMax = held === null ? CLOSED_MAX : 1
    for (const batch of closed.slice(0, flyingMax)) {
      if (batch.flying) continue
      batch.flying = true
      spool.append(batch.draft, batch.changes).then(
        () => accepted(batch),
        (error: unknown) => refused(batch, error),
      )
    }
  }

  function accepted(batch: ClosedBatch): void {
    closed.splice(closed.indexOf(batch), 1)
    done++
    onNumbered?.(batch.draft)
    for (const release of batch.releases) release()
    if (held !== null) {
      const tookMs = clock.monotonicMs() - held.sinceMs
      heldMs += tookMs
      held = null
      log.info({ tookMs: Math.round(tookMs) }, 'the spool takes batches again')
    }
    wake()
    launch()
  }

  function refused(batch: ClosedBatch, error: unknown): void {
    batch.flying = false
    if (held === null) {
      const expected = asServiceError(error)?.retryable === true
      const say = expected ? log.warn.bind(log) : log.error.bind(log)
      say({ error: expected ? messageOf(error) : error }, 'the spool takes no batches: reading is held')
      held = { reason: messageOf(error), sinceMs: clock.monotonicMs(), attempts: 0 }
    }
    if (closed.some(({ flying }) => flying)) return // The last of them to settle sets the timer.
    clock.after(backoffMs(held.attempts++, HOLD_BACKOFF, random), launch)
  }

  function wake(): void {
    const ready = waiters.filter(({ until }) => until())
    waiters = waiters.filter((waiter) => !ready.includes(waiter))
    for (const { resolve } of ready) resolve()
  }

  function when(until: () => boolean, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    if (until()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const waiter = { until, resolve: () => (signal?.removeEventListener('abort', abort), resolve()) }
      const abort = () => {
        waiters = waiters.filter((other) => other !== waiter)
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', abort, { once: true })
      waiters.push(waiter)
    })
  }

  function numberedSoFar(signal?: AbortSignal): Promise<void> {
    const goal = added + (open === null ? 0 : 1)
    return when(() => done >= goal, signal)
  }

  return {
    add(lines, changes) {
      const ended = lines.bytes.at(-1) === NEWLINE[0]
      const bytes = lines.bytes.length + (ended ? 0 : 1)
      if (open !== null && !fits(open, lines.lines, bytes)) close()
      const isNew = open === null || !open.sources.has(lines.source)
      const batch = openedFor(RUN_HEADER_BYTES + (isNew ? JSON.stringify(lines.source).length : 0))
      const source = batch.sources.get(lines.source) ?? batch.sources.size
      batch.sources.set(lines.source, source)
      batch.runs.push({
        source,
        offset: lines.offset,
        bytes,
        lines: lines.lines,
        readAtMs: lines.readAtMs,
        ...(lines.cutFrom === undefined ? {} : { cutFrom: lines.cutFrom }),
      })
      batch.parts.push(lines.bytes)
      if (lines.release !== undefined) batch.releases.push(lines.release)
      if (!ended) batch.parts.push(NEWLINE)
      batch.bytes += bytes
      batch.records += lines.lines
      batch.fromMs = Math.min(batch.fromMs, lines.fromMs)
      Object.assign(batch.changes, changes)
      if (batch.bytes >= bounds.bytesMax || batch.records >= bounds.recordsMax) close()
    },
    note({ drops = [], changes = {} }) {
      for (const drop of drops) openedFor(JSON.stringify(drop).length).drops.push(drop)
      Object.assign(opened().changes, changes)
    },
    room: (signal) => when(() => closed.length < CLOSED_MAX, signal),
    numbered: () => numberedSoFar(),
    async flush(signal) {
      close()
      await numberedSoFar(signal)
    },
    stats: () => ({
      held: held?.reason ?? null,
      heldMs: heldMs + (held === null ? 0 : clock.monotonicMs() - held.sinceMs),
    }),
  }
}
