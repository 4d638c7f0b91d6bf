import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, createZstdCompress, zstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { RECORDS_PER_BATCH_MAX } from './event-id.ts'
import { ServiceError, messageOf } from './errors.ts'

/**
 * Wire format v1. One frame is one batch, on the wire and in the spool alike:
 *
 *     "NOC1" | header bytes u32 | body bytes u32 | sha256 of header and body (32 bytes) | header JSON | body (zstd)
 *
 * The body is the lines as they were read, each ended by one "\n", in the order of `runs`: the collector never parses a field.
 * Unknown header fields are kept by decoders, so a newer sender is never refused.
 */
const MAGIC = Buffer.from('NOC1')
const DIGEST_AT = 12
const HEADER_AT = 44
/** Lines become 2 % larger than at level 3, for two thirds of its time: at a collector, compressing is what costs most. */
const ZSTD_LEVEL = 1
/** A frame that claims a longer header is not ours. */
export const HEADER_BYTES_MAX = 1 << 20
/** Largest body once decompressed. */
export const BODY_BYTES_MAX = 32 << 20
/** Largest frame on the wire: a default Kafka broker takes 1 MiB messages, HTTP is allowed more. */
export const FRAME_BYTES_MAX = 8 << 20

const name = z.string().min(1).max(256)
const count = z.number().int().nonnegative()
const timeMs = z.number()

const epochSchema = z.string().regex(/^[0-9a-f]{32}$/, 'expected 128 bits in hex')

const sourceSchema = z.looseObject({
  /** Path of the file, or '' for stdin and the like. */
  path: z.string().max(4096),
  service: z.string().max(256).optional(),
  tier: z.string().max(256).optional(),
  version: z.string().max(256).optional(),
  labels: z.record(z.string(), z.string()).optional(),
})

const runSchema = z.looseObject({
  /** Index into `sources`. */
  source: count,
  /** Byte offset of the first line in its file. */
  offset: count,
  /** Length in the body, newlines included. */
  bytes: count,
  lines: count,
  /** When it was read, collector's clock: resolves times without year or zone. */
  readAtMs: timeMs,
  /** Set when the run is one line that was cut: its full length in bytes. */
  cutFrom: count.optional(),
})

const dropSchema = z.looseObject({
  reason: z.string().min(1).max(256),
  /** What was dropped; null when only the bytes are known. */
  records: count.nullable(),
  bytes: count.nullable(),
  fromMs: timeMs,
  toMs: timeMs,
  path: z.string().optional(),
})

const tombstoneSchema = z.looseObject({
  epoch: epochSchema,
  seqFrom: count,
  seqTo: count,
  records: count,
  bytes: count,
  fromMs: timeMs,
  toMs: timeMs,
  reason: z.string().min(1).max(256),
})

/** Reason of a tombstone whose batches went on under other numbers after a SEQUENCE_CONFLICT: nothing of them is missing. */
export const RENUMBERED = 'renumbered'

const batchHeaderSchema = z.looseObject({
  v: z.literal(1),
  /** `lines`: raw lines; `records`: each line is a PublicRecord as JSON, with its own time (import); `metrics`: core/metrics/wire.ts. */
  kind: z.enum(['lines', 'records', 'metrics']),
  collector: name,
  host: name,
  epoch: epochSchema,
  seq: z.number().int().positive(),
  /** In the first batch of an epoch: where the epoch before it ended. */
  previous: z.looseObject({ epoch: epochSchema, lastSeq: count }).optional(),
  createdAtMs: timeMs,
  /** The host's offset from UTC in minutes, east positive. */
  utcOffsetMin: z.number().int().min(-1440).max(1440),
  /** Bounds on when the lines were written (collector's clock): a line cannot be older than the last time its file was read to the end. */
  fromMs: timeMs,
  toMs: timeMs,
  records: count.max(RECORDS_PER_BATCH_MAX),
  bodyBytes: count.max(BODY_BYTES_MAX),
  sources: z.array(sourceSchema),
  runs: z.array(runSchema),
  drops: z.array(dropSchema),
  tombstones: z.array(tombstoneSchema),
})

export type BatchHeader = z.infer<typeof batchHeaderSchema>
export type BatchSource = z.infer<typeof sourceSchema>
export type BatchRun = z.infer<typeof runSchema>
export type Drop = z.infer<typeof dropSchema>
export type Tombstone = z.infer<typeof tombstoneSchema>

/** A decoded frame; `body` is decompressed. */
export interface DecodedBatch {
  readonly header: BatchHeader
  /** 64 hex digits; what makes two frames of one key the same or not. */
  readonly digest: string
  readonly body: Buffer
}

export const markSchema = z.looseObject({
  v: z.literal(1),
  collector: name,
  host: name,
  /** The live epoch; it is also the last of `epochs`. */
  epoch: epochSchema,
  sentAtMs: timeMs,
  /** How long ago every source had been read to its end with all lines numbered; null: not yet since the start. */
  readAgeMs: z.number().nonnegative().nullable(),
  /** Every epoch with batches in the spool or whose end is not told by an acknowledged batch yet, oldest first, and the live one. */
  epochs: z
    .array(
      z.looseObject({
        epoch: epochSchema,
        /** Highest number given out. */
        lastSeq: count,
        /** Its batches had other numbers before, see `RENUMBERED`: lines may be older than what was covered when it began. */
        renumbered: z.boolean().optional(),
        /** Everything below is freed from the spool: stored everywhere, or lost. */
        spoolLow: count,
        /** Ranges in the spool that this destination has not acknowledged. */
        pending: z.array(
          z.looseObject({
            seqFrom: count,
            seqTo: count,
            timeFromMs: timeMs,
            timeToMs: timeMs,
            records: count,
          }),
        ),
      }),
    )
    .min(1),
  /** Set in the last mark before an orderly stop. */
  goodbye: z.boolean().optional(),
})

/** A collector's once-a-second statement of what it has numbered and read. Not spooled; the latest wins. */
export type Mark = z.infer<typeof markSchema>

const decompress = promisify(zstdDecompress)

/** Compresses one body at a time. */
type Packer = (body: Uint8Array) => Promise<Buffer>

/** Of each, some MiB of tables are kept: making them anew costs a third of a batch's compression, and as much again to collect. */
const IDLE_PACKERS_MAX = 4
/** Holds a few compressed batches of usual size. */
const PACKED_CHUNK_BYTES = 256 << 10
const idlePackers: Packer[] = []

/** Compresses a body the way frames carry it. */
export async function packBody(body: Uint8Array): Promise<Buffer> {
  const packer = idlePackers.pop() ?? createPacker()
  const packed = await packer(body) // One that fails is not used again.
  if (idlePackers.length < IDLE_PACKERS_MAX) idlePackers.push(packer)
  return packed
}

function createPacker(): Packer {
  const stream = createZstdCompress({
    flush: constants.ZSTD_e_end, // Every write is a whole of its own.
    chunkSize: PACKED_CHUNK_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
  })
  let parts: Buffer[] = []
  stream.on('data', (part: Buffer) => parts.push(part))
  stream.on('error', () => undefined) // The write says it as well.
  return (body) =>
    new Promise((resolve, reject) => {
      stream.write(body, (error) => {
        stream.read() // What is not told yet goes to the listener.
        const packed = parts
        parts = []
        if (error) reject(error)
        else resolve(joined(packed))
      })
    })
}

/** Body bytes → frame. `header.bodyBytes` is set from the body. */
export async function encodeFrame(header: BatchHeader, body: Uint8Array): Promise<Buffer> {
  return assembleFrame({ ...header, bodyBytes: body.length }, await packBody(body))
}

/** Puts an already compressed body under a header: how a batch gets a new number without being compressed again. */
export function assembleFrame(header: BatchHeader, packedBody: Uint8Array): Buffer {
  const headerBytes = Buffer.from(JSON.stringify(header))
  const frame = Buffer.allocUnsafe(HEADER_AT + headerBytes.length + packedBody.length)
  MAGIC.copy(frame, 0)
  frame.writeUInt32LE(headerBytes.length, 4)
  frame.writeUInt32LE(packedBody.length, 8)
  headerBytes.copy(frame, HEADER_AT)
  frame.set(packedBody, HEADER_AT + headerBytes.length)
  createHash('sha256').update(frame.subarray(HEADER_AT)).digest().copy(frame, DIGEST_AT)
  return frame
}

/** The frame's header and compressed body; throws BATCH_MALFORMED when a byte of it is wrong. */
export function openFrame(frame: Uint8Array): { header: BatchHeader; digest: string; packedBody: Buffer } {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
  if (bytes.length < HEADER_AT || !bytes.subarray(0, 4).equals(MAGIC)) throw malformed('not a Noctule batch')
  const headerBytes = bytes.readUInt32LE(4)
  const bodyAt = HEADER_AT + headerBytes
  if (headerBytes > HEADER_BYTES_MAX || bodyAt + bytes.readUInt32LE(8) !== bytes.length) {
    throw malformed('batch has the wrong length', { bytes: bytes.length })
  }
  const digest = createHash('sha256').update(bytes.subarray(HEADER_AT)).digest()
  if (!digest.equals(bytes.subarray(DIGEST_AT, HEADER_AT))) throw malformed('batch digest is wrong')
  return {
    header: parseHeader(bytes.subarray(HEADER_AT, bodyAt)),
    digest: digest.toString('hex'),
    packedBody: bytes.subarray(bodyAt),
  }
}

/** Opens a frame and decompresses its body; throws BATCH_MALFORMED. */
export async function decodeFrame(frame: Uint8Array): Promise<DecodedBatch> {
  return decodeOpened(openFrame(frame))
}

/** Decompresses the body of an opened frame, whose digest was checked then; throws BATCH_MALFORMED. */
export async function decodeOpened(opened: ReturnType<typeof openFrame>): Promise<DecodedBatch> {
  const { header, digest, packedBody } = opened
  const options = { maxOutputLength: Math.max(1, header.bodyBytes), chunkSize: chunkBytes(header.bodyBytes) }
  const body = await decompress(packedBody, options).catch((error: unknown) => {
    throw malformed('batch body cannot be decompressed', { cause: messageOf(error) })
  })
  if (body.length !== header.bodyBytes)
    throw malformed('batch body has the wrong length', { bytes: body.length })
  checkRuns(header)
  return { header, digest, body }
}

function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts
  return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts)
}

/** zlib hands out its output in pieces of this size, and each costs a trip through the thread pool. */
function chunkBytes(expectedBytes: number): number {
  return Math.min(1 << 20, Math.max(16 << 10, Math.ceil(expectedBytes)))
}

function parseHeader(bytes: Buffer): BatchHeader {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw malformed('batch header is not JSON', {}, error)
  }
  const parsed = batchHeaderSchema.safeParse(json)
  if (!parsed.success) throw malformed('batch header is wrong', { problem: z.prettifyError(parsed.error) })
  return parsed.data
}

function checkRuns(header: BatchHeader): void {
  let lines = 0
  let bytes = 0
  for (const run of header.runs) {
    if (run.source >= header.sources.length) throw malformed('batch run names no source')
    lines += run.lines
    bytes += run.bytes
  }
  if (lines !== header.records || bytes !== header.bodyBytes) {
    throw malformed('batch runs do not add up', {
      lines,
      records: header.records,
      bytes,
      bodyBytes: header.bodyBytes,
    })
  }
}

function malformed(
  message: string,
  details: Record<string, string | number> = {},
  cause?: unknown,
): ServiceError {
  return new ServiceError('BATCH_MALFORMED', message, details, cause)
}
