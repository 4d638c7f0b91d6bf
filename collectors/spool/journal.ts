import { join } from 'node:path'
import { isDiskFull } from '../../core/fs.ts'
import { messageOf } from '../../core/errors.ts'
import type { AppendFile, Fs, Logger } from '../../core/ports.ts'

/** A file of entries. */
export interface Segment {
  /** Ref of its first entry. */
  readonly id: number
  readonly path: string
  bytes: number
  /** Batches in it that some destination still needs. */
  live: number
}

/** The spool's files: segments, checkpoint, reserve, and what was set aside. Knows bytes, not batches. */
export interface Journal {
  readonly segments: ReadonlyMap<number, Segment>
  /** Bytes of all segments. */
  readonly bytes: number
  /** Registers a segment that was found at open. */
  adopt(id: number, bytes: number): Segment
  /**
   * Writes one group and syncs it; `encode` gets the offset where it will stand. When it fails, what was written of it is taken
   * away again; while that cannot be done, the next calls fail too, so that no number is used twice.
   */
  append(firstRef: number, encode: (offset: number) => readonly Buffer[]): Promise<Segment>
  read(segment: Segment, offset: number, bytes: number): Promise<Buffer>
  /** Copies damaged bytes to a file of their own, for a person to look at. */
  setAside(segment: Segment, offset: number, bytes: Buffer): Promise<void>
  /** Segments that nobody needs any more. */
  dead(): Segment[]
  remove(segment: Segment): Promise<void>
  /** Writes the checkpoint, with the reserve's space when there is no other. */
  saveCheckpoint(bytes: Buffer): Promise<void>
  /** Takes the reserve's space if it is not held. */
  holdReserve(): Promise<void>
  /** No more appends: the last segment can be dead from now on. */
  finish(): Promise<void>
}

export interface JournalOptions {
  readonly fs: Fs
  readonly dir: string
  /** A segment that has reached this length is not appended to any more. */
  readonly segmentBytes: number
  readonly log: Logger
  readonly randomBytes: (length: number) => Buffer
}

/** Space that is given up when the disk is full, so that acknowledgements can still be written and segments freed. */
const RESERVE_BYTES = 1 << 20
/** More damage than this is counted and logged, but not copied. */
const SET_ASIDE_BYTES_MAX = 64 << 20
/** Holds the batches that become ready while a group is synced. */
const GROUP_BUFFER_BYTES = 1 << 20
const SEGMENT_NAME = /^(\d{16})\.seg$/
const ASIDE_PREFIX = 'corrupt-'

export function checkpointPath(dir: string): string {
  return join(dir, 'checkpoint')
}

/** Ids of the segments in a folder, ascending. */
export async function segmentIds(fs: Fs, dir: string): Promise<number[]> {
  const names = await fs.list(dir)
  return names.flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []).map(Number)
}

interface Active {
  readonly segment: Segment
  file: AppendFile | undefined
  /** Its name is durable. */
  named: boolean
}

interface State extends JournalOptions {
  readonly segments: Map<number, Segment>
  active: Active | undefined
  readonly groupBuffer: Buffer
  reserved: boolean
  reserving: Promise<void> | undefined
}

/** The folder must exist and be ours. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { fs, dir } = options
  const reserved = (await fs.size(join(dir, 'reserve'))) === RESERVE_BYTES
  const state: State = {
    ...options,
    segments: new Map(),
    active: undefined,
    groupBuffer: Buffer.allocUnsafeSlow(GROUP_BUFFER_BYTES),
    reserved,
    reserving: undefined,
  }
  return {
    segments: state.segments,
    get bytes() {
      let bytes = 0
      for (const segment of state.segments.values()) bytes += segment.bytes
      return bytes
    },
    adopt: (id, bytes) => register(state, id, bytes),
    append: (firstRef, encode) => appendGroup(state, firstRef, encode),
    read: (segment, offset, bytes) => readBytes(fs, segment.path, offset, bytes),
    setAside: (segment, offset, bytes) => setAside(state, segment, offset, bytes),
    dead: () =>
      [...state.segments.values()].filter(
        (segment) => segment.live === 0 && segment !== state.active?.segment,
      ),
    async remove(segment) {
      await fs.remove(segment.path)
      state.segments.delete(segment.id)
    },
    saveCheckpoint: (bytes) => saveCheckpoint(state, bytes),
    holdReserve: () => holdReserve(state),
    finish: () => finish(state),
  }
}

function register(state: State, id: number, bytes: number): Segment {
  const path = join(state.dir, `${String(id).padStart(16, '0')}.seg`)
  const segment = { id, path, bytes, live: 0 }
  state.segments.set(id, segment)
  return segment
}

async function appendGroup(
  state: State,
  firstRef: number,
  encode: (offset: number) => readonly Buffer[],
): Promise<Segment> {
  await holdReserve(state)
  const active = await activeFor(state, firstRef)
  const { segment } = active
  try {
    active.file ??= await openAt(state.fs, segment)
    const group = joined(state, encode(segment.bytes))
    await active.file.write(group)
    await active.file.sync()
    if (!active.named) await state.fs.syncDir(state.dir)
    active.named = true
    segment.bytes += group.length
    return segment
  } catch (error) {
    await closeActive(active)
    active.file = await openAt(state.fs, segment).catch(() => undefined) // Tried again before the next group.
    throw error
  }
}

/** One group is written after the other, so the copy needs memory only once; a group that is larger than usual gets its own. */
function joined({ groupBuffer }: State, parts: readonly Buffer[]): Buffer {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0)
  if (bytes > groupBuffer.length) return Buffer.concat(parts, bytes)
  let at = 0
  for (const part of parts) at += part.copy(groupBuffer, at)
  return groupBuffer.subarray(0, bytes)
}

async function activeFor(state: State, firstRef: number): Promise<Active> {
  if (state.active !== undefined && state.active.segment.bytes >= state.segmentBytes) await finish(state)
  state.active ??= { segment: register(state, firstRef, 0), file: undefined, named: false }
  return state.active
}

/** Opens a segment at its durable length: what a failed group left behind goes first, or its numbers would be in there twice. */
async function openAt(fs: Fs, segment: Segment): Promise<AppendFile> {
  const file = await fs.openAppend(segment.path)
  if (file.size === segment.bytes) return file
  await file.close()
  await fs.truncate(segment.path, segment.bytes)
  await fs.syncFile(segment.path)
  return fs.openAppend(segment.path)
}

async function closeActive(active: Active): Promise<void> {
  const { file } = active
  active.file = undefined
  await file?.close().catch(() => undefined) // Nothing in it is waited for.
}

async function finish(state: State): Promise<void> {
  const { active } = state
  if (active === undefined) return
  await closeActive(active)
  state.active = undefined
}

async function readBytes(fs: Fs, path: string, offset: number, bytes: number): Promise<Buffer> {
  const file = await fs.openRead(path)
  try {
    return await file.read(offset, bytes)
  } finally {
    await file.close()
  }
}

async function saveCheckpoint(state: State, bytes: Buffer): Promise<void> {
  const path = checkpointPath(state.dir)
  try {
    await state.fs.replaceFile(path, bytes)
  } catch (error) {
    if (!isDiskFull(error) || !state.reserved) throw error
    state.reserved = false
    await state.fs.remove(join(state.dir, 'reserve'))
    await state.fs.replaceFile(path, bytes)
  }
}

async function holdReserve(state: State): Promise<void> {
  if (state.reserved) return
  state.reserving ??= makeReserve(state)
  try {
    await state.reserving
  } finally {
    state.reserving = undefined
  }
}

async function makeReserve(state: State): Promise<void> {
  const path = join(state.dir, 'reserve')
  await state.fs.remove(path)
  try {
    const file = await state.fs.openAppend(path)
    try {
      // Random: a file system that compresses would reserve nothing for zeros.
      await file.write(state.randomBytes(RESERVE_BYTES))
      await file.sync()
    } finally {
      await file.close()
    }
    state.reserved = true
  } catch (error) {
    await state.fs.remove(path)
    throw error
  }
}

async function setAside(state: State, segment: Segment, offset: number, bytes: Buffer): Promise<void> {
  const { fs, dir, log } = state
  const name = `${ASIDE_PREFIX}${segment.id}-${offset}`
  try {
    let present = 0
    for (const other of await fs.list(dir)) {
      if (other.startsWith(ASIDE_PREFIX)) present += (await fs.size(join(dir, other))) ?? 0
    }
    if (present + bytes.length <= SET_ASIDE_BYTES_MAX) await fs.replaceFile(join(dir, name), bytes)
  } catch (error) {
    log.warn({ file: name, error: messageOf(error) }, 'damaged bytes of the spool could not be set aside')
  }
}
