import { METRIC_NAME_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX } from '../../core/metrics/wire.ts'
import { DISTRIBUTION_BYTES_MAX } from '../../core/sketch/distribution.ts'
import type { MetricChunk } from './aggregation.ts'
import { COUNT, LAST, MAX, MIN, SUM } from './intervals.ts'

/** A chunk is written in a few ms, between two of which datagrams are received. */
export const CHUNK_BYTES_MAX = 256 << 10
export const CHUNK_LINES_MAX = 1_000

const UTF8_BYTES_PER_UNIT = 3
const NUMBERS_BYTES_MAX = 256
/** Name, tags with their quotes, numbers, the longest sketch in base64. */
const LINE_BYTES_MAX =
  UTF8_BYTES_PER_UNIT * (METRIC_NAME_CHARS_MAX + TAGS_MAX * (2 * TAG_CHARS_MAX + 6)) +
  NUMBERS_BYTES_MAX +
  4 * Math.ceil(DISTRIBUTION_BYTES_MAX / 3)

const COMMA = 0x2c
const QUOTE = 0x22
const CLOSE = 0x5d
const NEWLINE = 0x0a
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30

/** Writes points as core/metrics/wire.ts does, byte for byte, but without a string for each. */
export interface LineWriter {
  /** Start and width of the points that are written from now on. */
  setTime(startMs: number, stepMs: number): void
  /** The point of a row at `at`, see intervals.ts; a sketch follows if its length is not 0. */
  write(prefix: string, rows: Float64Array, at: number): void
  /** Where the sketch of the next point is to be put. */
  readonly sketch: Uint8Array
  sketchLength: number
  /** The next line may not fit. */
  isFull(): boolean
  /** What was written since the last time; null: nothing. */
  takeChunk(): MetricChunk | null
}

const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const PADDING = 0x3d

export function createLineWriter(): LineWriter {
  const out = Buffer.allocUnsafeSlow(CHUNK_BYTES_MAX)
  let time = Buffer.alloc(0)
  let end = 0
  let lines = 0

  const writer: LineWriter = {
    sketch: new Uint8Array(DISTRIBUTION_BYTES_MAX),
    sketchLength: 0,
    setTime(startMs, stepMs) {
      time = Buffer.from(`${startMs},${stepMs},`)
    },
    write(prefix, rows, at) {
      end += out.write(prefix, end)
      for (let i = 0; i < time.length; i++) out[end++] = time[i] ?? 0
      end = writeNumber(out, end, rows[at + COUNT] ?? 0)
      out[end++] = COMMA
      end = writeNumber(out, end, rows[at + SUM] ?? 0)
      out[end++] = COMMA
      end = writeNumber(out, end, rows[at + MIN] ?? 0)
      out[end++] = COMMA
      end = writeNumber(out, end, rows[at + MAX] ?? 0)
      out[end++] = COMMA
      end = writeNumber(out, end, rows[at + LAST] ?? 0)
      if (writer.sketchLength > 0) end = writeSketch(out, end, writer.sketch, writer.sketchLength)
      out[end++] = CLOSE
      out[end++] = NEWLINE
      lines++
    },
    isFull: () => end > CHUNK_BYTES_MAX - LINE_BYTES_MAX || lines === CHUNK_LINES_MAX,
    takeChunk() {
      if (lines === 0) return null
      const chunk = { bytes: new Uint8Array(out.subarray(0, end)), points: lines }
      end = 0
      lines = 0
      return chunk
    },
  }
  return writer
}

function writeSketch(out: Uint8Array, start: number, sketch: Uint8Array, length: number): number {
  out[start] = COMMA
  out[start + 1] = QUOTE
  const end = writeBase64(out, start + 2, sketch, length)
  out[end] = QUOTE
  return end + 1
}

function writeBase64(out: Uint8Array, start: number, from: Uint8Array, length: number): number {
  let at = start
  for (let i = 0; i < length; i += 3) {
    const a = from[i] ?? 0
    const b = i + 1 < length ? (from[i + 1] ?? 0) : 0
    const c = i + 2 < length ? (from[i + 2] ?? 0) : 0
    out[at++] = BASE64[a >> 2] ?? 0
    out[at++] = BASE64[((a & 3) << 4) | (b >> 4)] ?? 0
    out[at++] = i + 1 < length ? (BASE64[((b & 15) << 2) | (c >> 6)] ?? 0) : PADDING
    out[at++] = i + 2 < length ? (BASE64[c & 63] ?? 0) : PADDING
  }
  return at
}

const INTEGER_MAX = 2 ** 31 - 1
const THOUSANDTHS_MAX = 1e9

/** Writes what String(value) gives. */
export function writeNumber(out: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value
  if (value < 0) {
    out[at++] = MINUS
    rest = -value
  }
  if (rest <= INTEGER_MAX && Math.floor(rest) === rest) return writeInteger(out, at, rest)
  // Up to three decimals and not many digits: the only decimal of 15 digits at most that reads as this number, so the shortest.
  const thousandths = Math.round(rest * 1000)
  if (rest < THOUSANDTHS_MAX && thousandths > 0 && thousandths / 1000 === rest) {
    const whole = Math.floor(thousandths / 1000)
    return writeDecimals(out, writeInteger(out, at, whole), thousandths - whole * 1000)
  }
  const text = String(rest)
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i)
  return at
}

function writeInteger(out: Uint8Array, start: number, value: number): number {
  let digits = 1
  for (let bound = 10; bound <= value; bound *= 10) digits++
  let rest = value
  for (let at = start + digits - 1; at >= start; at--) {
    const next = Math.floor(rest / 10)
    out[at] = ZERO + rest - next * 10
    rest = next
  }
  return start + digits
}

/** '.' and 1 to 999 thousandths, without zeros at the end. */
function writeDecimals(out: Uint8Array, start: number, thousandths: number): number {
  out[start] = DOT
  const hundreds = Math.floor(thousandths / 100)
  const rest = thousandths - hundreds * 100
  out[start + 1] = ZERO + hundreds
  if (rest === 0) return start + 2
  const tens = Math.floor(rest / 10)
  out[start + 2] = ZERO + tens
  if (rest === tens * 10) return start + 3
  out[start + 3] = ZERO + rest - tens * 10
  return start + 4
}
