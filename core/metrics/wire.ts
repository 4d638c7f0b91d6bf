import { messageOf } from '../errors.ts'
import { createDistribution } from '../sketch/distribution.ts'
import { createMembers } from '../sketch/members.ts'
import type { MetricKind, MetricPoint, Series } from './types.ts'

/**
 * A point on the wire is one line of JSON, in bodies of batches of kind 'metrics':
 *
 *     ["name","c",{"tag":"value"},startMs,stepMs,count,sum,min,max,last]
 *
 * Kinds with a sketch have it as an 11th element, in base64. Tags are in code-point order of their names.
 */

/** Longer ones are cut at the collector and refused here; both count UTF-16 units. */
export const METRIC_NAME_CHARS_MAX = 200
/** Of a tag's name and of its value. */
export const TAG_CHARS_MAX = 200
/** Of a series as it is sent. */
export const TAGS_MAX = 32
/** A point is at most as wide as the narrowest roll-up, and divides it. */
const STEP_MS_MAX = 60_000
/** What a point of the farthest future may be: JavaScript's last day. */
const TIME_MS_MAX = 8.64e15

const LETTERS = { counter: 'c', gauge: 'g', set: 's', distribution: 'd' } as const satisfies Record<
  MetricKind,
  string
>
const KINDS: ReadonlyMap<unknown, MetricKind> = new Map(
  (Object.keys(LETTERS) as MetricKind[]).map((kind) => [LETTERS[kind], kind]),
)

/** A point as a line, without its newline. */
export function encodeMetricLine({ series, ...point }: MetricPoint): string {
  const { startMs, stepMs, count, sum, min, max, last, sketch } = point
  const head = `[${JSON.stringify(series.name)},"${LETTERS[series.kind]}",${encodeTags(series.tags)}`
  const numbers = `${startMs},${stepMs},${count},${sum},${min},${max},${last}`
  return sketch === null ? `${head},${numbers}]` : `${head},${numbers},"${base64(sketch)}"]`
}

/** Series that were decoded before, by the beginning of their lines: the larger part of every line is the same as at the last flush. */
export interface KnownSeries {
  find(head: string): Series | undefined
  /** Gives what the points shall have: the same object for the same head, as long as it is remembered. */
  add(head: string, series: Series): Series
}

/** The points of a body; a line that is none costs no other one. Both in the order of the body. */
export function decodeMetricLines(
  body: Buffer,
  known?: KnownSeries,
): {
  points: MetricPoint[]
  bad: { line: string; problem: string }[]
} {
  const points: MetricPoint[] = []
  const bad: { line: string; problem: string }[] = []
  for (const line of body.toString('utf8').split('\n')) {
    if (line === '') continue
    const point = decodeLine(line, known)
    if (typeof point === 'string') bad.push({ line, problem: point })
    else points.push(point)
  }
  return { points, bad }
}

/** Tells a series from every other one: the same for the same name, kind and tags, in whatever order these are. */
export function seriesKey({ name, kind, tags }: Series): string {
  const parts = [name, LETTERS[kind]]
  for (const tag of sortedNames(tags)) parts.push(tag, tags[tag] ?? '')
  return JSON.stringify(parts)
}

/** The series of a key that `seriesKey` gave. */
export function seriesOfKey(key: string): Series {
  const [name = '', letter, ...rest] = JSON.parse(key) as string[]
  const pairs: [string, string][] = []
  for (let at = 0; at < rest.length; at += 2) pairs.push([rest[at] ?? '', rest[at + 1] ?? ''])
  return { name, kind: KINDS.get(letter) ?? 'gauge', tags: Object.fromEntries(pairs) }
}

/** By code point; the default order is by UTF-16 unit, which differs behind U+D7FF. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at += 1) {
    const one = left.charCodeAt(at)
    const other = right.charCodeAt(at)
    if (one !== other) return unitRank(one) - unitRank(other)
  }
  return left.length - right.length
}

/** Surrogates stand for code points beyond every single unit. */
function unitRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

function sortedNames(tags: Series['tags']): string[] {
  const names = Object.keys(tags)
  for (let at = 1; at < names.length; at += 1) {
    if (compareCodePoints(names[at - 1] ?? '', names[at] ?? '') > 0) return names.sort(compareCodePoints)
  }
  return names
}

/** By hand: an object literal puts names that look like numbers first. */
function encodeTags(tags: Series['tags']): string {
  const pairs = sortedNames(tags).map((tag) => `${JSON.stringify(tag)}:${JSON.stringify(tags[tag])}`)
  return `{${pairs.join()}}`
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** The point, or what is wrong with the line. */
function decodeLine(line: string, known: KnownSeries | undefined): MetricPoint | string {
  const { series, fields } = (known && decodeKnown(line, known)) ?? decodeWhole(line)
  if (typeof series === 'string') return series
  const numbers = fields as number[] // Checked one by one.
  for (let at = 3; at < 10; at += 1) if (!Number.isFinite(numbers[at])) return `element ${at} is no number`
  const [, , , startMs = 0, stepMs = 0, count = 0, sum = 0, min = 0, max = 0, last = 0] = numbers
  if (!Number.isSafeInteger(stepMs) || stepMs <= 0 || STEP_MS_MAX % stepMs !== 0)
    return `stepMs does not divide ${STEP_MS_MAX}`
  if (!Number.isSafeInteger(startMs) || startMs < 0 || startMs > TIME_MS_MAX) return 'startMs is no time'
  if (startMs % stepMs !== 0) return 'startMs is no multiple of stepMs'
  if (count < 0) return 'count is negative'
  if (min > max) return 'min is larger than max'
  const sketch = decodeSketch(series.kind, fields)
  if (typeof sketch === 'string') return sketch
  return { series, startMs, stepMs, count, sum, min, max, last, sketch }
}

interface Parsed {
  /** Or what is wrong. */
  readonly series: Series | string
  readonly fields: readonly unknown[]
}

function decodeWhole(line: string): Parsed {
  const fields = parseArray(line)
  if (fields === undefined) return { series: 'not JSON', fields: [] }
  return Array.isArray(fields)
    ? { series: decodeSeries(fields), fields }
    : { series: 'not an array', fields: [] }
}

/**
 * Behind the tags come numbers and base64, so that the last brace ends the tags. Where what stands before it is an array of its own,
 * the line is that array and the rest: undefined where it is not.
 */
function decodeKnown(line: string, known: KnownSeries): Parsed | undefined {
  const end = line.lastIndexOf('},') + 1
  const head = line.slice(0, end)
  let series = known.find(head)
  if (series === undefined) {
    const parsed = parseArray(`${head}]`)
    const decoded = Array.isArray(parsed) && parsed.length === 3 ? decodeSeries(parsed) : ''
    if (typeof decoded === 'string') return undefined
    series = known.add(head, decoded)
  }
  const fields = parseArray(`[0,0,0${line.slice(end)}`)
  return Array.isArray(fields) ? { series, fields } : undefined
}

function parseArray(json: string): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch {
    return undefined
  }
}

function decodeSeries([name, letter, tags]: readonly unknown[]): Series | string {
  if (!isText(name, METRIC_NAME_CHARS_MAX) || name === '')
    return `the name is no text of 1 to ${METRIC_NAME_CHARS_MAX} characters`
  const kind = KINDS.get(letter)
  if (kind === undefined) return 'unknown kind'
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) return 'the tags are no object'
  const names = Object.keys(tags)
  if (names.length > TAGS_MAX) return `more than ${TAGS_MAX} tags`
  for (const tag of names) {
    const value = (tags as Record<string, unknown>)[tag]
    if (tag === '' || !isText(tag, TAG_CHARS_MAX) || !isText(value, TAG_CHARS_MAX))
      return `a tag or its value is no text of at most ${TAG_CHARS_MAX} characters`
  }
  return { name, kind, tags: tags as Record<string, string> }
}

/** Half of a surrogate pair cannot be stored as UTF-8. */
function isText(value: unknown, charsMax: number): value is string {
  return typeof value === 'string' && value.length <= charsMax && value.isWellFormed()
}

/** The sketch, null where the kind has none, or what is wrong. */
function decodeSketch(kind: MetricKind, fields: readonly unknown[]): Uint8Array | null | string {
  const hasSketch = kind === 'distribution' || kind === 'set'
  if (fields.length !== (hasSketch ? 11 : 10)) return `${fields.length} elements`
  if (!hasSketch) return null
  const text = fields[10]
  if (typeof text !== 'string') return 'the sketch is no text'
  const bytes = Buffer.from(text, 'base64')
  try {
    if (kind === 'set') createMembers(bytes)
    else createDistribution(bytes)
  } catch (error) {
    return `not a sketch: ${messageOf(error)}`
  }
  return bytes
}
