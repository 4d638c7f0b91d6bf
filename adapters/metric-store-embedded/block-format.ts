import { promisify } from 'node:util'
import { crc32, zstdCompress, zstdDecompressSync } from 'node:zlib'
import { ServiceError } from '../../core/errors.ts'
import type { PointNumber } from '../../core/metrics/fold.ts'
import type { KeptPoint } from '../../core/metrics/kept.ts'
import type { MetricResolution } from '../../core/metrics/types.ts'
import type { ReadFile } from '../../core/ports.ts'
import { createByteWriter, readColumn, readVarint, skipColumn, writeBytes, writeColumn } from './columns.ts'
import { writeVarint, written, type ByteReader } from './columns.ts'

/**
 * A block: the points of one resolution in one slot, which were sealed or merged together. Never changed once it is written.
 *
 *     "NOCMET1\n" | groups | footer (JSON, zstd) | footer bytes u32 | CRC-32 of the footer u32
 *
 * A group holds some series, in order of key, in three parts: keys (JSON), numbers, sketches; each is zstd, with its CRC-32 in the footer.
 * Numbers are how many points each series has, then a column each of COLUMNS, of all points of all series of the group.
 */
export const BLOCK_MAGIC = Buffer.from('NOCMET1\n')
const TRAILER_BYTES = 8

const COLUMNS = ['startMs', 'stepMs', 'count', 'sum', 'min', 'max', 'last', 'lastMs'] as const
const LAST_MS = COLUMNS.indexOf('lastMs')
export type Columns = Readonly<Record<(typeof COLUMNS)[number], Float64Array>>

export interface KeptSeries {
  readonly key: string
  /** In order of time. */
  readonly points: readonly KeptPoint[]
}

interface Part {
  readonly bytes: number
  readonly crc: number
}

/** Where some series of a block are. */
export interface GroupEntry {
  readonly firstKey: string
  readonly lastKey: string
  readonly series: number
  readonly points: number
  /** Starts of the first and last point. */
  readonly firstMs: number
  readonly lastMs: number
  readonly offset: number
  readonly keys: Part
  readonly numbers: Part
  readonly sketches: Part
}

export interface Footer {
  readonly resolution: MetricResolution
  readonly slotMs: number
  readonly groups: readonly GroupEntry[]
}

export interface Group {
  readonly keys: readonly string[]
  /** Index behind the last point of each series. */
  readonly ends: readonly number[]
  readonly columns: Columns
  /** Of a point; null: it has none, or they were not read. */
  readonly sketch: (point: number) => Uint8Array | null
}

const compress = promisify(zstdCompress)

/** A group's bytes, and where everything is in them when they are written at `offset`. */
export async function encodeGroup(
  series: readonly KeptSeries[],
  offset: number,
): Promise<{ bytes: Buffer; entry: GroupEntry }> {
  const points = series.flatMap((one) => one.points)
  const columns = columnsOf(points)
  const keys = series.map(({ key }) => key)
  const parts = await Promise.all([
    compress(Buffer.from(JSON.stringify(keys))),
    compress(numbersOf(series, columns)),
    compress(sketchesOf(points)),
  ])
  const [keysPart, numbers, sketches] = parts.map((bytes) => ({ bytes: bytes.length, crc: crc32(bytes) }))
  const none = { bytes: 0, crc: 0 }
  const entry = {
    firstKey: keys[0] ?? '',
    lastKey: keys.at(-1) ?? '',
    series: series.length,
    points: points.length,
    firstMs: columns.startMs.reduce((least, time) => Math.min(least, time), Infinity),
    lastMs: columns.startMs.reduce((most, time) => Math.max(most, time), -Infinity),
    offset,
    keys: keysPart ?? none,
    numbers: numbers ?? none,
    sketches: sketches ?? none,
  }
  return { bytes: Buffer.concat(parts), entry }
}

function columnsOf(points: readonly KeptPoint[]): Columns {
  const [startMs, stepMs, count, sum, min, max, last, lastMs] = COLUMNS.map((name) =>
    Float64Array.from(points, (point) => point[name]),
  ) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  return { startMs, stepMs, count, sum, min, max, last, lastMs }
}

function numbersOf(series: readonly KeptSeries[], columns: Columns): Buffer {
  const out = createByteWriter()
  for (const { points } of series) writeVarint(out, points.length)
  let before: Float64Array | null = null
  for (const name of COLUMNS) {
    // What is `lastMs` of a raw point is its start.
    writeColumn(out, columns[name], name === 'lastMs' ? columns.startMs : before)
    before = columns[name]
  }
  return written(out)
}

/** Each with its length and one, 0 stands for none. */
function sketchesOf(points: readonly KeptPoint[]): Buffer {
  const out = createByteWriter()
  for (const { sketch } of points) {
    writeVarint(out, sketch === null ? 0 : sketch.length + 1)
    if (sketch !== null) writeBytes(out, sketch)
  }
  return written(out)
}

export async function encodeFooter(footer: Footer): Promise<Buffer> {
  const bytes = await compress(Buffer.from(JSON.stringify(footer)))
  const trailer = Buffer.alloc(TRAILER_BYTES)
  trailer.writeUInt32LE(bytes.length, 0)
  trailer.writeUInt32LE(crc32(bytes), 4)
  return Buffer.concat([bytes, trailer])
}

/** Throws DATA_CORRUPT. */
export async function readFooter(file: ReadFile): Promise<Footer> {
  const size = await file.size()
  const trailer = await file.read(Math.max(0, size - TRAILER_BYTES), TRAILER_BYTES)
  if (trailer.length < TRAILER_BYTES) throw corrupt('the block is cut')
  const length = trailer.readUInt32LE(0)
  const at = size - TRAILER_BYTES - length
  if (at < BLOCK_MAGIC.length) throw corrupt('the footer has the wrong length')
  const bytes = await file.read(at, length)
  return JSON.parse(decompressed(bytes, trailer.readUInt32LE(4)).toString()) as Footer
}

/** The keys of a group. Throws DATA_CORRUPT. */
export async function readKeys(file: ReadFile, { offset, keys }: GroupEntry): Promise<readonly string[]> {
  return parseKeys(decompressed(await file.read(offset, keys.bytes), keys.crc))
}

/** What to read of a group. */
export interface GroupWants {
  readonly wants: (key: string) => boolean
  /** Asked when all keys have been. */
  readonly wantsSketches: () => boolean
  /** Of the numbers that are not wanted 0 is read. */
  readonly wantsNumber: (name: PointNumber) => boolean
}

export const WANTS_ALL: GroupWants = {
  wants: () => true,
  wantsSketches: () => true,
  wantsNumber: () => true,
}

/** A group; null when none of its keys is wanted. Throws DATA_CORRUPT. */
export async function readGroup(
  file: ReadFile,
  entry: GroupEntry,
  { wants, wantsSketches, wantsNumber }: GroupWants,
): Promise<Group | null> {
  const { offset, keys: keysPart, numbers, sketches, points, series } = entry
  const bytes = await file.read(offset, keysPart.bytes + numbers.bytes)
  const keys = parseKeys(decompressed(bytes.subarray(0, keysPart.bytes), keysPart.crc))
  let wanted = false
  for (const key of keys) wanted = wants(key) || wanted
  if (!wanted) return null
  const from: ByteReader = { bytes: decompressed(bytes.subarray(keysPart.bytes), numbers.crc), at: 0 }
  const ends: number[] = []
  for (let at = 0, end = 0; at < series; at += 1) ends.push((end += readVarint(from)))
  const columns = readColumns(from, points, wantsNumber)
  const sketch = wantsSketches()
    ? readSketches(
        decompressed(await file.read(offset + keysPart.bytes + numbers.bytes, sketches.bytes), sketches.crc),
        points,
      )
    : () => null
  return { keys, ends, columns, sketch }
}

function parseKeys(bytes: Buffer): readonly string[] {
  return JSON.parse(bytes.toString()) as string[]
}

/** Columns that are not wanted are skipped, and zeros stand for them. */
function readColumns(from: ByteReader, points: number, wants: (name: PointNumber) => boolean): Columns {
  const starts = COLUMNS.map(() => 0)
  const found: (Float64Array | undefined)[] = []
  function column(index: number): Float64Array {
    const before = () => (index === 0 ? null : column(index === LAST_MS ? 0 : index - 1))
    return (found[index] ??= readColumn({ bytes: from.bytes, at: starts[index] ?? 0 }, points, before))
  }
  for (const [index] of COLUMNS.entries()) {
    starts[index] = from.at
    skipColumn(from, points)
  }
  const zeros = new Float64Array(points)
  const wanted = (name: PointNumber) => (wants(name) ? column(COLUMNS.indexOf(name)) : zeros)
  return {
    startMs: column(0),
    stepMs: column(1),
    count: wanted('count'),
    sum: wanted('sum'),
    min: wanted('min'),
    max: wanted('max'),
    last: wanted('last'),
    lastMs: wanted('lastMs'),
  }
}

function readSketches(bytes: Buffer, points: number): (point: number) => Uint8Array | null {
  const from: ByteReader = { bytes, at: 0 }
  const bounds = new Uint32Array(points * 2)
  for (let point = 0; point < points; point += 1) {
    const length = readVarint(from) - 1
    if (length < 0) continue
    bounds[point * 2] = from.at
    bounds[point * 2 + 1] = from.at += length
  }
  return (point) => {
    const end = bounds[point * 2 + 1] ?? 0
    const start = bounds[point * 2] ?? 0
    return end === 0 ? null : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
  }
}

function decompressed(bytes: Buffer, crc: number): Buffer {
  if (crc32(bytes) !== crc) throw corrupt('the checksum is wrong')
  return zstdDecompressSync(bytes)
}

function corrupt(message: string): ServiceError {
  return new ServiceError('DATA_CORRUPT', `a block of metrics cannot be read: ${message}`)
}

/** The points of the series at `index`. */
export function pointsOf({ ends, columns, sketch }: Group, index: number): KeptPoint[] {
  const points: KeptPoint[] = []
  for (let at = ends[index - 1] ?? 0; at < (ends[index] ?? 0); at += 1) {
    points.push({
      startMs: columns.startMs[at] ?? 0,
      stepMs: columns.stepMs[at] ?? 0,
      count: columns.count[at] ?? 0,
      sum: columns.sum[at] ?? 0,
      min: columns.min[at] ?? 0,
      max: columns.max[at] ?? 0,
      last: columns.last[at] ?? 0,
      lastMs: columns.lastMs[at] ?? 0,
      sketch: sketch(at),
    })
  }
  return points
}
