import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Position } from './spool/types.ts'

/**
 * Neither an inode nor a checksum identifies a file alone: inodes are used again, and files start alike. So a file that was read is known by
 * device, inode, the hash of its head (grows with what was read, up to HEAD_BYTES) and the hash of the bytes just before the offset.
 * The key of its position is `<device>:<inode>`: it follows the file through renames.
 */
export interface FilePosition extends Position {
  /** What its records name as their file: the path at which it was first seen. */
  readonly path: string
  readonly dev: string
  readonly ino: string
  /** Everything before is numbered. */
  readonly offset: number
  readonly headBytes: number
  readonly headHash: string
  readonly tailBytes: number
  readonly tailHash: string
  /** Wall clock when it was last read to its end; 0: never. */
  readonly endedAtMs: number
}

export const HEAD_BYTES = 1024
/** Long enough to hold a whole line with its time: what stands before an offset then differs from rotation to rotation. */
export const TAIL_BYTES = 256

export function fileKey({
  dev,
  ino,
}: {
  readonly dev: bigint | string
  readonly ino: bigint | string
}): string {
  return `${dev}:${ino}`
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32)
}

/** A position as the spool kept it, or null when it is not a file's. */
export function filePosition(position: Position): FilePosition | null {
  const { path, dev, ino, offset, headBytes, headHash, tailBytes, tailHash, endedAtMs } = position
  const texts = [path, dev, ino, headHash, tailHash].every((value) => typeof value === 'string')
  const numbers = [offset, headBytes, tailBytes, endedAtMs].every((value) => typeof value === 'number')
  return texts && numbers ? (position as FilePosition) : null
}

/** Reads up to `length` bytes at `offset`; fewer only at the end of the file. */
export async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  return readInto(handle, offset, Buffer.allocUnsafeSlow(length))
}

/** Fills `buffer` from `offset` on as far as the file goes; answers the part that is filled. */
export async function readInto(handle: FileHandle, offset: number, buffer: Buffer): Promise<Buffer> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

export async function sameHead(handle: FileHandle, known: FilePosition): Promise<boolean> {
  const head = await readAt(handle, 0, known.headBytes)
  return head.length === known.headBytes && hashOf(head) === known.headHash
}

/** Whether the file still holds what was read from `known` (or from what it is a copy of). */
export async function holdsWhatWasRead(handle: FileHandle, known: FilePosition): Promise<boolean> {
  const tail = await readAt(handle, known.offset - known.tailBytes, known.tailBytes)
  return tail.length === known.tailBytes && hashOf(tail) === known.tailHash && (await sameHead(handle, known))
}

/** Paths of files that `path` may be a rotated copy of: `app.log.1`, `app.log-20261121` and `app-20261121.log` of `app.log`. */
export function rotatedFrom(path: string): string[] {
  const name = basename(path)
  const originals = new Set<string>()
  for (const { index } of name.matchAll(/[-._]/g)) {
    if (/\d/.test(name.slice(index))) originals.add(name.slice(0, index))
  }
  originals.add(name.replace(/[-._]?\d[\dTZ:._-]*(?=\.[A-Za-z]+$)/, ''))
  originals.delete(name)
  originals.delete('')
  return [...originals].map((original) => join(dirname(path), original))
}
