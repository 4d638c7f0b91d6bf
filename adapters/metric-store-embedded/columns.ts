/**
 * Numbers in few bytes, before they are compressed. A column is a mode byte and
 *
 *     0 constant: the number           1 same as the column before: nothing
 *     2 whole numbers: varints of zigzag differences to the number before
 *     3 any: each number XOR the one before, all first bytes, then all second bytes, …
 *
 * How many numbers there are the reader knows.
 */
const CONSTANT = 0
const SAME = 1
const WHOLE = 2
const ANY = 3
const FLOAT_BYTES = 8
/** Differences below it are exact, also when they are doubled. */
const WHOLE_MAX = 2 ** 51
const VARINT_BYTES_MAX = 8

/** Bytes that are written one after the other. */
export interface ByteWriter {
  bytes: Buffer
  at: number
}

export interface ByteReader {
  readonly bytes: Buffer
  at: number
}

export function createByteWriter(): ByteWriter {
  return { bytes: Buffer.allocUnsafe(1 << 16), at: 0 }
}

export function written({ bytes, at }: ByteWriter): Buffer {
  return bytes.subarray(0, at)
}

function reserve(out: ByteWriter, bytes: number): void {
  if (out.at + bytes <= out.bytes.length) return
  const larger = Buffer.allocUnsafe(Math.max(out.bytes.length * 2, out.at + bytes))
  out.bytes.copy(larger, 0, 0, out.at)
  out.bytes = larger
}

/** A whole number from 0 to 2^53. */
export function writeVarint(out: ByteWriter, value: number): void {
  reserve(out, VARINT_BYTES_MAX)
  writeVarintNow(out, value)
}

function writeVarintNow(out: ByteWriter, value: number): void {
  const { bytes } = out
  let rest = value
  while (rest >= 128) {
    bytes[out.at++] = (rest % 128) + 128
    rest = Math.floor(rest / 128)
  }
  bytes[out.at++] = rest
}

export function readVarint(from: ByteReader): number {
  const { bytes } = from
  let value = 0
  let scale = 1
  let byte = bytes[from.at++] ?? 0
  while (byte >= 128) {
    value += (byte - 128) * scale
    scale *= 128
    byte = bytes[from.at++] ?? 0
  }
  return value + byte * scale
}

export function writeBytes(out: ByteWriter, bytes: Uint8Array): void {
  reserve(out, bytes.length)
  out.bytes.set(bytes, out.at)
  out.at += bytes.length
}

export function writeColumn(out: ByteWriter, column: Float64Array, before: Float64Array | null): void {
  const mode = modeOf(column, before)
  reserve(out, 1 + FLOAT_BYTES * Math.max(1, column.length) + VARINT_BYTES_MAX)
  out.bytes[out.at++] = mode
  if (mode === CONSTANT) out.at = out.bytes.writeDoubleLE(column[0] ?? 0, out.at)
  if (mode === WHOLE) writeWhole(out, column)
  if (mode === ANY) writeAny(out, column)
}

function modeOf(column: Float64Array, before: Float64Array | null): number {
  const [first = 0] = column
  if (column.every((value) => Object.is(value, first))) return CONSTANT
  if (before !== null && column.every((value, at) => Object.is(value, before[at]))) return SAME
  const isWhole = (value: number) =>
    Number.isInteger(value) && Math.abs(value) < WHOLE_MAX / 2 && !Object.is(value, -0)
  return column.every(isWhole) ? WHOLE : ANY
}

function writeWhole(out: ByteWriter, column: Float64Array): void {
  let before = 0
  for (const value of column) {
    const difference = value - before
    writeVarintNow(out, difference < 0 ? -2 * difference - 1 : 2 * difference)
    before = value
  }
}

function writeAny(out: ByteWriter, column: Float64Array): void {
  const words = new Uint32Array(column.buffer, column.byteOffset, column.length * 2)
  for (let byte = 0; byte < FLOAT_BYTES; byte += 1) {
    const word = byte >> 2
    const shift = (byte & 3) * 8
    for (let at = word; at < words.length; at += 2) {
      const changed = (words[at] ?? 0) ^ (words[at - 2] ?? 0)
      out.bytes[out.at++] = (changed >>> shift) & 255
    }
  }
}

/** Moves behind a column. */
export function skipColumn(from: ByteReader, length: number): void {
  const { bytes } = from
  const mode = bytes[from.at++]
  if (mode === CONSTANT) from.at += FLOAT_BYTES
  else if (mode === ANY) from.at += FLOAT_BYTES * length
  else if (mode === WHOLE) for (let left = length; left > 0;) if ((bytes[from.at++] ?? 0) < 128) left -= 1
}

/** `before` is asked for only if the column is the same. */
export function readColumn(
  from: ByteReader,
  length: number,
  before: () => Float64Array | null,
): Float64Array {
  const mode = from.bytes[from.at++]
  const same = mode === SAME ? before() : null
  if (same !== null) return same
  const column = new Float64Array(length)
  if (mode === CONSTANT) {
    column.fill(from.bytes.readDoubleLE(from.at))
    from.at += FLOAT_BYTES
  } else if (mode === WHOLE) readWhole(from, column)
  else readAny(from, column)
  return column
}

function readWhole(from: ByteReader, column: Float64Array): void {
  let before = 0
  for (let at = 0; at < column.length; at += 1) {
    const zigzag = readVarint(from)
    before += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    column[at] = before
  }
}

function readAny(from: ByteReader, column: Float64Array): void {
  const words = new Uint32Array(column.buffer)
  for (let byte = 0; byte < FLOAT_BYTES; byte += 1) {
    const shift = (byte & 3) * 8
    for (let at = byte >> 2; at < words.length; at += 2)
      words[at] = (words[at] ?? 0) | ((from.bytes[from.at++] ?? 0) << shift)
  }
  for (let at = 2; at < words.length; at += 1) words[at] = (words[at] ?? 0) ^ (words[at - 2] ?? 0)
}
