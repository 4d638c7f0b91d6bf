import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { ServiceError } from '../../core/errors.ts'
import type { BlockMinutes } from './block-minutes.ts'
import type { StoredTallies } from './tallies.ts'
import { openWordIndex } from './word-index.ts'
import type { WordIndex } from './word-index.ts'

/**
 * The file beside a segment that says what is in each of its blocks:
 *
 *     magic 8 bytes | crc32 of the rest u32 | byte length of the facts u32 | facts as JSON, zstd | the words of each block
 *
 * The last two digits of the magic are the version of the format.
 */
const MAGIC = Buffer.from('NOCTIX05')
const U32_BYTES = 4
const FACTS_LENGTH_AT = MAGIC.length + U32_BYTES
const FACTS_AT = FACTS_LENGTH_AT + U32_BYTES

/** A block with more services than this does not list them. */
export const SERVICES_LISTED_MAX = 64

/** Blocks of a segment are disjoint in time and ascend: a record with minMs ≤ time ≤ maxMs is in this block. */
export interface BlockFacts {
  readonly records: number
  readonly minMs: number
  readonly maxMs: number
  readonly levels: readonly string[]
  /** null: too many to list. */
  readonly services: readonly string[] | null
  /** All of its records are plain (plain.ts). */
  readonly plain: boolean
  /** By each group of TALLIED; null: not tallied. */
  readonly tallies: readonly (StoredTallies | null)[]
  /** null: too many to list. */
  readonly minutes: BlockMinutes | null
}

export interface Block extends BlockFacts {
  readonly words: WordIndex
}

interface StoredFacts extends BlockFacts {
  readonly wordBytes: number
}

/** `words` is what `WordIndexBuilder.finish` gave. Services beyond SERVICES_LISTED_MAX are left out. */
export function encodeSegmentIndex(blocks: readonly (BlockFacts & { words: Uint8Array })[]): Uint8Array {
  const stored = blocks.map(({ words, ...facts }): StoredFacts => {
    const { services } = facts
    const listed = services !== null && services.length <= SERVICES_LISTED_MAX ? services : null
    return { ...facts, services: listed, wordBytes: words.length }
  })
  const facts = zstdCompressSync(JSON.stringify(stored))
  const bytes = Buffer.concat([
    MAGIC,
    Buffer.alloc(2 * U32_BYTES),
    facts,
    ...blocks.map(({ words }) => words),
  ])
  bytes.writeUInt32LE(facts.length, FACTS_LENGTH_AT)
  bytes.writeUInt32LE(crc32(bytes.subarray(FACTS_LENGTH_AT)), MAGIC.length)
  return bytes
}

/** Keeps the bytes: the words are read from them when asked. Throws DATA_CORRUPT when they are not as they were written. */
export function decodeSegmentIndex(bytes: Uint8Array): readonly Block[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (all.length < FACTS_AT || !all.subarray(0, MAGIC.length).equals(MAGIC))
    throw new ServiceError('DATA_CORRUPT', 'this is no segment index, or one of another version')
  if (crc32(all.subarray(FACTS_LENGTH_AT)) !== all.readUInt32LE(MAGIC.length))
    throw new ServiceError('DATA_CORRUPT', 'the checksum of a segment index is wrong')
  let end = FACTS_AT + all.readUInt32LE(FACTS_LENGTH_AT)
  const stored = JSON.parse(
    zstdDecompressSync(all.subarray(FACTS_AT, end)).toString(),
  ) as readonly StoredFacts[]
  return stored.map(({ wordBytes, ...facts }) => {
    const words = openWordIndex(all.subarray(end, (end += wordBytes)))
    return { ...facts, words }
  })
}
