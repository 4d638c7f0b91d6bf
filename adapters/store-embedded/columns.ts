import { setImmediate as yieldNow } from 'node:timers/promises'
import { batchIdPrefix, eventId } from '../../core/event-id.ts'
import { LEVELS } from '../../core/record.ts'
import type { Attrs, Level, LogRecord } from '../../core/record.ts'
import { heldAttrs } from '../store-record.ts'
import { isPlain, isUnescaped } from './plain.ts'
import type { JoinedTexts } from './table-writer.ts'

/**
 * Records as columns in one buffer: what goes to the worker, into the WAL, and back with an answer.
 *
 *     rows u32 | parts u32 | byte length of each part u32… | parts, each starting at a multiple of 8
 *
 * Parts: the NUMBERS (f64, NaN = absent), the SMALL numbers (u32), then for each of the TEXTS the lengths in UTF-16 units (u32)
 * and one joined text (a byte that says whether it is Latin-1 or UTF-8, then the text), at last the sources as JSON.
 */
const NUMBERS = ['time', 'ingested', 'offset', 'status', 'latency', 'bytes', 'seq'] as const
const SMALL = ['index', 'source', 'level', 'plain'] as const
const TEXTS = ['message', 'trace', 'pattern', 'attrs'] as const
const ENCODED_LEVELS: readonly Level[] = ['', ...LEVELS]
const STREAM_CHARS = 16
const BATCH_CHARS = 24
const BASE = 32
const CHUNK_RECORDS = 500
const PART_ALIGN = 8
const F64_BYTES = 8
const U32_BYTES = 4
const LATIN1 = 0
const UTF8 = 1

/** The fields that most records of a batch share. */
export const SOURCE_FIELDS = ['stream', 'service', 'version', 'host', 'site', 'tier', 'path'] as const
export type Source = Readonly<Record<(typeof SOURCE_FIELDS)[number], string>>

type Numbers = Readonly<Record<(typeof NUMBERS)[number], Float64Array>>
type Small = Readonly<Record<(typeof SMALL)[number], Uint32Array>>
type Texts = Readonly<Record<(typeof TEXTS)[number], readonly string[]>>

/** Columns of a chunk of records; `source` and `level` are indexes into `sources` and `levels`, `plain` is 0 or 1 (plain.ts). */
interface RowFacts extends Numbers, Small {
  readonly rows: number
  readonly sources: readonly Source[]
  readonly levels: readonly Level[]
}

export interface Columns extends RowFacts, Texts {}

/** Texts of one column as they are in the chunk: their bytes are a view of it. */
export interface ChunkTexts extends JoinedTexts {
  readonly bytes: Buffer
  readonly isAscii: boolean
}

/** The same with texts as they are in the chunk. */
export interface JoinedColumns extends RowFacts {
  readonly texts: Readonly<Record<(typeof TEXTS)[number], ChunkTexts>>
}

/** Encodes in chunks, and lets others run in between: a chunk takes about 1 ms. */
export async function encodeChunks(records: readonly LogRecord[]): Promise<Uint8Array<ArrayBuffer>[]> {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  for (let at = 0; at < records.length; at += CHUNK_RECORDS) {
    if (at > 0) await yieldNow()
    chunks.push(encodeRecords(records.slice(at, at + CHUNK_RECORDS)))
  }
  return chunks
}

/** The records of all chunks; lets others run in between. */
export async function decodeChunks(chunks: readonly Uint8Array[]): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for (const chunk of chunks) {
    if (records.length > 0) await yieldNow()
    for (const record of decodeRecords(chunk)) records.push(record)
  }
  return records
}

/** Columns of records that passed `assertHoldable`. Costs about 2 µs a record. */
export function encodeRecords(records: readonly LogRecord[]): Uint8Array<ArrayBuffer> {
  const numbers = NUMBERS.map(() => new Float64Array(records.length))
  const small = SMALL.map(() => new Uint32Array(records.length))
  const texts: string[][] = TEXTS.map(() => [])
  const sources = createSourceIndex()
  const batchSeq = createSeqReader()
  const [time, ingested, offset, status, latency, bytes, seq] = numbers as Of<Float64Array, 7>
  const [index, source, level, plain] = small as Of<Uint32Array, 4>
  const [message, trace, pattern, attrs] = texts as Of<string[], 4>
  records.forEach((record, row) => {
    time[row] = record.timeMs
    ingested[row] = record.ingestedMs
    offset[row] = record.offset ?? NaN
    status[row] = record.status ?? NaN
    latency[row] = record.latencyMs ?? NaN
    bytes[row] = record.bytes ?? NaN
    seq[row] = batchSeq(record.id)
    index[row] = parseInt(record.id.slice(BATCH_CHARS), BASE)
    source[row] = sources.indexOf(record)
    level[row] = Math.max(0, ENCODED_LEVELS.indexOf(record.level))
    const text = record.message.toWellFormed()
    const json = attrsText(record.attrs)
    const isSimple =
      sources.isUnescaped(source[row] ?? 0) && isUnescaped(record.trace) && isUnescaped(record.pattern)
    plain[row] = isSimple && isPlain(text, record.attrs, json) ? 1 : 0
    message.push(text)
    trace.push(record.trace.toWellFormed())
    pattern.push(record.pattern.toWellFormed())
    attrs.push(json)
  })
  return assemble(records.length, [
    ...numbers.map(finite),
    ...small.map(bytesOf),
    ...texts.flatMap((column) => [bytesOf(lengthsOf(column)), packText(column)]),
    Buffer.from(JSON.stringify(sources.all)),
  ])
}

export function decodeColumns(bytes: Uint8Array): Columns {
  const { texts, ...facts } = openColumns(bytes, unpackText)
  return { ...facts, ...texts }
}

/** Costs next to nothing as long as texts are ASCII. */
export function joinedColumns(bytes: Uint8Array): JoinedColumns {
  return openColumns(bytes, joinedText)
}

function openColumns<T>(bytes: Uint8Array, textsOf: (lengths: Uint32Array, packed: Buffer) => T) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const parts = splitParts(bytes, view)
  const numbers = NUMBERS.map((name) => [name, new Float64Array(...parts.next(F64_BYTES))])
  const small = SMALL.map((name) => [name, new Uint32Array(...parts.next(U32_BYTES))])
  const texts = TEXTS.map((name) => [
    name,
    textsOf(new Uint32Array(...parts.next(U32_BYTES)), Buffer.from(...parts.next(1))),
  ])
  return {
    ...(Object.fromEntries([...numbers, ...small]) as Numbers & Small),
    texts: Object.fromEntries(texts) as Record<(typeof TEXTS)[number], T>,
    rows: view.getUint32(0, true),
    sources: JSON.parse(Buffer.from(...parts.next(1)).toString('utf8')) as Source[],
    levels: ENCODED_LEVELS,
  }
}

export function decodeRecords(bytes: Uint8Array): LogRecord[] {
  const columns = decodeColumns(bytes)
  const prefixes = createPrefixes()
  return Array.from({ length: columns.rows }, (_, row) => recordAt(columns, row, prefixes))
}

/** Remembers the newest id prefix: neighbours mostly share it. */
export function createPrefixes(): (stream: string, seq: number) => string {
  let last = { stream: '', seq: -1, prefix: '' }
  return (stream, seq) => {
    if (last.seq !== seq || last.stream !== stream) last = { stream, seq, prefix: batchIdPrefix(stream, seq) }
    return last.prefix
  }
}

/** The parts of an id as they are stored; the order of (stream, seq, index) is the order of the id. */
export function splitId(id: string): { stream: string; seq: number; index: number } {
  return {
    stream: id.slice(0, STREAM_CHARS),
    seq: parseInt(id.slice(STREAM_CHARS, BATCH_CHARS), BASE),
    index: parseInt(id.slice(BATCH_CHARS), BASE),
  }
}

type Of<T, Length extends number> = Length extends 4 ? [T, T, T, T] : [T, T, T, T, T, T, T]

function recordAt(columns: Columns, row: number, prefixOf: ReturnType<typeof createPrefixes>): LogRecord {
  const source = columns.sources[columns.source[row] ?? 0]
  if (source === undefined) throw new RangeError(`no source for row ${row}`)
  const { stream, ...named } = source
  const attrs = columns.attrs[row] ?? ''
  return {
    id: eventId(prefixOf(stream, columns.seq[row] ?? 0), columns.index[row] ?? 0),
    timeMs: columns.time[row] ?? 0,
    ingestedMs: columns.ingested[row] ?? 0,
    message: columns.message[row] ?? '',
    level: columns.levels[columns.level[row] ?? 0] ?? '',
    ...named,
    offset: present(columns.offset[row]),
    trace: columns.trace[row] ?? '',
    pattern: columns.pattern[row] ?? '',
    status: present(columns.status[row]),
    latencyMs: present(columns.latency[row]),
    bytes: present(columns.bytes[row]),
    attrs: parseAttrs(attrs),
  }
}

/** The stored text of attrs: '' when there are none. */
export function parseAttrs(text: string): Attrs {
  return text === '' ? {} : (JSON.parse(text) as Attrs)
}

function present(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value
}

/** JSON turns NaN into null and escapes half surrogate pairs: where either may be, the attrs are cleaned first. */
function attrsText(attrs: Attrs): string {
  const text = JSON.stringify(attrs)
  if (text === '{}') return ''
  if (!text.includes('null') && !text.includes('\\ud')) return text
  const held = JSON.stringify(heldAttrs(attrs))
  return held === '{}' ? '' : held
}

interface SourceIndex {
  readonly all: readonly Source[]
  indexOf(record: LogRecord): number
  /** Do its texts stand in JSON as they are? */
  isUnescaped(index: number): boolean
}

function createSourceIndex(): SourceIndex {
  const all: Source[] = []
  const unescaped: boolean[] = []
  const indexes = new Map<string, number>()
  let last: LogRecord | undefined
  let lastIndex = 0

  function find(record: LogRecord): number {
    const { service, version, host, site, tier, path } = record
    const stream = record.id.slice(0, STREAM_CHARS)
    const lengths = `${service.length},${version.length},${host.length},${site.length},${tier.length}`
    const key = `${lengths} ${stream}${service}${version}${host}${site}${tier}${path}`
    const known = indexes.get(key)
    if (known !== undefined) return known
    indexes.set(key, all.length)
    unescaped.push(isUnescaped(`${service}${version}${host}${site}${tier}${path}`))
    all.push({
      stream,
      service: service.toWellFormed(),
      version: version.toWellFormed(),
      host: host.toWellFormed(),
      site: site.toWellFormed(),
      tier: tier.toWellFormed(),
      path: path.toWellFormed(),
    })
    return all.length - 1
  }

  return {
    all,
    indexOf(record) {
      if (last === undefined || !haveSameSource(record, last)) lastIndex = find(record)
      last = record
      return lastIndex
    },
    isUnescaped: (index) => unescaped[index] ?? false,
  }
}

function haveSameSource(left: LogRecord, right: LogRecord): boolean {
  return (
    left.service === right.service &&
    left.version === right.version &&
    left.host === right.host &&
    left.path === right.path &&
    left.tier === right.tier &&
    left.site === right.site &&
    left.id.startsWith(right.id.slice(0, STREAM_CHARS))
  )
}

function createSeqReader(): (id: string) => number {
  let last = ''
  let seq = 0
  return (id) => {
    if (last === '' || !id.startsWith(last)) {
      last = id.slice(0, BATCH_CHARS)
      seq = parseInt(last.slice(STREAM_CHARS), BASE)
    }
    return seq
  }
}

/** Infinity counts as absent. */
function finite(values: Float64Array): Uint8Array {
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? NaN
    values[row] = Number.isFinite(value) ? value + 0 : NaN
  }
  return bytesOf(values)
}

function bytesOf(values: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** `Uint32Array.from` takes ten times as long. */
function lengthsOf(texts: readonly string[]): Uint32Array {
  const lengths = new Uint32Array(texts.length)
  for (let row = 0; row < texts.length; row++) lengths[row] = texts[row]?.length ?? 0
  return lengths
}

function packText(column: readonly string[]): Uint8Array {
  const text = column.join('')
  const utf8 = Buffer.byteLength(text)
  const packed = Buffer.allocUnsafe(1 + utf8)
  // As many bytes as units means ASCII, which is read back fastest as Latin-1.
  const encoding = utf8 === text.length ? LATIN1 : UTF8
  packed[0] = encoding
  packed.write(text, 1, encoding === LATIN1 ? 'latin1' : 'utf8')
  return packed
}

function unpackText(lengths: Uint32Array, packed: Buffer): string[] {
  const text = packed.toString(packed[0] === LATIN1 ? 'latin1' : 'utf8', 1)
  let at = 0
  return Array.from(lengths, (length) => text.slice(at, (at += length)))
}

function joinedText(lengths: Uint32Array, packed: Buffer): ChunkTexts {
  const bytes = packed.subarray(1)
  const isAscii = packed[0] === LATIN1
  return { bytes, lengths: isAscii ? lengths : lengthsInBytes(bytes, lengths), isAscii }
}

/** The single texts. */
export function textsOf({ bytes, lengths, isAscii }: ChunkTexts): string[] {
  let at = 0
  if (!isAscii) return Array.from(lengths, (length) => bytes.toString('utf8', at, (at += length)))
  const text = bytes.toString('latin1')
  return Array.from(lengths, (length) => text.slice(at, (at += length)))
}

/** A character takes one UTF-16 unit, or two where UTF-8 needs four bytes. */
function lengthsInBytes(bytes: Uint8Array, lengths: Uint32Array): Uint32Array {
  let at = 0
  return lengths.map((units) => {
    const start = at
    for (let left = units; left > 0; left--) {
      const first = bytes[at] ?? 0
      at += first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
      if (first >= 0xf0) left--
    }
    return at - start
  })
}

function assemble(rows: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const headerBytes = aligned(8 + 4 * parts.length)
  const bytes = new Uint8Array(parts.reduce((total, part) => total + aligned(part.length), headerBytes))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, rows, true)
  view.setUint32(4, parts.length, true)
  let at = headerBytes
  parts.forEach((part, index) => {
    view.setUint32(8 + 4 * index, part.length, true)
    bytes.set(part, at)
    at += aligned(part.length)
  })
  return bytes
}

/** Where the parts are, one after the other. What does not start at a multiple of 8, as a chunk in the WAL, is copied. */
function splitParts(given: Uint8Array, view: DataView) {
  const bytes = given.byteOffset % PART_ALIGN === 0 ? given : Uint8Array.from(given)
  const count = view.getUint32(4, true)
  let at = aligned(8 + 4 * count)
  let index = 0
  return {
    /** Buffer, offset and length in items of so many bytes. */
    next(itemBytes: number): [ArrayBuffer, number, number] {
      const length = view.getUint32(8 + 4 * index, true)
      const from = bytes.byteOffset + at
      index += 1
      at += aligned(length)
      return [bytes.buffer as ArrayBuffer, from, length / itemBytes]
    },
  }
}

function aligned(length: number): number {
  return Math.ceil(length / PART_ALIGN) * PART_ALIGN
}
