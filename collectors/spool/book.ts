import { RENUMBERED } from '../../core/wire.ts'
import type { BatchHeader, Mark, Tombstone } from '../../core/wire.ts'
import type { Checkpoint, DestinationState, Renumbering } from './checkpoint.ts'
import type { Segment } from './journal.ts'
import { rangeWith, rangesOf } from './ranges.ts'
import type { Position, PositionChanges, Positions } from './types.ts'

/** A batch in the spool that some destination still needs. */
export interface Entry {
  readonly ref: number
  readonly epoch: string
  readonly seq: number
  readonly records: number
  readonly fromMs: number
  readonly toMs: number
  /** The epoch whose end this batch tells: its `previous`. */
  readonly tells: string | undefined
  readonly segment: Segment
  readonly frameAt: number
  readonly frameBytes: number
  /** One bit for each destination that has not acknowledged it. */
  needed: number
}

export interface Destination {
  readonly name: string
  readonly bit: number
  /** Nothing from here on was given to it yet. */
  nextRef: number
  /** Given back, ascending. */
  readonly returned: number[]
  /** Given out and neither acknowledged nor given back. */
  readonly taken: Set<number>
  renumbering: Renumbering | undefined
  /**
   * Epochs that ended and whose `lastSeq` it may not know: it has not acknowledged the batch that tells it. Marks name them, or else
   * damage at the end of an epoch would go unnoticed there. No more than starts that wrote a batch since it was last heard, and
   * damaged batches that would have told.
   */
  readonly untold: Set<string>
}

/** Everything the spool knows about its durable batches; changed in memory only, and only by these functions and `spool.ts`. */
export interface Book {
  readonly collector: string
  /** The live epoch, and the highest number in it. */
  epoch: string
  lastSeq: number
  /** What the first batch of the live epoch says about the one before. */
  previous: BatchHeader['previous']
  /** Highest number of the epochs before. */
  readonly lastSeqs: Map<string, number>
  readonly positions: Map<string, Position>
  nextRef: number
  /** In order of refs. */
  readonly entries: Map<number, Entry>
  records: number
  readonly destinations: ReadonlyMap<string, Destination>
}

/** A mark names no more ranges of one epoch; the last one then covers the rest. */
export const PENDING_RANGES_MAX = 100
/** A header holds about 4,000 of them; a destination acknowledges nearly in order. */
const TOMBSTONES_MAX = 1_000

export function applyPositions(book: Book, changes: PositionChanges): void {
  for (const [key, position] of Object.entries(changes)) {
    if (position === null) book.positions.delete(key)
    else book.positions.set(key, position)
  }
}

export function positionsOf(book: Book): Positions {
  return Object.fromEntries(book.positions)
}

export function addEntry(book: Book, entry: Entry): void {
  book.entries.set(entry.ref, entry)
  book.records += entry.records
  entry.segment.live += 1
}

export function removeEntry(book: Book, entry: Entry): void {
  if (!book.entries.delete(entry.ref)) return
  book.records -= entry.records
  entry.segment.live -= 1
}

/** The entry, if that destination still needs it. */
export function neededEntry(book: Book, { bit }: Destination, ref: number): Entry | undefined {
  const entry = book.entries.get(ref)
  return entry !== undefined && (entry.needed & bit) !== 0 ? entry : undefined
}

/** Marks the oldest entry that the destination was not given as taken. */
export function takeNext(book: Book, destination: Destination): Entry | undefined {
  for (;;) {
    const ref = destination.returned.shift() ?? destination.nextRef
    if (ref >= book.nextRef) return undefined
    destination.nextRef = Math.max(destination.nextRef, ref + 1)
    const entry = neededEntry(book, destination, ref)
    if (entry === undefined) continue
    destination.taken.add(ref)
    return entry
  }
}

/** False when it was not out. */
export function returnTaken({ taken, returned }: Destination, ref: number): boolean {
  if (!taken.delete(ref)) return false
  const at = returned.findIndex((other) => other > ref)
  returned.splice(at === -1 ? returned.length : at, 0, ref)
  return true
}

/** Epoch and number under which a destination gets an entry. */
export function numberFor(
  { renumbering }: Destination,
  { ref, epoch, seq }: Entry,
): { epoch: string; seq: number } {
  const range = renumbering === undefined ? undefined : rangeWith(renumbering.ranges, ref)
  if (renumbering === undefined || range === undefined) return { epoch, seq }
  return { epoch: renumbering.epoch, seq: range[2] + ref - range[0] }
}

/** Entries that a destination has not acknowledged, oldest first. */
function* waitingFor({ entries }: Book, { bit }: Destination): Generator<Entry> {
  for (const entry of entries.values()) if ((entry.needed & bit) !== 0) yield entry
}

type EpochMark = Mark['epochs'][number]
type PendingMark = EpochMark['pending'][number]

export function epochsFor(book: Book, destination: Destination): EpochMark[] {
  const pending = new Map<string, PendingMark[]>()
  for (const entry of waitingFor(book, destination)) {
    const { epoch, seq } = numberFor(destination, entry)
    const ranges = pending.get(epoch) ?? []
    pending.set(epoch, ranges)
    addPending(ranges, seq, entry)
  }
  const moved = movedOf(book, destination)
  const isNamed = (epoch: string) =>
    destination.untold.has(epoch) || pending.has(epoch) || moved.some((of) => of.epoch === epoch)
  const names = new Set([...[...book.lastSeqs.keys()].filter(isNamed), ...pending.keys()])
  names.delete(book.epoch)
  return [...names, book.epoch].map((epoch) => {
    const lastSeq = lastSeqOf(book, destination, epoch)
    const ranges = pending.get(epoch) ?? []
    const movedFrom = moved.filter((of) => of.epoch === epoch).map(({ seqFrom }) => seqFrom)
    const spoolLow = Math.min(ranges[0]?.seqFrom ?? lastSeq + 1, ...movedFrom)
    const renumbered = destination.renumbering?.epoch === epoch ? { renumbered: true } : {}
    return { epoch, lastSeq, spoolLow, pending: ranges, ...renumbered }
  })
}

/** What was renumbered and the destination does not know yet. */
function movedOf(book: Book, destination: Destination): readonly Tombstone[] {
  const { ranges = [], tombstones = [] } = destination.renumbering ?? {}
  const teller = ranges.at(-1)?.[1] ?? -1
  return neededEntry(book, destination, teller) === undefined ? [] : tombstones
}

/** What is numbered behind the last range joins it when there are too many: it then claims too much, which is never wrong for long. */
function addPending(ranges: PendingMark[], seq: number, { fromMs, toMs, records }: Entry): void {
  const last = ranges.at(-1)
  if (last === undefined || (last.seqTo !== seq - 1 && ranges.length < PENDING_RANGES_MAX)) {
    ranges.push({ seqFrom: seq, seqTo: seq, timeFromMs: fromMs, timeToMs: toMs, records })
    return
  }
  ranges[ranges.length - 1] = {
    seqFrom: last.seqFrom,
    seqTo: seq,
    timeFromMs: Math.min(last.timeFromMs, fromMs),
    timeToMs: Math.max(last.timeToMs, toMs),
    records: last.records + records,
  }
}

function lastSeqOf(book: Book, { renumbering }: Destination, epoch: string): number {
  if (epoch === book.epoch) return book.lastSeq
  return renumbering?.epoch === epoch ? renumbering.lastSeq : (book.lastSeqs.get(epoch) ?? 0)
}

/**
 * Puts everything that waits for a destination into `epoch`, numbered from 1. What became of the old numbers is told by the last of
 * these batches: whoever knows that nothing is missing under those then also knows how many of the new ones there are.
 */
export function planRenumbering(book: Book, destination: Destination, epoch: string): Renumbering {
  const waiting = [...waitingFor(book, destination)]
  let seq = 1
  const ranges = rangesOf(waiting.map(({ ref }) => ref)).map(([from, to]): [number, number, number] => {
    const start = seq
    seq += to - from + 1
    return [from, to, start]
  })
  // What an earlier renumbering has not told yet goes last: it holds only together with what is said of that one's numbers.
  const tombstones = [...renumberedTombstones(destination, waiting), ...movedOf(book, destination)]
  return { epoch, lastSeq: waiting.length, ranges, tombstones: tombstones.slice(0, TOMBSTONES_MAX) }
}

function renumberedTombstones(destination: Destination, waiting: readonly Entry[]): Tombstone[] {
  const tombstones: Tombstone[] = []
  for (const entry of waiting) {
    const { epoch, seq } = numberFor(destination, entry)
    const { records, frameBytes, fromMs, toMs } = entry
    const last = tombstones.at(-1)
    if (last === undefined || last.epoch !== epoch || last.seqTo !== seq - 1) {
      const bounds = { seqFrom: seq, seqTo: seq, records, bytes: frameBytes, fromMs, toMs }
      tombstones.push({ epoch, ...bounds, reason: RENUMBERED })
      continue
    }
    tombstones[tombstones.length - 1] = {
      ...last,
      seqTo: seq,
      records: last.records + records,
      bytes: last.bytes + frameBytes,
      fromMs: Math.min(last.fromMs, fromMs),
      toMs: Math.max(last.toMs, toMs),
    }
  }
  return tombstones
}

/** The live epoch gets no more numbers: every destination has to learn where it ended. */
export function endEpoch({ epoch, lastSeq, lastSeqs, destinations }: Book): void {
  if (lastSeq === 0) return
  lastSeqs.set(epoch, lastSeq)
  for (const { untold } of destinations.values()) untold.add(epoch)
}

/** The epoch that the next live one names as `previous`; an epoch without a batch is passed over. */
export function previousOf({
  epoch,
  lastSeq,
  previous,
}: Pick<Checkpoint, 'epoch' | 'lastSeq' | 'previous'>): BatchHeader['previous'] {
  return lastSeq > 0 ? { epoch, lastSeq } : previous
}

export function checkpointOf(book: Book): Checkpoint {
  const { collector, epoch, lastSeq, previous, nextRef, destinations } = book
  const named = new Set([...book.entries.values()].map((entry) => entry.epoch))
  for (const { untold } of destinations.values()) for (const old of untold) named.add(old)
  return {
    v: 1,
    collector,
    epoch,
    lastSeq,
    ...(previous === undefined ? {} : { previous }),
    lastSeqs: Object.fromEntries([...book.lastSeqs].filter(([old]) => named.has(old))),
    positions: positionsOf(book),
    nextRef,
    destinations: Object.fromEntries(
      [...destinations.values()].map((destination) => [destination.name, stateOf(book, destination)]),
    ),
  }
}

function stateOf(book: Book, destination: Destination): DestinationState {
  const refs = Array.from(waitingFor(book, destination), ({ ref }) => ref)
  const waiting = rangesOf(refs)
  const { renumbering } = destination
  const untold = [...destination.untold]
  const done = (waiting[0]?.[0] ?? Infinity) > (renumbering?.ranges.at(-1)?.[1] ?? -1)
  return renumbering === undefined || done ? { waiting, untold } : { waiting, untold, renumbering }
}
