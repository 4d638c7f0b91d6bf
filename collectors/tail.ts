import type { FileHandle } from 'node:fs/promises'
import { HEAD_BYTES, TAIL_BYTES, hashOf, readAt, readInto, type FilePosition } from './file-identity.ts'
import { lineRuns, type LineBounds, type LineRun } from './lines.ts'
import { createReadBuffers, type ReadBuffer } from './read-buffers.ts'

/** Bytes of one read. */
const CHUNK_BYTES = 512 << 10
/** One turn reads at most this much before other files get theirs. */
const TURN_BYTES = 8 << 20
const NEWLINE = 10
const ZEROS = Buffer.alloc(CHUNK_BYTES)
/** For full chunks of a backlog; what is less gets a buffer of its own size. */
const chunks = createReadBuffers(TAIL_BYTES + CHUNK_BYTES)

/** A run of lines as a tail gives it. `offset` counts from the start of the file. */
export interface TailedLines {
  readonly offset: number
  readonly bytes: Buffer
  readonly lines: number
  readonly cutFrom?: number
  /** To be called when the bytes are not needed any more: they are overwritten then. */
  readonly release?: () => void
}

export interface TurnOptions {
  readonly size: number
  readonly bounds: LineBounds
  /** Resolves when `give` may be called. */
  readonly room: () => Promise<void>
  /** Gets each run right after the position moved behind it. */
  readonly give: (lines: TailedLines) => void
}

/**
 * How far one file was read, and the reading on from there. It holds no handle and no lines; only the bytes just before the offset,
 * which every read checks again: that a file was truncated and refilled is noticed before a byte of it is taken for a continuation.
 */
export interface Tail {
  readonly position: FilePosition
  readonly offset: number
  /** Up to here the file was looked at; from `offset` to here there is no newline. */
  readonly lookedTo: number
  /** Wall clock when it was last read to its end; 0: never. */
  readonly endedAtMs: number
  /**
   * `end`: read to `size`; `more`: the turn is over before that; `replaced`: what was read before is no longer there: `restart`, then read again.
   */
  turn(handle: FileHandle, options: TurnOptions): Promise<'end' | 'more' | 'replaced'>
  /** Gives the line without a newline at the end, when nobody will finish it any more. */
  finish(handle: FileHandle, options: TurnOptions): Promise<void>
  /** The file was emptied: everything starts again. */
  restart(): void
  /** At `nowMs` (wall clock) it was read to its end. */
  ended(nowMs: number): void
}

type Identity = Pick<FilePosition, 'path' | 'dev' | 'ino' | 'endedAtMs'>

const NOTHING = Buffer.alloc(0)

/** Goes on from `known`, which must have been verified against the file. */
export async function resumeTail(handle: FileHandle, known: FilePosition): Promise<Tail> {
  const before = await readAt(handle, known.offset - known.tailBytes, known.tailBytes)
  return tailFrom(known, { offset: known.offset, head: await readAt(handle, 0, known.headBytes), before })
}

/** Starts at the first byte. */
export function newTail(identity: Identity): Tail {
  return tailFrom(identity, { offset: 0, head: NOTHING, before: NOTHING })
}

function tailFrom(
  { path, dev, ino, endedAtMs }: Identity,
  from: { offset: number; head: Buffer; before: Buffer },
): Tail {
  let { offset, head, before } = from
  let headHash: string | null = null
  let lookedTo = offset
  let endedMs = endedAtMs
  /** A writer without O_APPEND goes on at its old offset in a file that was emptied: the hole before it reads as NULs. */
  let mayHaveHole = false

  /** Moves to `next`; `bytes` are those at the offset (for the head), `bytesBefore` those before `next`. */
  function moveTo(next: number, bytes: Buffer, bytesBefore: Buffer): void {
    if (head.length === offset && head.length < HEAD_BYTES) {
      head = Buffer.concat([head, bytes.subarray(0, Math.min(next - offset, HEAD_BYTES - head.length))])
      headHash = null
    }
    offset = next
    lookedTo = Math.max(lookedTo, next)
    before = Buffer.from(bytesBefore.subarray(-TAIL_BYTES))
  }

  /** Up to `length` bytes from the offset on, behind those before it; null when those have changed. */
  async function readOn(
    handle: FileHandle,
    length: number,
    into: Buffer = Buffer.allocUnsafeSlow(before.length + length),
  ): Promise<Buffer | null> {
    const chunk = await readInto(handle, offset - before.length, into.subarray(0, before.length + length))
    return chunk.subarray(0, before.length).equals(before) ? chunk : null
  }

  async function readLines(handle: FileHandle, options: TurnOptions): Promise<number | null> {
    const begun = lookedTo - offset
    // The start of an unfinished line is read again, within the chunk: what a chunk gives is then one run for one batch.
    const wanted = begun < CHUNK_BYTES / 2 ? CHUNK_BYTES : begun + CHUNK_BYTES
    const length = Math.min(options.size - offset, wanted)
    if (length !== CHUNK_BYTES) return giveLines(await readOn(handle, length), options)
    const buffer = chunks.take()
    try {
      return giveLines(await readOn(handle, length, buffer.bytes), options, buffer)
    } finally {
      buffer.release()
    }
  }

  /** Gives the whole lines of what `readOn` read; each run holds the buffer until it is not needed any more. */
  function giveLines(
    chunk: Buffer | null,
    { bounds, give }: TurnOptions,
    buffer?: ReadBuffer,
  ): number | null {
    if (chunk === null) return null
    const start = before.length
    const from = offset
    const fresh = chunk.subarray(start)
    const moveIn = (next: number) =>
      moveTo(from + next, chunk.subarray(start + offset - from), chunk.subarray(0, start + next))
    const zeros = mayHaveHole ? leadingZeros(fresh) : 0
    mayHaveHole &&= zeros === fresh.length
    if (zeros > 0) {
      moveIn(zeros)
      return zeros
    }
    for (const run of lineRuns(fresh, bounds)) {
      moveIn(run.next)
      const bytes = fresh.subarray(run.start, run.end)
      buffer?.hold()
      give({
        offset: from + run.start,
        bytes,
        ...runFacts(run),
        ...(buffer === undefined ? {} : { release: buffer.release }),
      })
    }
    lookedTo = Math.max(lookedTo, from + fresh.length)
    return fresh.length
  }

  /** Looks for the end of a line that is too long already, and gives its start once that is found. */
  async function skipLine(handle: FileHandle, { size, bounds, give }: TurnOptions): Promise<number | null> {
    const base = lookedTo - TAIL_BYTES
    const chunk = await readAt(handle, base, Math.min(size - base, CHUNK_BYTES))
    const newline = chunk.indexOf(NEWLINE, TAIL_BYTES)
    if (newline === -1) {
      lookedTo = Math.max(lookedTo, base + chunk.length)
      return chunk.length - TAIL_BYTES
    }
    const kept = await readOn(handle, bounds.lineBytesMax)
    if (kept === null) return null
    const bytes = kept.subarray(before.length)
    const from = offset
    moveTo(base + newline + 1, bytes, chunk.subarray(0, newline + 1))
    give({ offset: from, bytes, lines: 1, cutFrom: base + newline - from })
    return newline + 1 - TAIL_BYTES
  }

  return {
    get position() {
      headHash ??= hashOf(head)
      const headBytes = head.length
      return {
        path,
        dev,
        ino,
        offset,
        headBytes,
        headHash,
        tailBytes: before.length,
        tailHash: hashOf(before),
        endedAtMs: endedMs,
      }
    },
    get offset() {
      return offset
    },
    get lookedTo() {
      return lookedTo
    },
    get endedAtMs() {
      return endedMs
    },
    async turn(handle, options) {
      if (options.size < offset) return 'replaced'
      lookedTo = Math.min(lookedTo, options.size)
      // Nothing to read: look whether what was read is still there, or else a file refilled to the same size would be missed.
      if (lookedTo === options.size && (await readOn(handle, 0)) === null) return 'replaced'
      for (let left = TURN_BYTES; lookedTo < options.size;) {
        if (left <= 0) return 'more'
        await options.room()
        const tooLong = lookedTo - offset > options.bounds.lineBytesMax
        const looked = await (tooLong ? skipLine(handle, options) : readLines(handle, options))
        if (looked === null) return 'replaced'
        if (looked <= 0) return 'end' // It shrank meanwhile; the next turn sees by how much.
        left -= looked
      }
      return 'end'
    },
    async finish(handle, { size, bounds, room, give }) {
      if (size <= offset) return
      await room()
      const chunk = await readOn(handle, Math.min(size - offset, bounds.lineBytesMax))
      if (chunk === null) return
      const bytes = chunk.subarray(before.length)
      const from = offset
      moveTo(
        size,
        bytes,
        size - from === bytes.length ? chunk : await readAt(handle, size - TAIL_BYTES, TAIL_BYTES),
      )
      give({ offset: from, bytes, lines: 1, ...(size - from > bytes.length ? { cutFrom: size - from } : {}) })
    },
    restart() {
      offset = 0
      lookedTo = 0
      head = NOTHING
      headHash = null
      before = NOTHING
      mayHaveHole = true
    },
    ended(nowMs) {
      if (lookedTo === offset) endedMs = nowMs
    },
  }
}

function runFacts({ lines, cutFrom }: LineRun): Pick<TailedLines, 'lines' | 'cutFrom'> {
  return cutFrom === undefined ? { lines } : { lines, cutFrom }
}

function leadingZeros(bytes: Buffer): number {
  if (bytes.equals(ZEROS.subarray(0, bytes.length))) return bytes.length
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? bytes.length : first
}
