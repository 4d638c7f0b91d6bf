import type { BatchFacts, LedgerNote } from '../../core/ledger/types.ts'
import type { Purged } from '../store-purged.ts'

/** A batch as it goes to the WAL: facts, and its records as chunks of columns (columns.ts). */
export interface EncodedBatch {
  readonly facts: BatchFacts
  /** May be fewer than the facts say: what could not be kept is in the quarantine, or `expired`. */
  readonly records: number
  readonly chunks: readonly Uint8Array[]
  /** What was too old to be kept when it came, by class. */
  readonly expired: readonly Purged[]
}

/** What a WAL frame holds. The batch's records have the positions from `firstPosition` on. */
export type WalEntry =
  | { readonly type: 'batch'; readonly firstPosition: number; readonly batch: EncodedBatch }
  | { readonly type: 'notes'; readonly notes: readonly LedgerNote[] }

type Head =
  | {
      readonly type: 'batch'
      readonly firstPosition: number
      readonly facts: BatchFacts
      readonly records: number
      readonly expired: readonly Purged[]
      readonly chunkBytes: readonly number[]
    }
  | { readonly type: 'notes'; readonly notes: readonly LedgerNote[] }

/** `head bytes u32 | head JSON | chunks`. */
export function encodeEntry(entry: WalEntry): Buffer {
  const chunks = entry.type === 'batch' ? entry.batch.chunks : []
  const head = Buffer.from(JSON.stringify(headOf(entry)))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.length)
  return Buffer.concat([length, head, ...chunks])
}

/** The chunks are views into `bytes`. */
export function decodeEntry(bytes: Buffer): WalEntry {
  let at = 4 + bytes.readUInt32LE(0)
  const head = JSON.parse(bytes.toString('utf8', 4, at)) as Head
  if (head.type === 'notes') return head
  const chunks = head.chunkBytes.map((length) => bytes.subarray(at, (at += length)))
  const { firstPosition, facts, records, expired } = head
  return { type: 'batch', firstPosition, batch: { facts, records, chunks, expired } }
}

function headOf(entry: WalEntry): Head {
  if (entry.type === 'notes') return entry
  const { facts, records, chunks, expired } = entry.batch
  return {
    type: 'batch',
    firstPosition: entry.firstPosition,
    facts,
    records,
    expired,
    chunkBytes: chunks.map((chunk) => chunk.length),
  }
}
