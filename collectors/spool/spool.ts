import { randomBytes as secureRandomBytes } from 'node:crypto'
import { ServiceError } from '../../core/errors.ts'
import type { Clock, Fs, Logger } from '../../core/ports.ts'
import {
  endEpoch,
  epochsFor,
  neededEntry,
  planRenumbering,
  positionsOf,
  previousOf,
  removeEntry,
} from './book.ts'
import type { Book, Destination } from './book.ts'
import { decodeCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { spoolFailure } from './failure.ts'
import { createFrameCache } from './frame-cache.ts'
import type { FrameCache } from './frame-cache.ts'
import { checkpointPath, openJournal } from './journal.ts'
import type { Journal } from './journal.ts'
import { createOutbox } from './outbox.ts'
import type { Outbox } from './outbox.ts'
import { recover } from './recovery.ts'
import { createSaver } from './saver.ts'
import type { Saver } from './saver.ts'
import type { Spool, SpoolStats } from './types.ts'
import { createWriter } from './writer.ts'
import type { Writer } from './writer.ts'

export interface SpoolOptions {
  readonly fs: Fs
  /** Belongs to this spool alone; made when missing. */
  readonly dir: string
  /** Id of the collector; without it the one in the folder, or a new one. */
  readonly collector?: string | undefined
  /**
   * Names of those that get every batch, 1 to DESTINATIONS_MAX. One that is new gets what still waits for another one, one that is
   * no longer named gives up what waited for it.
   */
  readonly destinations: readonly string[]
  /** Disk for segments; a batch that might not fit is refused. */
  readonly bytesMax: number
  readonly clock: Clock
  readonly log: Logger
  readonly randomBytes?: (length: number) => Buffer
}

/** One bit each in the index. */
const DESTINATIONS_MAX = 16
/** Compressed: about five seconds of a host that logs 10 MiB/s. */
const CACHE_BYTES_MAX = 8 << 20
const SEGMENT_BYTES_MAX = 16 << 20
/** A spool is at least this many segments: space comes back a segment at a time. */
const SEGMENTS_MIN = 16

interface State {
  readonly book: Book
  readonly journal: Journal
  readonly cache: FrameCache
  readonly saver: Saver
  readonly writer: Writer
  readonly outboxes: ReadonlyMap<string, Outbox>
  readonly drawEpoch: () => string
  readonly lock: { release(): Promise<void> }
  corrupt: number
  closing: Promise<void> | undefined
}

/** Opens the spool in `dir`, or makes one. Throws DATA_DIR_IN_USE, DATA_CORRUPT (a checkpoint that cannot be read), DISK_FULL. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { destinations, fs, dir } = options
  if (destinations.length < 1 || destinations.length > DESTINATIONS_MAX) {
    throw new ServiceError('BAD_CONFIG', `a spool has 1 to ${DESTINATIONS_MAX} destinations`)
  }
  const lock = await fs.lock(dir)
  try {
    return spoolOf(await openState(options, lock))
  } catch (error) {
    await lock.release()
    throw spoolFailure(error, `open the spool in ${dir}`)
  }
}

async function openState(options: SpoolOptions, lock: State['lock']): Promise<State> {
  const { fs, dir, bytesMax, clock, log, randomBytes = secureRandomBytes } = options
  const drawEpoch = () => randomBytes(16).toString('hex')
  const segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.ceil(bytesMax / SEGMENTS_MIN))
  const checkpoint = await readCheckpoint(fs, dir)
  const collector = options.collector ?? checkpoint?.collector ?? randomBytes(8).toString('hex')
  const book = bookOf(checkpoint, { collector, epoch: drawEpoch(), destinations: options.destinations })
  const journal = await openJournal({ fs, dir, segmentBytes, log, randomBytes })
  const corrupt = await recover({ fs, dir, journal, checkpoint, book, log })
  startEpoch(book, checkpoint)
  const saver = createSaver({ book, journal, clock, log })
  await saver.save()
  const cache = createFrameCache(CACHE_BYTES_MAX)
  const outboxes = new Map<string, Outbox>()
  const onDurable = () => outboxes.forEach((outbox) => outbox.wake())
  const onFull = () => {
    if (journal.dead().length > 0) saver.urgent()
  }
  const writer = createWriter({ book, journal, cache, log, bytesMax, onDurable, onFull })
  const base = { book, journal, cache, saver, writer, outboxes, drawEpoch, lock }
  const state: State = { ...base, corrupt, closing: undefined }
  const onCorrupt = () => {
    state.corrupt += 1
    saver.soon()
  }
  for (const destination of book.destinations.values()) {
    outboxes.set(destination.name, createOutbox({ book, destination, journal, cache, log, onCorrupt }))
  }
  return state
}

async function readCheckpoint(fs: Fs, dir: string): Promise<Checkpoint | undefined> {
  const path = checkpointPath(dir)
  return (await fs.size(path)) === null ? undefined : decodeCheckpoint(await fs.readFile(path), path)
}

interface Identity {
  readonly collector: string
  readonly epoch: string
  readonly destinations: readonly string[]
}

function bookOf(checkpoint: Checkpoint | undefined, { collector, epoch, destinations }: Identity): Book {
  const known = checkpoint?.destinations ?? {}
  const untoldToAny = Object.values(known).flatMap(({ untold }) => untold)
  return {
    collector,
    epoch,
    lastSeq: 0,
    previous: undefined,
    lastSeqs: new Map(Object.entries(checkpoint?.lastSeqs ?? {})),
    positions: new Map(Object.entries(checkpoint?.positions ?? {})),
    nextRef: checkpoint?.nextRef ?? 0,
    entries: new Map(),
    records: 0,
    destinations: new Map(
      destinations.map((name, index): [string, Destination] => {
        const { renumbering, untold: own = untoldToAny } = known[name] ?? {}
        const untold = new Set(checkpoint?.collector === collector ? own : [])
        const given = { nextRef: 0, returned: [], taken: new Set<number>() }
        return [name, { name, bit: 1 << index, ...given, renumbering, untold }]
      }),
    ),
  }
}

/** After recovery: the epoch that was live ended where its last batch is. */
function startEpoch(book: Book, checkpoint: Checkpoint | undefined): void {
  const [oldest = book.nextRef] = book.entries.keys()
  for (const destination of book.destinations.values()) destination.nextRef = oldest
  if (checkpoint === undefined || checkpoint.collector !== book.collector) return
  const { epoch, previous } = checkpoint
  // Everything behind the checkpoint was numbered in its epoch, also what can no longer be read.
  const lastSeq = checkpoint.lastSeq + book.nextRef - checkpoint.nextRef
  endEpoch({ ...book, epoch, lastSeq })
  book.previous = previousOf({ epoch, lastSeq, previous })
}

function spoolOf(state: State): Spool {
  const { book, writer } = state
  return {
    collector: book.collector,
    get epoch() {
      return book.epoch
    },
    positions: () => positionsOf(book),
    append: (draft, changes) =>
      state.closing === undefined ? writer.append(draft, changes) : Promise.reject(closedError()),
    take: async (destination, signal) => outboxOf(state, destination).take(signal),
    ack: (destination, ref) => acknowledge(state, outboxOf(state, destination).destination, ref),
    giveBack: (destination, ref) => outboxOf(state, destination).giveBack(ref),
    renumber: async (destination) => renumber(state, outboxOf(state, destination)),
    epochs: (destination) => epochsFor(book, outboxOf(state, destination).destination),
    stats: () => statsOf(state),
    close() {
      state.closing ??= close(state)
      return state.closing
    },
  }
}

function outboxOf({ outboxes }: State, name: string): Outbox {
  const outbox = outboxes.get(name)
  if (outbox === undefined) throw new Error(`the spool has no destination ${name}`)
  return outbox
}

function acknowledge(state: State, destination: Destination, ref: number): void {
  const { book, cache, journal, saver } = state
  if (!destination.taken.delete(ref)) return
  const entry = neededEntry(book, destination, ref)
  if (entry === undefined) return
  if (entry.tells !== undefined) destination.untold.delete(entry.tells)
  entry.needed &= ~destination.bit
  saver.soon()
  if (entry.needed !== 0) return
  removeEntry(book, entry)
  cache.delete(ref)
  if (entry.segment.live === 0 && journal.dead().includes(entry.segment)) saver.urgent()
}

/**
 * The batches keep their place and bytes on disk; from one checkpoint on, this destination gets them under other numbers. They have an
 * epoch of their own, apart from the new live one: the other destinations would miss their numbers in that.
 */
async function renumber(state: State, outbox: Outbox): Promise<void> {
  const { book, drawEpoch, saver, writer } = state
  const { destination } = outbox
  outbox.hold()
  try {
    await writer.exclusive(() => {
      const renumbering = planRenumbering(book, destination, drawEpoch())
      const live = { epoch: drawEpoch(), lastSeq: 0, previous: previousOf(book) }
      const next = copyOf(book)
      endEpoch(next)
      Object.assign(next.destinations.get(destination.name) ?? {}, { renumbering })
      return saver.save({
        next: { ...next, ...live },
        apply() {
          endEpoch(book)
          Object.assign(book, live)
          destination.renumbering = renumbering
        },
      })
    })
  } catch (error) {
    throw spoolFailure(error, 'renumber the spool')
  } finally {
    outbox.release()
  }
}

/** What ends an epoch changes only the copy. */
function copyOf(book: Book) {
  const copies = [...book.destinations].map(([name, destination]): [string, Destination] => [
    name,
    { ...destination, untold: new Set(destination.untold) },
  ])
  return { ...book, lastSeqs: new Map(book.lastSeqs), destinations: new Map(copies) }
}

function statsOf({ book, journal, writer, corrupt }: State): SpoolStats {
  return {
    batches: book.entries.size,
    records: book.records,
    bytes: journal.bytes,
    full: writer.full,
    corrupt,
  }
}

async function close({ outboxes, writer, saver, journal, lock }: State): Promise<void> {
  for (const outbox of outboxes.values()) outbox.close(closedError())
  await writer.idle()
  saver.stop()
  try {
    await journal.finish()
    await saver.save()
  } catch (error) {
    throw spoolFailure(error, 'write the checkpoint of the spool')
  } finally {
    await lock.release()
  }
}

function closedError(): ServiceError {
  return new ServiceError('SHUTTING_DOWN', 'the spool is closed')
}
