import { ServiceError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import {
  BODY_BYTES_MAX,
  FRAME_BYTES_MAX,
  HEADER_BYTES_MAX,
  assembleFrame,
  packBody,
} from '../../core/wire.ts'
import type { BatchHeader } from '../../core/wire.ts'
import { addEntry, applyPositions } from './book.ts'
import type { Book } from './book.ts'
import { entryHead } from './entry.ts'
import { spoolFailure } from './failure.ts'
import type { FrameCache } from './frame-cache.ts'
import type { Journal } from './journal.ts'
import type { BatchDraft, PositionChanges } from './types.ts'

/** Numbers batches and makes them durable, in the order of the calls. */
export interface Writer {
  append(draft: BatchDraft, changes: PositionChanges): Promise<void>
  /** Runs `work` while nothing is being numbered. */
  exclusive<T>(work: () => Promise<T>): Promise<T>
  /** Resolves when everything that was appended is settled. */
  idle(): Promise<void>
  /** The last append was refused for lack of room. */
  readonly full: boolean
}

export interface WriterOptions {
  readonly book: Book
  readonly journal: Journal
  readonly cache: FrameCache
  readonly log: Logger
  readonly bytesMax: number
  /** Batches became durable. */
  readonly onDurable: () => void
  /** There is no room in the spool: what can be freed should be. */
  readonly onFull: () => void
}

/** Bounds the memory of the index: about 150 bytes each. */
const BATCHES_MAX = 200_000
/** Compressed bytes that are written and synced at once: bounds the copy that is made of them. */
const GROUP_BYTES_MAX = 4 << 20
/** What numbering, and later a renumbering, can add to a header. */
const HEADER_ROOM_BYTES = 256 << 10

interface Item {
  readonly draft: BatchDraft
  readonly changes: PositionChanges
  /** Settles, never rejects, when `packed` or `failure` is set. */
  ready: Promise<void>
  packed: Buffer | undefined
  failure: ServiceError | undefined
  readonly resolve: () => void
  readonly reject: (reason: ServiceError) => void
}

interface State extends WriterOptions {
  readonly queue: Item[]
  queuedBytes: number
  running: Promise<void> | undefined
  last: Promise<unknown>
  full: boolean
}

export function createWriter(options: WriterOptions): Writer {
  const state: State = {
    ...options,
    queue: [],
    queuedBytes: 0,
    running: undefined,
    last: Promise.resolve(),
    full: false,
  }
  return {
    append: (draft, changes) => append(state, draft, changes),
    exclusive: (work) => exclusive(state, work),
    idle: async () => state.running,
    get full() {
      return state.full
    },
  }
}

function append(state: State, draft: BatchDraft, changes: PositionChanges): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const failure = refusalOf(state, draft.body.length)
  const item: Item = { draft, changes, ready: Promise.resolve(), packed: undefined, failure, resolve, reject }
  if (failure === undefined) item.ready = pack(item)
  state.queue.push(item)
  state.queuedBytes += draft.body.length
  state.running ??= run(state)
  return promise
}

/** Refusals go through the queue as well, so that nothing called later is taken before they are known. */
function refusalOf(state: State, bodyBytes: number): ServiceError | undefined {
  const { queue, book, journal, bytesMax } = state
  const before = queue.find((item) => item.failure !== undefined)
  if (before !== undefined) return before.failure
  if (bodyBytes > BODY_BYTES_MAX) return tooLarge(bodyBytes)
  const batches = book.entries.size + queue.length
  const bytes = journal.bytes + state.queuedBytes
  // An empty spool takes any batch: or else one that is larger than the spool would wait for ever.
  if (batches === 0 || (bytes + bodyBytes <= bytesMax && batches < BATCHES_MAX)) return undefined
  return new ServiceError('OVERLOADED', 'the spool is full', { bytes, bytesMax, batches })
}

async function pack(item: Item): Promise<void> {
  try {
    const packed = await packBody(item.draft.body)
    const headerBytes = Buffer.byteLength(JSON.stringify(item.draft.header)) + HEADER_ROOM_BYTES
    if (headerBytes > HEADER_BYTES_MAX || headerBytes + packed.length > FRAME_BYTES_MAX) {
      item.failure = tooLarge(headerBytes + packed.length)
    }
    item.packed = packed
  } catch (error) {
    item.failure = new ServiceError('STORE_UNAVAILABLE', 'cannot compress a batch', {}, error)
  }
}

async function run(state: State): Promise<void> {
  for (let head = state.queue[0]; head !== undefined; head = state.queue[0]) {
    await head.ready
    if (head.failure !== undefined) {
      refuse(state, state.queue.splice(0), head.failure)
      continue
    }
    const group = takeReady(state.queue)
    try {
      await exclusive(state, () => commit(state, group))
      accept(state, group)
    } catch (error) {
      refuse(state, [...group, ...state.queue.splice(0)], spoolFailure(error, 'write the spool'))
    }
  }
  state.running = undefined
}

function takeReady(queue: Item[]): Item[] {
  let bytes = 0
  let count = 0
  for (const { packed, failure } of queue) {
    if (packed === undefined || failure !== undefined || bytes >= GROUP_BYTES_MAX) break
    bytes += packed.length
    count += 1
  }
  return queue.splice(0, count)
}

function accept(state: State, group: readonly Item[]): void {
  if (state.full) state.log.info({}, 'the spool takes batches again')
  state.full = false
  for (const item of group) {
    state.queuedBytes -= item.draft.body.length
    item.resolve()
  }
  state.onDurable()
}

function refuse(state: State, items: readonly Item[], failure: ServiceError): void {
  if (!state.full)
    state.log.warn({ error: messageOf(failure), ...failure.details }, 'the spool refuses batches')
  state.full ||= failure.retryable
  for (const item of items) {
    state.queuedBytes -= item.draft.body.length
    item.reject(failure)
  }
  if (failure.retryable) state.onFull()
}

function exclusive<T>(state: State, work: () => Promise<T>): Promise<T> {
  const run = state.last.then(work)
  state.last = run.catch(() => undefined)
  return run
}

interface Numbered {
  readonly header: BatchHeader
  readonly frame: Buffer
  readonly changes: PositionChanges
}

async function commit({ book, journal, cache }: State, group: readonly Item[]): Promise<void> {
  const batches = group.map((item, index) => number(book, item, book.lastSeq + 1 + index))
  const places: number[] = []
  const segment = await journal.append(book.nextRef, (start) => {
    let at = start
    return batches.flatMap(({ frame, changes }, index) => {
      const head = entryHead({ ref: book.nextRef + index, group: start, positions: changes }, frame.length)
      places.push(at + head.length)
      at += head.length + frame.length
      return [head, frame]
    })
  })
  const needed = [...book.destinations.values()].reduce((bits, { bit }) => bits | bit, 0)
  for (const [index, { header, frame, changes }] of batches.entries()) {
    const { epoch, seq, records, fromMs, toMs } = header
    const tells = header.previous?.epoch
    const place = { segment, frameAt: places[index] ?? 0, frameBytes: frame.length }
    addEntry(book, { ref: book.nextRef, epoch, seq, records, fromMs, toMs, tells, ...place, needed })
    applyPositions(book, changes)
    cache.add(book.nextRef, frame)
    book.nextRef += 1
    book.lastSeq = seq
  }
}

function number(
  { collector, epoch, previous }: Book,
  { draft, changes, packed }: Item,
  seq: number,
): Numbered {
  const header = {
    v: 1,
    collector,
    epoch,
    seq,
    ...(seq === 1 && previous !== undefined ? { previous } : {}),
    ...draft.header,
    bodyBytes: draft.body.length,
    tombstones: [],
  } as unknown as BatchHeader // Omit forgets the known keys of a type that allows unknown ones.
  return { header, frame: assembleFrame(header, packed ?? Buffer.alloc(0)), changes }
}

function tooLarge(bytes: number): ServiceError {
  const details = { bytes, bodyBytesMax: BODY_BYTES_MAX, frameBytesMax: FRAME_BYTES_MAX }
  return new ServiceError('BATCH_TOO_LARGE', 'batch is larger than a frame may be', details)
}
