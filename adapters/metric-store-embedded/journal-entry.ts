import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib'
import type { BatchKey } from '../../core/ledger/types.ts'
import { createSlices } from '../../core/slices.ts'
import { noNumbers, type Rows, type Table } from './table.ts'

/**
 * A batch in the journal, zstd: head bytes u32 | head (JSON) | the columns of its rows, as they are in memory | the sketches.
 * Series have numbers; an entry brings the keys of those that no entry before it of the same file has brought.
 */
interface Head {
  readonly key: BatchKey
  readonly atMs: number
  /** Number of the first key in `keys`. */
  readonly firstSeries: number
  readonly keys: readonly string[]
  readonly rows: number
  /** Bytes of each sketch; -1: none. Absent when no row has one. */
  readonly sketches?: readonly number[]
}

export interface JournalEntry {
  readonly key: BatchKey
  readonly atMs: number
  readonly rows: Rows
}

const HEAD_AT = 4
/** Made for every batch, read after a crash only. */
const ZSTD_LEVEL = 1
const compress = promisify(zstdCompress)

/** Lets others work in between. */
export async function encodeEntry(
  { key, atMs, rows }: JournalEntry,
  { firstSeries, keys }: Pick<Head, 'firstSeries' | 'keys'>,
): Promise<Buffer> {
  const hasSketches = rows.sketches.some((sketch) => sketch !== null)
  const head: Omit<Head, 'keys'> = {
    key,
    atMs,
    firstSeries,
    rows: rows.length,
    ...(hasSketches ? { sketches: rows.sketches.map((sketch) => sketch?.length ?? -1) } : {}),
  }
  const pause = createSlices()
  const headBytes = await headBytesOf(head, keys, pause)
  await pause()
  const length = Buffer.alloc(HEAD_AT)
  length.writeUInt32LE(headBytes.length)
  const columns = [rows.series, ...Object.values(rows.numbers)].map((column) =>
    Buffer.from(column.buffer, column.byteOffset, column.byteLength),
  )
  const sketches = rows.sketches.filter((sketch) => sketch !== null)
  const bytes = Buffer.concat([length, headBytes, ...columns, ...sketches])
  return compress(bytes, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })
}

/** Keys that become JSON at once: a hundred thousand would take the event loop fifty milliseconds. */
const KEYS_AT_ONCE = 4_096

async function headBytesOf(
  head: Omit<Head, 'keys'>,
  keys: readonly string[],
  pause: () => Promise<void> | undefined,
): Promise<Buffer> {
  const parts = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"keys":[`)]
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    await pause()
    const some = JSON.stringify(keys.slice(at, at + KEYS_AT_ONCE)).slice(1, -1)
    parts.push(Buffer.from(at === 0 ? some : `,${some}`))
  }
  return Buffer.concat([...parts, Buffer.from(']}')])
}

/** Puts an entry into the table of its generation. Entries come in the order in which they were written. */
export async function replayEntry(
  payload: Buffer,
  table: Table,
): Promise<Pick<JournalEntry, 'key' | 'atMs'>> {
  const bytes = zstdDecompressSync(payload)
  let at = HEAD_AT + bytes.readUInt32LE(0)
  const head = JSON.parse(bytes.toString('utf8', HEAD_AT, at)) as Head
  for (const key of head.keys) table.numberOf(key)
  const { rows } = head
  const take = (length: number) => bytes.subarray(at, (at += length))
  const fill = ({ buffer }: Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>) =>
    Buffer.from(buffer).set(take(buffer.byteLength))
  const series = new Uint32Array(rows)
  fill(series)
  const numbers = noNumbers(rows)
  for (const column of Object.values(numbers)) fill(column)
  const lengths = head.sketches ?? Array.from({ length: rows }, () => -1)
  const sketches = lengths.map((length) => (length < 0 ? null : Uint8Array.from(take(length))))
  await table.reserve(rows)
  table.add({ length: rows, series, numbers, sketches })
  return { key: head.key, atMs: head.atMs }
}
