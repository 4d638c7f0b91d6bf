import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { ServiceError } from '../../core/errors.ts'

const count = z.number().int().nonnegative()
const range = z.tuple([count, count])

const tombstoneSchema = z.looseObject({
  epoch: z.string(),
  seqFrom: count,
  seqTo: count,
  records: count,
  bytes: count,
  fromMs: z.number(),
  toMs: z.number(),
  reason: z.string(),
})

const renumberingSchema = z.looseObject({
  epoch: z.string(),
  lastSeq: count,
  /** [refFrom, refTo, number of refFrom]: entries that this destination gets as `epoch` and a number counted up from there. */
  ranges: z.array(z.tuple([count, count, count])),
  /** What the last of them says about the numbers they had before. */
  tombstones: z.array(tombstoneSchema),
})

const destinationSchema = z.looseObject({
  /** Refs below `nextRef` that it has not acknowledged; it has none at or above it. */
  waiting: z.array(range),
  /** Epochs that ended, and whose end no batch that it acknowledged has told. */
  untold: z.array(z.string()).default([]),
  renumbering: renumberingSchema.optional(),
})

const checkpointSchema = z.looseObject({
  v: z.literal(1),
  collector: z.string().min(1),
  /** The epoch that was live, and the highest number in it. */
  epoch: z.string(),
  lastSeq: count,
  /** What the first batch of `epoch` says about the epoch before it. */
  previous: z.looseObject({ epoch: z.string(), lastSeq: count }).optional(),
  /** Highest number of every epoch with batches in the spool, and of those that are `untold`, oldest first. */
  lastSeqs: z.record(z.string(), count),
  /** As of all entries below `nextRef`. */
  positions: z.record(
    z.string(),
    z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  ),
  nextRef: count,
  destinations: z.record(z.string(), destinationSchema),
})

/** What the spool knows beside its segments; whatever was appended after it is read from them. */
export type Checkpoint = z.infer<typeof checkpointSchema>
export type DestinationState = z.infer<typeof destinationSchema>
export type Renumbering = z.infer<typeof renumberingSchema>

/** The same line twice, with its checksum: to lose it to one bad sector would mean to read every source again. */
export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  const json = JSON.stringify(checkpoint)
  const line = `${checksum(json)} ${json}\n`
  return Buffer.from(line + line)
}

/** Throws DATA_CORRUPT when both copies are damaged. */
export function decodeCheckpoint(bytes: Buffer, path: string): Checkpoint {
  const middle = bytes.length / 2
  const copies = [bytes.subarray(0, middle), bytes.subarray(middle)].map((copy) => copy.toString())
  const whole = copies.find((copy) => copy.slice(0, 8) === checksum(copy.slice(9, -1)))
  if (whole === undefined) throw corrupt(path, 'both copies in it fail their checksum')
  const parsed = checkpointSchema.safeParse(JSON.parse(whole.slice(9, -1)))
  if (parsed.success) return parsed.data
  throw corrupt(path, `this program cannot read its version: ${z.prettifyError(parsed.error)}`)
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

function corrupt(path: string, problem: string): ServiceError {
  const advice = 'restore it, or remove the spool folder to read every source anew'
  return new ServiceError('DATA_CORRUPT', `cannot read ${path}: ${problem}; ${advice}`, { path })
}
