import type { Fs, Logger } from '../../core/ports.ts'
import { addEntry, applyPositions } from './book.ts'
import type { Book } from './book.ts'
import type { Checkpoint } from './checkpoint.ts'
import { scanSegment } from './entry.ts'
import type { BadBytes, ScannedEntry } from './entry.ts'
import { segmentIds } from './journal.ts'
import type { Journal, Segment } from './journal.ts'
import { rangeWith } from './ranges.ts'

interface Recovery {
  readonly fs: Fs
  readonly dir: string
  readonly journal: Journal
  readonly checkpoint: Checkpoint | undefined
  readonly book: Book
  readonly log: Logger
}

/** Reads all segments into the journal and the book, and repairs the end of the last one. Resolves to the number of corrupt batches. */
export async function recover(recovery: Recovery): Promise<number> {
  const { fs, dir, journal, checkpoint } = recovery
  const ids = await segmentIds(fs, dir)
  let corrupt = 0
  for (const [index, id] of ids.entries()) {
    const nextId = ids[index + 1]
    const segment = journal.adopt(id, 0)
    const bytes = await fs.readFile(segment.path)
    const scan = scanSegment(bytes, id, Math.max(nextId ?? 0, checkpoint?.nextRef ?? 0))
    segment.bytes = scan.end
    if (scan.end < bytes.length) await cutTail(recovery, segment, bytes.length)
    // After kill -9 the last group can be in here without ever having been synced.
    if (nextId === undefined) await fs.syncFile(segment.path)
    for (const entry of scan.entries) recoverEntry(recovery, segment, entry)
    const lastRef = (nextId ?? checkpoint?.nextRef ?? 0) - 1
    for (const bad of scan.bad) {
      corrupt += await reportBad(recovery, { segment, bytes, bad, refTo: bad.refTo ?? lastRef })
    }
  }
  await fs.syncDir(dir)
  return corrupt
}

async function cutTail({ fs, log }: Recovery, segment: Segment, bytes: number): Promise<void> {
  log.info({ file: segment.path, bytes: bytes - segment.bytes }, 'cut the unfinished end of the spool')
  await fs.truncate(segment.path, segment.bytes)
  await fs.syncFile(segment.path)
}

function recoverEntry({ book, checkpoint }: Recovery, segment: Segment, entry: ScannedEntry): void {
  const { ref, header, positions, frameAt, frameBytes } = entry
  const { epoch, seq, records, fromMs, toMs, previous } = header
  book.nextRef = Math.max(book.nextRef, ref + 1)
  book.lastSeqs.set(epoch, Math.max(book.lastSeqs.get(epoch) ?? 0, seq))
  if (ref >= (checkpoint?.nextRef ?? 0)) applyPositions(book, positions)
  const needed = neededBy(book, checkpoint, ref)
  if (needed === 0) return
  const place = { segment, frameAt, frameBytes }
  addEntry(book, { ref, epoch, seq, records, fromMs, toMs, tells: previous?.epoch, ...place, needed })
}

/** A destination that was not there before gets what still waits for another one. */
function neededBy(book: Book, checkpoint: Checkpoint | undefined, ref: number): number {
  const isNew = ref >= (checkpoint?.nextRef ?? 0)
  const known = checkpoint?.destinations ?? {}
  const waits = (name: string) => rangeWith(known[name]?.waiting ?? [], ref) !== undefined
  const waitsForAny = isNew || Object.keys(known).some(waits)
  let needed = 0
  for (const { name, bit } of book.destinations.values()) {
    if (isNew || (Object.hasOwn(known, name) ? waits(name) : waitsForAny)) needed |= bit
  }
  return needed
}

interface Damage {
  readonly segment: Segment
  readonly bytes: Buffer
  readonly bad: BadBytes
  readonly refTo: number
}

/** Damage to what everybody has acknowledged does not matter. */
async function reportBad(recovery: Recovery, { segment, bytes, bad, refTo }: Damage): Promise<number> {
  const { book, checkpoint, journal, log } = recovery
  book.nextRef = Math.max(book.nextRef, refTo + 1)
  let batches = 0
  for (let ref = bad.refFrom; ref <= refTo; ref += 1) if (neededBy(book, checkpoint, ref) !== 0) batches += 1
  if (batches === 0) return 0
  log.error({ file: segment.path, offset: bad.offset, batches }, 'batches in the spool are damaged and lost')
  await journal.setAside(segment, bad.offset, bytes.subarray(bad.offset, bad.offset + bad.bytes))
  return batches
}
