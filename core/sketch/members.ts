import { ServiceError } from '../errors.ts'

/**
 * How many different values there were: exact up to EXACT_MAX, then a HyperLogLog (Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches", 2017) whose standard error is 0.8 %. Depends neither on the order nor on how often a value came; merging equals
 * adding everything to one.
 */
export interface Members {
  add(value: string): void
  /** As add, of a value's UTF-8 bytes[start, end). Bytes that are no UTF-8 are values, too. */
  addBytes(bytes: Uint8Array, start: number, end: number): void
  /** Throws BATCH_MALFORMED, and changes nothing then. */
  merge(encoded: Uint8Array): void
  estimate(): number
  encode(): Uint8Array
}

export const EXACT_MAX = 1_024

/*
 * Encoding: a byte EXACT and the 64-bit hashes, sorted, each as two big-endian words; or a byte REGISTERS and the registers, 6 bits each, four in
 * three bytes.
 */
const EXACT = 1
const REGISTERS = 2
const INDEX_BITS = 14 // 1.04 / √(2^14) = 0.8 %
const REGISTER_COUNT = 1 << INDEX_BITS
/** Bits of a hash that do not choose the register. */
const RANK_BITS = 64 - INDEX_BITS
const RANK_MAX = RANK_BITS + 1
const REGISTER_BYTES = (REGISTER_COUNT * 6) / 8
/** Upper bound of an encoding's size. */
export const MEMBERS_BYTES_MAX = 1 + REGISTER_BYTES
const SLOTS_MIN = 8

/** Throws BATCH_MALFORMED for bytes that are no encoding. */
export function createMembers(encoded?: Uint8Array): Members {
  /** Open addressing, at most half full: high and low word of each hash; 0, 0 is a free slot. */
  let slots = new Uint32Array(2 * SLOTS_MIN)
  let used = 0
  let registers: Uint8Array | null = null

  function addHash(high: number, low: number): void {
    if (registers !== null) return raise(registers, high, low)
    if (!insert(slots, high, low)) return
    used++
    if (used > EXACT_MAX) registers = registersOf(slots)
    else if (4 * used > slots.length) slots = grown(slots)
  }

  function addBytes(bytes: Uint8Array, start: number, end: number): void {
    hashBytes(bytes, start, end)
    addHash(hash.high, hash.low)
  }

  function merge(other: Uint8Array): void {
    check(other)
    if (other[0] === EXACT) {
      for (let at = 1; at < other.length; at += 8) addHash(wordAt(other, at), wordAt(other, at + 4))
      return
    }
    registers ??= registersOf(slots)
    for (let i = 0; i < REGISTER_COUNT; i++) {
      registers[i] = Math.max(registers[i] ?? 0, registerAt(other, i))
    }
  }

  if (encoded !== undefined) merge(encoded)
  return {
    add(value) {
      const bytes = Buffer.from(value)
      addBytes(bytes, 0, bytes.length)
    },
    addBytes,
    merge,
    estimate: () => (registers === null ? used : Math.round(estimateOf(registers))),
    encode: () => (registers === null ? encodeExact(slots, used) : encodeRegisters(registers)),
  }
}

/** False: it was in there. */
function insert(slots: Uint32Array, high: number, low: number): boolean {
  const mask = slots.length / 2 - 1
  for (let slot = high & mask; ; slot = (slot + 1) & mask) {
    const ownHigh = slots[2 * slot]
    const ownLow = slots[2 * slot + 1]
    if (ownHigh === high && ownLow === low) return false
    if (ownHigh !== 0 || ownLow !== 0) continue
    slots[2 * slot] = high
    slots[2 * slot + 1] = low
    return true
  }
}

function grown(slots: Uint32Array): Uint32Array<ArrayBuffer> {
  const wider = new Uint32Array(2 * slots.length)
  eachHash(slots, (high, low) => insert(wider, high, low))
  return wider
}

function eachHash(slots: Uint32Array, visit: (high: number, low: number) => void): void {
  for (let at = 0; at < slots.length; at += 2) {
    const high = slots[at] ?? 0
    const low = slots[at + 1] ?? 0
    if (high !== 0 || low !== 0) visit(high, low)
  }
}

function registersOf(slots: Uint32Array): Uint8Array {
  const registers = new Uint8Array(REGISTER_COUNT)
  eachHash(slots, (high, low) => raise(registers, high, low))
  return registers
}

/** A register holds the longest run of zeros, plus one, of the hashes that chose it. */
function raise(registers: Uint8Array, high: number, low: number): void {
  const index = high >>> (32 - INDEX_BITS)
  const rest = (high << INDEX_BITS) >>> 0
  const zeros = rest === 0 ? 32 - INDEX_BITS + Math.clz32(low) : Math.clz32(rest)
  if (zeros + 1 > (registers[index] ?? 0)) registers[index] = zeros + 1
}

/** Ertl's improved raw estimator: without bias from one value to 2^64, without tables. */
function estimateOf(registers: Uint8Array): number {
  const histogram = new Uint32Array(RANK_MAX + 1)
  for (const rank of registers) histogram[rank] = (histogram[rank] ?? 0) + 1
  const share = (rank: number) => (histogram[rank] ?? 0) / REGISTER_COUNT
  let z = REGISTER_COUNT * tau(1 - share(RANK_MAX))
  for (let rank = RANK_BITS; rank >= 1; rank--) z = 0.5 * (z + (histogram[rank] ?? 0))
  z += REGISTER_COUNT * sigma(share(0))
  return (REGISTER_COUNT / (2 * Math.LN2)) * (REGISTER_COUNT / z)
}

/** Σ x^(2^k) · 2^(k − 1) + x; both series end when a step changes nothing any more. */
function sigma(share: number): number {
  if (share === 1) return Infinity
  let [x, y, z, before] = [share, 1, share, -1]
  while (z !== before) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let [x, y, z, before] = [share, 1, 1 - share, -1]
  while (z !== before) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}

function encodeExact(slots: Uint32Array, used: number): Uint8Array {
  const hashes: [high: number, low: number][] = []
  eachHash(slots, (high, low) => hashes.push([high, low]))
  hashes.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  const out = Buffer.alloc(1 + 8 * used)
  out[0] = EXACT
  hashes.forEach(([high, low], i) => out.writeUInt32BE(low, out.writeUInt32BE(high, 1 + 8 * i)))
  return out
}

function encodeRegisters(registers: Uint8Array): Uint8Array {
  const out = new Uint8Array(MEMBERS_BYTES_MAX)
  out[0] = REGISTERS
  for (let i = 0, at = 1; i < REGISTER_COUNT; i += 4) {
    const [a, b, c, d] = [
      registers[i] ?? 0,
      registers[i + 1] ?? 0,
      registers[i + 2] ?? 0,
      registers[i + 3] ?? 0,
    ]
    out[at++] = (a << 2) | (b >> 4)
    out[at++] = (b << 4) | (c >> 2)
    out[at++] = (c << 6) | d
  }
  return out
}

function registerAt(encoded: Uint8Array, index: number): number {
  const at = 1 + 3 * (index >> 2)
  const three = ((encoded[at] ?? 0) << 16) | ((encoded[at + 1] ?? 0) << 8) | (encoded[at + 2] ?? 0)
  return (three >> (18 - 6 * (index & 3))) & 63
}

function wordAt(bytes: Uint8Array, at: number): number {
  const word =
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  return word >>> 0
}

function check(encoded: Uint8Array): void {
  if (encoded[0] === EXACT) return checkExact(encoded)
  if (encoded[0] !== REGISTERS) throw malformed('its first byte is wrong')
  if (encoded.length !== MEMBERS_BYTES_MAX) throw malformed('its length is wrong')
  for (let i = 0; i < REGISTER_COUNT; i++) {
    if (registerAt(encoded, i) > RANK_MAX) throw malformed('a register is out of range')
  }
}

function checkExact(encoded: Uint8Array): void {
  if (encoded.length % 8 !== 1 || encoded.length > 1 + 8 * EXACT_MAX) throw malformed('its length is wrong')
  for (let at = 1, beforeHigh = 0, beforeLow = 0; at < encoded.length; at += 8) {
    const high = wordAt(encoded, at)
    const low = wordAt(encoded, at + 4)
    if (high < beforeHigh || (high === beforeHigh && low <= beforeLow))
      throw malformed('its hashes are not sorted')
    beforeHigh = high
    beforeLow = low
  }
}

function malformed(problem: string): ServiceError {
  return new ServiceError('BATCH_MALFORMED', `members cannot be decoded: ${problem}`, {})
}

/** What hashBytes has found last. */
const hash = { high: 0, low: 0 }

/** Two MurmurHash3 lanes with different constants, mixed with each other. Part of the encoding: it must never change. */
function hashBytes(bytes: Uint8Array, start: number, end: number): void {
  let a = 0x9747b28c
  let b = 0x3c6ef372
  for (let at = start; at < end; at += 4) {
    let block = bytes[at] ?? 0
    if (at + 1 < end) block |= (bytes[at + 1] ?? 0) << 8
    if (at + 2 < end) block |= (bytes[at + 2] ?? 0) << 16
    if (at + 3 < end) block |= (bytes[at + 3] ?? 0) << 24
    a = lane(a, Math.imul(block, 0xcc9e2d51), 0x1b873593)
    b = lane(b, Math.imul(block, 0x239b961b), 0xab0e9789)
  }
  a = mixed(a ^ (end - start))
  b = mixed(b ^ (end - start) ^ a)
  a = mixed(a ^ b)
  hash.high = a >>> 0
  // 0, 0 is a free slot.
  hash.low = a === 0 && b === 0 ? 1 : b >>> 0
}

function lane(state: number, block: number, factor: number): number {
  const turned = state ^ Math.imul((block << 15) | (block >>> 17), factor)
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0
}

function mixed(state: number): number {
  let out = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  out = Math.imul(out ^ (out >>> 13), 0xc2b2ae35)
  return out ^ (out >>> 16)
}
