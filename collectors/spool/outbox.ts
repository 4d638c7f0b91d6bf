import { asServiceError, messageOf, ServiceError } from '../../core/errors.ts'
import { errorCode } from '../../core/fs.ts'
import type { Logger } from '../../core/ports.ts'
import { assembleFrame, openFrame } from '../../core/wire.ts'
import { neededEntry, numberFor, removeEntry, returnTaken, takeNext } from './book.ts'
import type { Book, Destination, Entry } from './book.ts'
import type { FrameCache } from './frame-cache.ts'
import type { Journal } from './journal.ts'
import type { SpooledBatch } from './types.ts'

interface Waiter {
  readonly signal: AbortSignal
  readonly resolve: (batch: SpooledBatch) => void
  readonly reject: (reason: unknown) => void
}

/** Gives one destination its batches. */
export interface Outbox {
  readonly destination: Destination
  take(signal: AbortSignal): Promise<SpooledBatch>
  giveBack(ref: number): void
  /** There may be something to give. */
  wake(): void
  /** Gives nothing out from now on; what was out counts as given back. */
  hold(): void
  /** Goes on, with the numbers that hold by now. */
  release(): void
  /** Rejects all that wait, now and later. */
  close(reason: ServiceError): void
}

export interface OutboxOptions {
  readonly book: Book
  readonly destination: Destination
  readonly journal: Journal
  readonly cache: FrameCache
  readonly log: Logger
  /** A batch failed its checksum; it is no longer in the book. */
  readonly onCorrupt: () => void
}

interface State extends OutboxOptions {
  waiters: Waiter[]
  held: boolean
  closed: ServiceError | undefined
}

export function createOutbox(options: OutboxOptions): Outbox {
  const state: State = { ...options, waiters: [], held: false, closed: undefined }
  return {
    destination: options.destination,
    take: (signal) => take(state, signal),
    giveBack(ref) {
      if (returnTaken(options.destination, ref)) wake(state)
    },
    wake: () => wake(state),
    hold() {
      state.held = true
      for (const ref of options.destination.taken) returnTaken(options.destination, ref)
    },
    release() {
      state.held = false
      wake(state)
    },
    close(reason) {
      state.closed = reason
      for (const waiter of state.waiters.splice(0)) waiter.reject(reason)
    },
  }
}

function take(state: State, signal: AbortSignal): Promise<SpooledBatch> {
  if (signal.aborted) return Promise.reject(signal.reason as Error)
  if (state.closed !== undefined) return Promise.reject(state.closed)
  const { promise, resolve, reject } = Promise.withResolvers<SpooledBatch>()
  const abort = () => {
    state.waiters = state.waiters.filter((other) => other !== waiter)
    reject(signal.reason)
  }
  const settled = () => signal.removeEventListener('abort', abort)
  const waiter: Waiter = {
    signal,
    resolve: (batch) => (settled(), resolve(batch)),
    reject: (reason) => (settled(), reject(reason)),
  }
  signal.addEventListener('abort', abort, { once: true })
  state.waiters.push(waiter)
  wake(state)
  return promise
}

function wake(state: State): void {
  while (!state.held && state.waiters.length > 0) {
    const entry = takeNext(state.book, state.destination)
    const waiter = entry === undefined ? undefined : state.waiters.shift()
    if (entry === undefined || waiter === undefined) return
    void deliver(state, entry, waiter)
  }
}

async function deliver(state: State, entry: Entry, waiter: Waiter): Promise<void> {
  const { destination } = state
  const { renumbering } = destination
  try {
    const frame = await frameFor(state, entry)
    if (renumbering !== destination.renumbering || !destination.taken.has(entry.ref)) retry(state, waiter)
    else if (waiter.signal.aborted || state.closed !== undefined) putBack(state, entry, waiter)
    else waiter.resolve({ ref: entry.ref, ...numberFor(destination, entry), frame })
  } catch (error) {
    if (isDamage(error)) {
      await dropCorrupt(state, entry, error)
      retry(state, waiter)
      return
    }
    waiter.reject(new ServiceError('STORE_UNAVAILABLE', 'cannot read the spool', { ref: entry.ref }, error))
    putBack(state, entry, waiter)
  }
}

/** The waiter is first in line again; one that gave up meanwhile, or came too late, has been answered. */
function retry(state: State, waiter: Waiter): void {
  if (waiter.signal.aborted) return
  if (state.closed !== undefined) waiter.reject(state.closed)
  else state.waiters.unshift(waiter)
  wake(state)
}

function putBack(state: State, { ref }: Entry, waiter: Waiter): void {
  if (state.closed !== undefined) waiter.reject(state.closed)
  if (returnTaken(state.destination, ref)) wake(state)
}

async function frameFor({ destination, journal, cache }: State, entry: Entry): Promise<Buffer> {
  const { segment, frameAt, frameBytes } = entry
  const cached = cache.get(entry.ref)
  const frame = cached ?? (await journal.read(segment, frameAt, frameBytes))
  const { epoch, seq } = numberFor(destination, entry)
  if (epoch === entry.epoch) {
    if (cached === undefined) openFrame(frame)
    return frame
  }
  const { header, packedBody } = openFrame(frame)
  const { lastSeq, tombstones = [] } = destination.renumbering ?? {}
  const moved = seq === lastSeq ? tombstones : []
  return assembleFrame({ ...header, epoch, seq, tombstones: [...moved, ...header.tombstones] }, packedBody)
}

/** Trying again would not help, and what stands behind it must not wait for it. */
function isDamage(error: unknown): boolean {
  const code = errorCode(error)
  return asServiceError(error)?.code === 'BATCH_MALFORMED' || code === 'EIO' || code === 'ENOENT'
}

async function dropCorrupt(state: State, entry: Entry, error: unknown): Promise<void> {
  const { book, destination, journal, log, onCorrupt } = state
  const { ref, segment, frameAt, frameBytes } = entry
  destination.taken.delete(ref)
  if (neededEntry(book, destination, ref) === undefined) return // Another destination was faster.
  removeEntry(book, entry)
  onCorrupt()
  const about = { file: segment.path, offset: frameAt, seq: entry.seq, error: messageOf(error) }
  log.error(about, 'a batch in the spool is damaged and lost')
  const bytes = await journal.read(segment, frameAt, frameBytes).catch(() => undefined)
  if (bytes !== undefined) await journal.setAside(segment, frameAt, bytes)
}
