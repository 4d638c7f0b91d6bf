/**
 * A split-block Bloom filter, as in Parquet: a key sets one bit in each of the 8 words of one 32-byte block, so that a
 * look-up touches one cache line. Keys are two 32-bit hashes. The filter is a plain byte array without a header; an empty
 * one holds nothing.
 */
const BITS_PER_KEY = 10 // about 1 % of the keys that were never added are found
const BLOCK_BYTES = 32
const WORD_BYTES = 4
const HASHES = 0x1_0000_0000
/** Odd numbers that choose the bit of each word; those of the Parquet format. */
const SALTS = Int32Array.of(
  0x47b6137b,
  0x44974d91,
  0x8824ad5b,
  0xa2b7289d,
  0x705495c7,
  0x2df1424b,
  0x9efc4947,
  0x5c6bfb31,
)

/** An empty filter with room for so many different keys. */
export function createBloom(keys: number): Uint8Array {
  return new Uint8Array(Math.ceil((keys * BITS_PER_KEY) / (BLOCK_BYTES * 8)) * BLOCK_BYTES)
}

/** A filter that finds every key. */
export function createFullBloom(): Uint8Array {
  return new Uint8Array(BLOCK_BYTES).fill(0xff)
}

/** The filter must have been made for at least one key. */
export function addToBloom(bloom: Uint8Array, low: number, high: number): void {
  let word = blockAt(bloom, low)
  for (let n = 0; n < SALTS.length; n++, word += WORD_BYTES) {
    const bit = Math.imul(high, SALTS[n] ?? 0) >>> 27
    const at = word + (bit >>> 3)
    bloom[at] = (bloom[at] ?? 0) | (1 << (bit & 7))
  }
}

/** False only when the key was never added. */
export function mayBeInBloom(bloom: Uint8Array, low: number, high: number): boolean {
  if (bloom.length === 0) return false
  let word = blockAt(bloom, low)
  for (let n = 0; n < SALTS.length; n++, word += WORD_BYTES) {
    const bit = Math.imul(high, SALTS[n] ?? 0) >>> 27
    if ((((bloom[word + (bit >>> 3)] ?? 0) >>> (bit & 7)) & 1) === 0) return false
  }
  return true
}

function blockAt(bloom: Uint8Array, low: number): number {
  return Math.floor(((low >>> 0) / HASHES) * (bloom.length / BLOCK_BYTES)) * BLOCK_BYTES
}
