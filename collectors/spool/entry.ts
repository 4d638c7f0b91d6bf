import { crc32 } from 'node:zlib'
import { openFrame } from '../../core/wire.ts'
import type { BatchHeader } from '../../core/wire.ts'
import type { PositionChanges } from './types.ts'

/**
 * A segment file is a row of entries, one batch each:
 *
 *     "NCS1" | meta bytes u32 | frame bytes u32 | crc32 of the 8 bytes before and of the meta | meta JSON | frame
 *
 * The frame checks itself. Entries of one group commit were written and synced together.
 */
const MAGIC = Buffer.from('NCS1')
const CRC_AT = 12
const META_AT = 16

export interface EntryMeta {
  /** Number of the entry in this spool, without holes inside a segment. */
  readonly ref: number
  /** Where its group commit starts: everything before that was durable when it was written. */
  readonly group: number
  readonly positions: PositionChanges
}

export interface ScannedEntry extends EntryMeta {
  readonly header: BatchHeader
  readonly frameAt: number
  readonly frameBytes: number
}

/** Bytes that are not an entry, where entries `refFrom` to `refTo` have been; the latter is null when nothing follows. */
export interface BadBytes {
  readonly offset: number
  readonly bytes: number
  readonly refFrom: number
  readonly refTo: number | null
}

export interface Scan {
  readonly entries: readonly ScannedEntry[]
  readonly bad: readonly BadBytes[]
  /** Length of the segment without its torn tail. */
  readonly end: number
}

/** The bytes that stand before the frame. */
export function entryHead(meta: EntryMeta, frameBytes: number): Buffer {
  const json = Buffer.from(JSON.stringify(meta))
  const head = Buffer.allocUnsafe(META_AT + json.length)
  MAGIC.copy(head, 0)
  head.writeUInt32LE(json.length, 4)
  head.writeUInt32LE(frameBytes, 8)
  json.copy(head, META_AT)
  head.writeUInt32LE(checksum(head.subarray(4, CRC_AT), json), CRC_AT)
  return head
}

/**
 * Reads a whole segment whose first entry is `firstRef`. Damage in what had been durable (every group but the last, and all
 * entries below `durableRef`) is `bad` and reading goes on behind it; damage in the last group is a write that a crash cut short:
 * from there on nothing had been promised, and the segment ends.
 */
export function scanSegment(bytes: Buffer, firstRef: number, durableRef: number): Scan {
  const found = findEntries(bytes)
  const durableBytes = found.reduce((bytes, { entry }) => Math.max(bytes, entry.group), 0)
  const entries: ScannedEntry[] = []
  const bad: BadBytes[] = []
  let end = 0
  let ref = firstRef
  for (const { entry, offset } of [...found, { entry: undefined, offset: bytes.length }]) {
    if (offset > end) {
      if (end >= durableBytes && ref >= durableRef) return { entries, bad, end }
      bad.push({
        offset: end,
        bytes: offset - end,
        refFrom: ref,
        refTo: entry === undefined ? null : entry.ref - 1,
      })
      end = offset
    }
    if (entry === undefined) break
    entries.push(entry)
    end = entry.frameAt + entry.frameBytes
    ref = entry.ref + 1
  }
  return { entries, bad, end }
}

function findEntries(bytes: Buffer): { entry: ScannedEntry; offset: number }[] {
  const found: { entry: ScannedEntry; offset: number }[] = []
  for (let offset = bytes.indexOf(MAGIC); offset !== -1;) {
    const entry = readEntry(bytes, offset)
    if (entry !== undefined) found.push({ entry, offset })
    offset = bytes.indexOf(MAGIC, entry === undefined ? offset + 1 : entry.frameAt + entry.frameBytes)
  }
  return found
}

/** The entry at `offset`, or undefined when a byte of it is wrong or missing. */
function readEntry(bytes: Buffer, offset: number): ScannedEntry | undefined {
  if (offset + META_AT > bytes.length) return undefined
  const frameAt = offset + META_AT + bytes.readUInt32LE(offset + 4)
  const frameBytes = bytes.readUInt32LE(offset + 8)
  if (frameAt + frameBytes > bytes.length) return undefined
  const json = bytes.subarray(offset + META_AT, frameAt)
  const sum = checksum(bytes.subarray(offset + 4, offset + CRC_AT), json)
  if (sum !== bytes.readUInt32LE(offset + CRC_AT)) return undefined
  try {
    const { header } = openFrame(bytes.subarray(frameAt, frameAt + frameBytes))
    return { ...(JSON.parse(json.toString()) as EntryMeta), header, frameAt, frameBytes }
  } catch {
    return undefined
  }
}

function checksum(lengths: Buffer, json: Buffer): number {
  return crc32(json, crc32(lengths))
}
