import { DDSketch } from '@datadog/sketches-js'
import { ServiceError } from '../errors.ts'

/**
 * Measurements whose quantiles can be asked for: a DDSketch (Masson, Rim, Lee, VLDB 2019), which answers at most RELATIVE_ERROR away from the
 * quantile of the values, also after merging any number of them in any order.
 *
 * Values nearer to 0 than ZERO_BELOW count as 0. Of values of one sign, those that are more than BINS_MAX bins (a factor of 10^17) nearer to 0
 * than the farthest one are all answered as that bound.
 */
export interface Distribution {
  /** Weights of all values. */
  readonly count: number
  /** Takes a finite value; `weight` (default 1) is above 0 and need not be whole. */
  add(value: number, weight?: number): void
  /** Adds everything of another one. Throws BATCH_MALFORMED, and changes nothing then. */
  merge(encoded: Uint8Array): void
  /** Forgets everything, but keeps its room: cheaper than a new one. */
  clear(): void
  /** The value of rank p × (count − 1), counted from 0, for p from 0 to 1; null: there is none. */
  quantile(p: number): number | null
  encode(): Uint8Array
}

export const RELATIVE_ERROR = 0.01
/** Bins of each sign. */
export const BINS_MAX = 2_048

/*
 * Encoding, version 1: version byte, weight of the zeros, bins above 0, bins below 0.
 * Bins: varint of their number; then of each, by key, a varint of 2 × (key − key before − 1) + (weight is 1 ? 0 : 1), and the weight unless it
 * is 1. The first key stands as 2 × (key + KEY_OFFSET) + ….
 * Weight: varint of 2 × weight if it is whole, else a byte 1 and a little-endian double.
 * One value takes four bytes, each further one a byte or two.
 */
const VERSION = 1
/** Bytes from here on are not the only one of their number. */
const LONG = 128
const FLOAT_MARK = 1
/** Makes every key of a double positive: they are between −35,500 and 35,500. */
const KEY_OFFSET = 1 << 16
const KEY_MAX = 40_000
/** Sums of weights stay exact below it. */
const WEIGHT_MAX = 2 ** 52
/** Bins that a sketch gets at least beyond those it needs now. */
const ROOM_MIN = 16
const NO_WEIGHTS: Float64Array = new Float64Array(0)
const VARINT_BYTES_MAX = 8
const WEIGHT_BYTES_MAX = 9
const BIN_BYTES_MAX = 3 + WEIGHT_BYTES_MAX
/** Upper bound of an encoding's size. */
export const DISTRIBUTION_BYTES_MAX = 1 + WEIGHT_BYTES_MAX + 2 * (3 + BINS_MAX * BIN_BYTES_MAX)

/** Of the library we take the keys. Its merge() forgets values below 0, and what it collapses into the lowest bin it counts twice. */
const { mapping } = new DDSketch({ relativeAccuracy: RELATIVE_ERROR })

/** Weights of the values of one sign: that of key k is weights[k − offset]. */
interface Bins {
  weights: Float64Array
  offset: number
  /** Keys in use; none: 0 and −1. */
  keyMin: number
  keyMax: number
}

/** Throws BATCH_MALFORMED for bytes that are no encoding. */
export function createDistribution(encoded?: Uint8Array): Distribution {
  const above: Bins = { weights: NO_WEIGHTS, offset: 0, keyMin: 0, keyMax: -1 }
  const below: Bins = { ...above }
  let zero = 0
  let count = 0
  const distribution: Distribution = {
    get count() {
      return count
    },
    add(value, weight = 1) {
      if (!Number.isFinite(value)) throw new RangeError(`a distribution takes finite values, not ${value}`)
      if (value > mapping.minPossible) addToBins(above, mapping.key(value), weight)
      else if (value < -mapping.minPossible) addToBins(below, mapping.key(-value), weight)
      else zero += weight
      count += weight
    },
    merge(other) {
      readBins(other)
      count += mergeRead(above, 0, read.above)
      count += mergeRead(below, read.above, read.length)
      zero += read.zero
      count += read.zero
    },
    clear() {
      for (const bins of [above, below]) {
        bins.weights.fill(0, bins.keyMin - bins.offset, bins.keyMax - bins.offset + 1)
        bins.keyMin = 0
        bins.keyMax = -1
      }
      zero = 0
      count = 0
    },
    quantile(p) {
      if (count === 0) return null
      const value = valueAt(Math.min(1, Math.max(0, p)) * Math.max(0, count - 1), below, zero, above)
      return Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value))
    },
    encode() {
      let at = writeWeight(scratch, writeByte(scratch, 0, VERSION), zero)
      at = writeBins(scratch, at, above)
      at = writeBins(scratch, at, below)
      return copied(scratch, at)
    },
  }
  if (encoded !== undefined) distribution.merge(encoded)
  return distribution
}

function addToBins(bins: Bins, key: number, weight: number): void {
  if (key > bins.keyMax || key < bins.keyMin) reach(bins, key, key)
  const index = Math.max(key, bins.keyMin) - bins.offset
  bins.weights[index] = (bins.weights[index] ?? 0) + weight
}

/** Adds what was read, from one index to another. Gives the weight of it. */
function mergeRead(bins: Bins, from: number, to: number): number {
  if (from === to) return 0
  reach(bins, read.keys[from] ?? 0, read.keys[to - 1] ?? 0)
  const { weights, offset, keyMin } = bins
  let total = 0
  for (let i = from; i < to; i++) {
    const weight = read.weights[i] ?? 0
    const index = Math.max(read.keys[i] ?? 0, keyMin) - offset
    weights[index] = (weights[index] ?? 0) + weight
    total += weight
  }
  return total
}

/** Makes room for keys of [from, to], too. Of more than BINS_MAX what is lower is added to the lowest. */
function reach(bins: Bins, from: number, to: number): void {
  const { weights, offset } = bins
  const isEmpty = bins.keyMax < bins.keyMin
  const keyMax = isEmpty ? to : Math.max(to, bins.keyMax)
  const keyMin = Math.max(isEmpty ? from : Math.min(from, bins.keyMin), keyMax - BINS_MAX + 1)
  const fits = keyMin >= offset && keyMax < offset + weights.length && (isEmpty || keyMin <= bins.keyMin)
  if (!fits) {
    const keys = keyMax - keyMin + 1
    const capacity = Math.min(BINS_MAX, 1 << (32 - Math.clz32(2 * keys + ROOM_MIN)))
    bins.offset = keyMin - ((capacity - keys) >> 1)
    bins.weights = new Float64Array(capacity)
    for (let key = bins.keyMin; key <= bins.keyMax; key++) {
      const index = Math.max(key, keyMin) - bins.offset
      bins.weights[index] = (bins.weights[index] ?? 0) + (weights[key - offset] ?? 0)
    }
  }
  bins.keyMin = keyMin
  bins.keyMax = keyMax
}

function valueAt(rank: number, below: Bins, zero: number, above: Bins): number {
  let seen = 0
  for (let key = below.keyMax; key >= below.keyMin; key--) {
    seen += below.weights[key - below.offset] ?? 0
    if (seen > rank) return -mapping.value(key)
  }
  seen += zero
  if (seen > rank) return 0
  for (let key = above.keyMin; key < above.keyMax; key++) {
    seen += above.weights[key - above.offset] ?? 0
    if (seen > rank) return mapping.value(key)
  }
  // Sums of weights that are not whole may stay a rounding error below the count.
  if (above.keyMax >= above.keyMin) return mapping.value(above.keyMax)
  return zero > 0 ? 0 : -mapping.value(below.keyMin)
}

/** What a value is counted as: 0, or its key made positive and given the value's sign. In the order of the values. */
export function distributionCode(value: number): number {
  if (value > mapping.minPossible) return mapping.key(value) + KEY_OFFSET
  if (value < -mapping.minPossible) return -(mapping.key(-value) + KEY_OFFSET)
  return 0
}

/**
 * Writes what encode() of a distribution would give that took codes[0, length) (sorted, of distributionCode), each with the same weight. Needs
 * DISTRIBUTION_BYTES_MAX of room in the worst case. Returns the end.
 */
export function writeCodes(out: Uint8Array, start: number, codes: Codes, weight: number): number {
  const { sorted, length } = codes
  let below = 0
  while (below < length && (sorted[below] ?? 0) < 0) below++
  let above = below
  while (above < length && sorted[above] === 0) above++
  const at = writeWeight(out, writeByte(out, start, VERSION), (above - below) * weight)
  return writeRuns(out, writeRuns(out, at, codes, above, weight), codes, below, -weight)
}

export interface Codes {
  readonly sorted: Int32Array
  readonly length: number
}

/** Bins of the codes above 0, from the index `side` on; of those below 0, from the one before `side` backwards, if the weight is negative. */
function writeRuns(out: Uint8Array, start: number, codes: Codes, side: number, signed: number): number {
  const { sorted } = codes
  const isAbove = signed > 0
  const count = isAbove ? codes.length - side : side
  const step = isAbove ? 1 : -1
  const first = isAbove ? side : side - 1
  const floor = count === 0 ? 0 : Math.abs(sorted[isAbove ? codes.length - 1 : 0] ?? 0) - BINS_MAX + 1
  let at = start + 1
  let bins = 0
  for (let i = 0, before = -1; i < count; bins++) {
    const code = Math.max(floor, Math.abs(sorted[first + i * step] ?? 0))
    const from = i
    while (i < count && Math.abs(sorted[first + i * step] ?? 0) <= code) i++
    at = writeBin(out, at, code - before - 1, (i - from) * Math.abs(signed))
    before = code
  }
  return writeCount(out, { start, at, bins })
}

function writeBins(out: Uint8Array, start: number, { weights, offset, keyMin, keyMax }: Bins): number {
  let filled = 0
  let at = start + 1
  for (let key = keyMin, before = -1 - KEY_OFFSET; key <= keyMax; key++) {
    const weight = weights[key - offset] ?? 0
    if (weight <= 0) continue
    at = writeBin(out, at, key - before - 1, weight)
    before = key
    filled++
  }
  return writeCount(out, { start, at, bins: filled })
}

/** The number of bins, before them. Mostly below 128 and a byte, for which they leave room; they move in the rare other case. */
function writeCount(
  out: Uint8Array,
  { start, at, bins }: { start: number; at: number; bins: number },
): number {
  if (bins < LONG) {
    out[start] = bins
    return at
  }
  out.copyWithin(start + 2, start + 1, at)
  writeVarint(out, start, bins)
  return at + 1
}

function writeBin(out: Uint8Array, at: number, gap: number, weight: number): number {
  if (weight === 1) return writeVarint(out, at, 2 * gap)
  return writeWeight(out, writeVarint(out, at, 2 * gap + 1), weight)
}

const scratch = new Uint8Array(DISTRIBUTION_BYTES_MAX)
const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

/** Encodings are small, and memory of its own for each would take longer than to write it: many share some. */
const POOL_BYTES = 8_192
let pool = new Uint8Array(POOL_BYTES)
let poolAt = 0

function copied(bytes: Uint8Array, length: number): Uint8Array {
  if (length > POOL_BYTES / 8) return bytes.slice(0, length)
  if (poolAt + length > POOL_BYTES) {
    pool = new Uint8Array(POOL_BYTES)
    poolAt = 0
  }
  const copy = pool.subarray(poolAt, (poolAt += length))
  copy.set(bytes.subarray(0, length))
  return copy
}

function writeByte(out: Uint8Array, at: number, byte: number): number {
  out[at] = byte
  return at + 1
}

function writeVarint(out: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value
  while (rest >= 128) {
    out[at++] = (rest % 128) + 128
    rest = Math.floor(rest / 128)
  }
  out[at++] = rest
  return at
}

function writeWeight(out: Uint8Array, at: number, weight: number): number {
  const kept = Math.min(weight, WEIGHT_MAX)
  if (Number.isInteger(kept)) return writeVarint(out, at, 2 * kept)
  out[at] = FLOAT_MARK
  float[0] = kept
  out.set(floatBytes, at + 1)
  return at + WEIGHT_BYTES_MAX
}

/** What readBins has read last: bins above 0 up to index `above`, then those below 0. */
const NO_BYTES: Uint8Array = new Uint8Array(0)
const read = {
  bytes: NO_BYTES,
  at: 0,
  zero: 0,
  length: 0,
  above: 0,
  keys: new Int32Array(2 * BINS_MAX),
  weights: new Float64Array(2 * BINS_MAX),
}

function readBins(bytes: Uint8Array): void {
  read.bytes = bytes
  read.at = 1
  read.length = 0
  if (bytes[0] !== VERSION) throw malformed(`version ${bytes[0]}`)
  read.zero = readWeight()
  readSide()
  read.above = read.length
  readSide()
  if (read.at !== bytes.length) throw malformed('its length is wrong')
}

function readSide(): void {
  const bins = readVarint()
  if (bins > BINS_MAX) throw malformed('too many bins')
  const { bytes, keys, weights } = read
  let code = -1
  for (let i = 0; i < bins; i++) {
    // Mostly a byte each: millions of bins are read for an answer.
    const byte = bytes[read.at] ?? LONG
    const gap = byte < LONG ? byte : readVarint()
    if (byte < LONG) read.at++
    code += 1 + Math.floor(gap / 2)
    if (code > KEY_OFFSET + KEY_MAX || code < KEY_OFFSET - KEY_MAX) throw malformed('a key is out of range')
    const weight = gap % 2 === 0 ? 1 : readWeight()
    if (weight <= 0) throw malformed('a bin is empty')
    keys[read.length] = code - KEY_OFFSET
    weights[read.length++] = weight
  }
}

function readVarint(): number {
  let value = 0
  for (let i = 0, scale = 1; i < VARINT_BYTES_MAX; i++, scale *= 128) {
    const byte = read.bytes[read.at++]
    if (byte === undefined) throw malformed('it is cut off')
    value += (byte % 128) * scale
    if (byte < 128) return value
  }
  throw malformed('a number is too long')
}

function readWeight(): number {
  const byte = read.bytes[read.at]
  if (byte !== FLOAT_MARK) {
    if (byte !== undefined && byte < LONG && byte % 2 === 0) {
      read.at++
      return byte / 2
    }
    const doubled = readVarint()
    if (doubled % 2 === 1 || doubled > 2 * WEIGHT_MAX) throw malformed('a weight is wrong')
    return doubled / 2
  }
  read.at++
  for (let i = 0; i < 8; i++) floatBytes[i] = read.bytes[read.at + i] ?? 0
  read.at += 8
  const weight = float[0] ?? 0
  if (!(weight >= 0 && weight <= WEIGHT_MAX)) throw malformed('a weight is wrong')
  return weight
}

function malformed(problem: string): ServiceError {
  return new ServiceError('BATCH_MALFORMED', `a distribution cannot be decoded: ${problem}`, {})
}
