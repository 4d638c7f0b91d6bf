import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { errorCode } from '../../core/fs.ts'
import type { AppendFile, Fs } from '../../core/ports.ts'

/**
 * A file of checksummed frames, written at its end only: the WAL and the catalog.
 *
 *     "NOCFRM1\n" | tag (8 random bytes), then per frame: tag | body bytes u32 | CRC-32 of the body u32 | body
 *
 * The body is one or more payloads, each behind its length (u32). A frame is synced before the next one is begun, so that a crash
 * tears the last one only, which is then cut; bad bytes with good frames behind them are damage. The tag is drawn per file, so
 * that no log line can look like a frame.
 */
const MAGIC = Buffer.from('NOCFRM1\n')
const TAG_BYTES = 8
const FILE_HEADER_BYTES = MAGIC.length + TAG_BYTES
const LENGTH_BYTES = 4
const FRAME_HEADER_BYTES = TAG_BYTES + 2 * LENGTH_BYTES

/** A file of this size has no frame yet. */
export const EMPTY_BYTES = FILE_HEADER_BYTES

export interface FramedFile {
  /** Bytes of whole frames and the file header. */
  readonly size: number
  /** Adds payloads as one frame; durable when it resolves. When it rejects none of them is kept, and the next call can succeed. */
  append(payloads: readonly Uint8Array[]): Promise<void>
  close(): Promise<void>
}

export interface FrameScan {
  readonly payloads: readonly Buffer[]
  /** Where the last good frame ends; 0 when not even the file's header is good. */
  readonly end: number
  /** Bytes that stand between good frames and are no frame: damage, not a torn end. */
  readonly damagedBytes: number
}

/** Reads every good frame of a file. */
export function scanFrames(bytes: Buffer): FrameScan {
  const payloads: Buffer[] = []
  const tag = bytes.subarray(MAGIC.length, FILE_HEADER_BYTES)
  const isOurs = tag.length === TAG_BYTES && bytes.subarray(0, MAGIC.length).equals(MAGIC)
  if (!isOurs) return { payloads, end: 0, damagedBytes: bytes.length <= FILE_HEADER_BYTES ? 0 : bytes.length }
  let end = FILE_HEADER_BYTES
  let damagedBytes = 0
  for (let at = end; at < bytes.length;) {
    const body = bodyAt(bytes, at, tag)
    if (body === undefined) {
      const next = bytes.indexOf(tag, at + 1)
      at = next < 0 ? bytes.length : next
      continue
    }
    damagedBytes += at - end
    payloads.push(...payloadsOf(body))
    at += FRAME_HEADER_BYTES + body.length
    end = at
  }
  return { payloads, end, damagedBytes }
}

/** A whole file with these payloads. */
export function encodeFile(payloads: readonly Uint8Array[]): Buffer {
  const tag = randomBytes(TAG_BYTES)
  return Buffer.concat([MAGIC, tag, ...(payloads.length === 0 ? [] : [encodeFrame(payloads, tag)])])
}

/** Opens a file for appending behind its first `size` bytes (0 or the `end` of a scan); what is beyond is cut. Its name is durable. */
export async function openFramedFile(fs: Fs, path: string, folder: string, size = 0): Promise<FramedFile> {
  let file = await openAt(fs, path, size)
  const tag = await startFile(fs, file, { path, folder, size }).catch(async (error: unknown) => {
    await file.close()
    throw error
  })
  let good = Math.max(size, FILE_HEADER_BYTES)
  let clean = true

  /** After a failed write the file may end in a part of it; no frame may ever follow that. */
  async function repair(): Promise<void> {
    await file.close()
    file = await openAt(fs, path, good)
    clean = true
  }

  return {
    get size() {
      return good
    },
    async append(payloads) {
      if (!clean) await repair()
      const bytes = encodeFrame(payloads, tag)
      clean = false
      try {
        await file.write(bytes)
        await file.sync()
      } catch (error) {
        await repair().catch(() => undefined) // Tried again before the next write.
        throw error
      }
      clean = true
      good += bytes.length
    },
    close: () => file.close(),
  }
}

/** Gives the file's tag. */
async function startFile(
  fs: Fs,
  file: AppendFile,
  { path, folder, size }: { path: string; folder: string; size: number },
): Promise<Buffer> {
  const tag = size === 0 ? await writeHeader(file) : await readTag(fs, path)
  await fs.syncDir(folder)
  return tag
}

async function openAt(fs: Fs, path: string, size: number): Promise<AppendFile> {
  const file = await fs.openAppend(path)
  if (file.size === size) return file
  await file.close()
  await fs.truncate(path, size)
  return fs.openAppend(path)
}

async function writeHeader(file: AppendFile): Promise<Buffer> {
  const tag = randomBytes(TAG_BYTES)
  await file.write(Buffer.concat([MAGIC, tag]))
  await file.sync()
  return tag
}

async function readTag(fs: Fs, path: string): Promise<Buffer> {
  const file = await fs.openRead(path)
  try {
    return await file.read(MAGIC.length, TAG_BYTES)
  } finally {
    await file.close()
  }
}

/** The file's bytes; none when it does not exist. */
export async function readIfThere(fs: Fs, path: string): Promise<Buffer> {
  return fs.readFile(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
}

function encodeFrame(payloads: readonly Uint8Array[], tag: Buffer): Buffer {
  const bodyBytes = payloads.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0)
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bodyBytes)
  let at = FRAME_HEADER_BYTES
  for (const payload of payloads) {
    frame.writeUInt32LE(payload.length, at)
    frame.set(payload, at + LENGTH_BYTES)
    at += LENGTH_BYTES + payload.length
  }
  tag.copy(frame)
  frame.writeUInt32LE(bodyBytes, TAG_BYTES)
  frame.writeUInt32LE(crc32(frame.subarray(FRAME_HEADER_BYTES)), TAG_BYTES + LENGTH_BYTES)
  return frame
}

function bodyAt(bytes: Buffer, at: number, tag: Buffer): Buffer | undefined {
  const start = at + FRAME_HEADER_BYTES
  if (start > bytes.length || !bytes.subarray(at, at + TAG_BYTES).equals(tag)) return undefined
  const end = start + bytes.readUInt32LE(at + TAG_BYTES)
  if (end > bytes.length) return undefined
  const body = bytes.subarray(start, end)
  return crc32(body) === bytes.readUInt32LE(at + TAG_BYTES + LENGTH_BYTES) ? body : undefined
}

function payloadsOf(body: Buffer): Buffer[] {
  const payloads: Buffer[] = []
  for (let at = 0; at < body.length;) {
    const start = at + LENGTH_BYTES
    at = start + body.readUInt32LE(at)
    payloads.push(body.subarray(start, at))
  }
  return payloads
}
