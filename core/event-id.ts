import { createHash } from 'node:crypto'

/** Where a record stands: the stream (site, collector, epoch), its batch's sequence number, its index in that batch. */
export interface StreamKey {
  readonly site: string
  readonly collector: string
  readonly epoch: string
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuv' // base32hex: sorts like the bits it encodes
const STREAM_CHARS = 16 // 80 bits: a collision among a million epochs has a chance of 4e-13
const SEQ_CHARS = 8 // 2^40 batches: 35,000 years at one a second
const INDEX_CHARS = 4 // 2^20 records a batch, see RECORDS_PER_BATCH_MAX

/** Length of an event id in characters. */
export const EVENT_ID_CHARS = STREAM_CHARS + SEQ_CHARS + INDEX_CHARS
/** No batch holds more records than an event id can number. */
export const RECORDS_PER_BATCH_MAX = 2 ** (5 * INDEX_CHARS)

/** 16 characters that stand for (site, collector, epoch) in every event id of that stream. */
export function streamId({ site, collector, epoch }: StreamKey): string {
  const digest = createHash('sha256').update(`${site}\0${collector}\0${epoch}`).digest()
  let out = ''
  let bits = 0n
  for (const byte of digest.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte)
  for (let shift = 75n; shift >= 0n; shift -= 5n) out += ALPHABET[Number((bits >> shift) & 31n)]
  return out
}

/** Fixed-width base32hex of a non-negative safe integer; sorts like the number. */
function fixedWidth(value: number, chars: number): string {
  let out = ''
  let rest = value
  for (let i = 0; i < chars; i++) {
    out = ALPHABET[rest % 32] + out
    rest = Math.floor(rest / 32)
  }
  if (rest > 0 || value < 0) throw new RangeError(`${value} does not fit ${chars} base32 digits`)
  return out
}

/** The part of an event id that all records of one batch share. */
export function batchIdPrefix(stream: string, seq: number): string {
  return stream + fixedWidth(seq, SEQ_CHARS)
}

/** event.id: fixed width; within a stream it sorts by (seq, index). */
export function eventId(batchPrefix: string, index: number): string {
  return batchPrefix + fixedWidth(index, INDEX_CHARS)
}
