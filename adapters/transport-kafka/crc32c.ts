/** Castagnoli's polynomial, its bits reversed. */
const POLYNOMIAL = 0x82f63b78
/** Bytes that are taken in one step. */
const STEP = 8
/** At `256 × n + byte`: what a byte with n bytes behind it adds to the sum. */
const table = makeTable()

function makeTable(): Int32Array {
  const sums = new Int32Array(256 * STEP)
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1
    sums[byte] = sum
  }
  for (let at = 256; at < sums.length; at++) {
    const sum = sums[at - 256] ?? 0
    sums[at] = (sum >>> 8) ^ (sums[sum & 255] ?? 0)
  }
  return sums
}

/** CRC-32C of some bytes, unsigned: what Kafka checks a record batch with. */
export function crc32c(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const stepsEnd = bytes.length - (bytes.length % STEP)
  let sum = -1
  let at = 0
  for (; at < stepsEnd; at += STEP) {
    const low = sum ^ view.getInt32(at, true)
    const high = view.getInt32(at + 4, true)
    sum =
      added(7, low) ^
      added(6, low >>> 8) ^
      added(5, low >>> 16) ^
      added(4, low >>> 24) ^
      added(3, high) ^
      added(2, high >>> 8) ^
      added(1, high >>> 16) ^
      added(0, high >>> 24)
  }
  for (; at < bytes.length; at++) sum = (sum >>> 8) ^ added(0, sum ^ view.getUint8(at))
  return ~sum >>> 0
}

/** What the lowest byte of `value` adds with `behind` bytes behind it. */
function added(behind: number, value: number): number {
  return table[behind * 256 + (value & 255)] ?? 0
}
