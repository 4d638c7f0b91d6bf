import { randomInt } from 'node:crypto'
import { ServiceError } from '../../core/errors.ts'
import { LOST_METRIC } from '../../core/metrics/types.ts'
import { TAGS_MAX } from '../../core/metrics/wire.ts'
import { createAmendments, type Amendments } from './amendments.ts'
import { unchained } from './chain.ts'
import { createInterval, ROW, type Interval } from './intervals.ts'
import { createLineWriter } from './line-writer.ts'
import { createLosses } from './losses.ts'
import { createNaming } from './naming.ts'
import { parseDecimal } from './parse-decimal.ts'
import { parseEvent, parseServiceCheck } from './parse-events.ts'
import { COUNTER, createLine, DISTRIBUTION, GAUGE, lineEnd, parseLine, SET } from './parse-line.ts'
import { createLiveSeries } from './series.ts'
import { createSpellings } from './spellings.ts'

const NEWLINE = 0x0a
const RETURN = 0x0d
const PLUS = 0x2b
const MINUS = 0x2d
const COLON = 0x3a
const UNDERSCORE = 0x5f

/** Why metrics were lost: the tag `reason` of LOST_METRIC. */
export const LOSS_REASONS = [
  'kernel',
  'series',
  'name_series',
  'malformed',
  'late',
  'spool',
  'packet',
] as const
export type LossReason = (typeof LOSS_REASONS)[number]

/** `_e{…}:title|text|…` of DogStatsD. Strings have no control characters but newlines in `text`. */
export interface StatsdEvent {
  readonly title: string
  readonly text: string
  readonly alertType: 'error' | 'warning' | 'info' | 'success'
  readonly priority: 'normal' | 'low'
  /** Of the client's clock; null: it sent none. */
  readonly atMs: number | null
  readonly hostname: string | null
  readonly aggregationKey: string | null
  readonly sourceType: string | null
  readonly tags: Readonly<Record<string, string>>
}

/** `_sc|name|status|…` of DogStatsD. */
export interface StatsdServiceCheck {
  readonly name: string
  /** 0 ok, 1 warning, 2 critical, 3 unknown. */
  readonly status: 0 | 1 | 2 | 3
  readonly message: string
  readonly atMs: number | null
  readonly hostname: string | null
  readonly tags: Readonly<Record<string, string>>
}

export interface MetricChunk {
  /** Encoded metric lines, each "\n" ended. They are the receiver's: nothing writes to them again. */
  readonly bytes: Uint8Array
  /** Lines in it. */
  readonly points: number
}

/** A line that was refused, as a sample for people to look at. */
export interface BadLine {
  /** Cut, without control characters. */
  readonly line: string
  readonly problem: string
  readonly atMs: number
}

export interface AggregationStats {
  /** Live series. */
  readonly series: number
  /** Values taken since the start. */
  readonly metrics: number
  /** Datagrams taken since the start. */
  readonly packets: number
  /** Since the start. Reasons without a loss are absent. */
  readonly lost: Readonly<Partial<Record<LossReason, number>>>
  /** Names, tags and lists of tags that were shortened since the start. */
  readonly cut: number
  /** Names with the most refused series first. */
  readonly overflowing: readonly { readonly name: string; readonly refused: number }[]
  /** Newest last. */
  readonly badLines: readonly BadLine[]
}

export interface Aggregation {
  /** Takes one datagram: bytes[start, end). Never throws. */
  take(bytes: Uint8Array, start: number, end: number): void
  /** Counts a loss found elsewhere: of the kernel, of the spool. */
  lost(reason: LossReason, count: number): void
  /**
   * Closes everything before `boundaryMs` and yields it as encoded metric lines, in chunks of at most CHUNK_BYTES_MAX and CHUNK_LINES_MAX, so that
   * the caller can receive between them. Datagrams taken meanwhile count for the interval that starts at `boundaryMs`. It must be read to its end
   * before the next one starts.
   */
  flush(boundaryMs: number): Iterable<MetricChunk>
  stats(): AggregationStats
}

export interface AggregationOptions {
  /** Width of the points; boundaries are its multiples. */
  readonly flushMs: number
  readonly seriesMax: number
  readonly seriesPerNameMax: number
  readonly lateMaxMs: number
  /** Stamped on every series; a client's own tag of that name becomes `exported_<name>`. */
  readonly tags: Readonly<Record<string, string>>
  /** Start of hashes: by default a secret of this process, so that nobody can choose what collides. */
  readonly seed?: number
  readonly nowMs: () => number
  readonly onEvent: (event: StatsdEvent) => void
  readonly onServiceCheck: (check: StatsdServiceCheck) => void
}

/** Longer lines are not looked at for being a chain: a name, some values. */
const CHAIN_BYTES_MAX = 1_500
/** Series without news for so long leave; gauges later, because what is added to a gauge (`+1`) needs its last value. */
export const SERIES_IDLE_MS = 600_000
export const GAUGE_IDLE_MS = 3_600_000
/** They are looked for this often. */
const EXPIRY_EVERY_MS = 60_000

/** Throws BAD_CONFIG for more tags than a series may have. */
export function createAggregation(options: AggregationOptions): Aggregation {
  const { flushMs, nowMs, tags } = options
  if (Object.keys(tags).length > TAGS_MAX)
    throw new ServiceError('BAD_CONFIG', `a series has at most ${TAGS_MAX} tags`)
  const losses = createLosses(nowMs)
  const cuts = { count: 0 }
  const naming = createNaming(tags, cuts)
  const live = createLiveSeries(options)
  const spellings = createSpellings(options.seriesMax)
  const writer = createLineWriter()
  const line = createLine(options.seed ?? randomInt(2 ** 31))
  /** Last value of each gauge, and when each series was seen last. */
  const levels: number[] = []
  const seenAtMs: number[] = []
  let open = createInterval()
  let idle = createInterval()
  let openMs = Math.floor(nowMs() / flushMs) * flushMs
  let amendments = createAmendments()
  let expiredMs = openMs
  let packets = 0
  let metrics = 0

  function take(bytes: Uint8Array, start: number, end: number): void {
    packets++
    for (let at = start; at < end; at++) {
      const from = at
      if (bytes[at] === NEWLINE) continue
      if (isMessage(bytes, at, end)) {
        at = lineEnd(bytes, at, end)
        const problem = takeMessage(Buffer.from(bytes.buffer, bytes.byteOffset + from, at - from), options)
        if (problem !== '') losses.badLine(bytes, from, at, problem)
        continue
      }
      at = parseLine(bytes, at, end, line)
      if (line.problem === '') takeMetric(bytes, from, at)
      else takeChain(bytes, from, at, line.problem)
    }
  }

  function takeChain(bytes: Uint8Array, from: number, to: number, problem: string): void {
    const chain =
      to - from > CHAIN_BYTES_MAX ? null : unchained(Buffer.from(bytes.subarray(from, to)).toString('latin1'))
    if (chain === null) return losses.badLine(bytes, from, to, problem)
    for (const text of chain) {
      const one = Buffer.from(text, 'latin1')
      parseLine(one, 0, one.length, line)
      if (line.problem === '') takeMetric(one, 0, one.length)
      else losses.badLine(one, 0, one.length, line.problem)
    }
  }

  function takeMetric(bytes: Uint8Array, from: number, to: number): void {
    const { kind, value, atMs } = line
    const isOne = kind === SET || !Number.isNaN(value)
    const count = isOne ? 1 : countValues(bytes, line.valuesStart, line.valuesEnd)
    if (count === 0) return losses.badLine(bytes, from, to, 'a value is no number')
    const isTimed = atMs >= 0 && (kind === COUNTER || kind === GAUGE)
    if (isTimed && isOutOfTime(atMs)) return losses.count('late', count)
    let series = spellings.find(line)
    if (series < 0) series = meet(bytes, from, to, count)
    if (series < 0) return
    metrics += count
    if (kind === SET) open.addMember(series, bytes, line.valuesStart, line.valuesEnd)
    else if (isOne) addValue(series, value, line.isSigned, isTimed)
    else {
      for (let at = line.valuesStart; at <= line.valuesEnd;) {
        const end = valueEnd(bytes, at, line.valuesEnd)
        const first = bytes[at]
        addValue(series, parseDecimal(bytes, at, end), first === PLUS || first === MINUS, isTimed)
        at = end + 1
      }
    }
  }

  function isOutOfTime(atMs: number): boolean {
    return atMs >= openMs + 2 * flushMs || nowMs() - atMs > options.lateMaxMs
  }

  /** The series of a new spelling; −1: it is refused. */
  function meet(bytes: Uint8Array, from: number, to: number, count: number): number {
    const text = (start: number, end: number) =>
      Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
    const named = naming(line.kind, text(line.nameStart, line.nameEnd), text(line.tagsStart, line.tagsEnd))
    if (named === null) {
      losses.badLine(bytes, from, to, 'it has no name')
      return -1
    }
    const series = live.numberOf(line.kind, named)
    if (typeof series === 'string') {
      losses.refused(named.name, series, count)
      return -1
    }
    spellings.add(line, series)
    levels[series] ??= 0
    seenAtMs[series] = openMs
    return series
  }

  function addValue(series: number, given: number, isDelta: boolean, isTimed: boolean): void {
    const { kind, weight, atMs } = line
    if (kind === DISTRIBUTION) return open.addMeasure(series, given, weight)
    const startMs = isTimed ? Math.floor(atMs / flushMs) * flushMs : openMs
    const isGauge = kind === GAUGE
    const value = isGauge && isDelta ? (levels[series] ?? 0) + given : given
    // What is older than this interval is not the last value, unless it is added to it.
    if (isGauge && (isDelta || startMs >= openMs)) levels[series] = value
    if (startMs === openMs) return open.add(series, value, isGauge ? 1 : weight)
    seenAtMs[series] = openMs
    if (!amendments.add(startMs, series, value, isGauge ? 1 : weight)) losses.count('late', 1)
  }

  function flush(boundaryMs: number): Iterable<MetricChunk> {
    const closed = open
    const amended = amendments
    open = idle
    idle = closed
    amendments = createAmendments()
    openMs = boundaryMs
    return drain(closed, amended, boundaryMs)
  }

  function* drain(closed: Interval, amended: Amendments, boundaryMs: number): Generator<MetricChunk> {
    writer.setTime(boundaryMs - flushMs, flushMs)
    const rows = closed.rows()
    for (const series of closed.seen()) {
      if (writer.isFull()) yield* taken()
      writer.sketchLength = closed.writeSketch(series, live.kindOf(series), writer.sketch)
      writer.write(live.prefixOf(series), rows, series * ROW)
      closed.clear(series)
      seenAtMs[series] = boundaryMs
    }
    closed.restart()
    writer.sketchLength = 0
    for (const { startMs, series, row } of amended.all()) {
      if (writer.isFull()) yield* taken()
      writer.setTime(startMs, flushMs)
      writer.write(live.prefixOf(series), row, 0)
    }
    yield* taken()
    writer.setTime(boundaryMs - flushMs, flushMs)
    for (const [reason, lost] of losses.takeNew()) {
      const named = naming(COUNTER, LOST_METRIC, `reason:${reason}`)
      writer.write(named?.prefix ?? '', Float64Array.of(lost, lost, 1, 1, 1), 0)
    }
    yield* taken()
    if (Math.abs(boundaryMs - expiredMs) >= EXPIRY_EVERY_MS) expire(boundaryMs)
  }

  function* taken(): Generator<MetricChunk> {
    const chunk = writer.takeChunk()
    if (chunk !== null) yield chunk
  }

  function expire(atMs: number): void {
    expiredMs = atMs
    const before = live.size
    for (let series = 0; series < live.end; series++) {
      if (!live.isLive(series)) continue
      const idleMs = live.kindOf(series) === GAUGE ? GAUGE_IDLE_MS : SERIES_IDLE_MS
      if (atMs - (seenAtMs[series] ?? 0) < idleMs || open.has(series)) continue
      live.remove(series)
      levels[series] = 0
    }
    if (live.size < before) spellings.retain((series) => live.isLive(series))
  }

  return {
    take,
    lost: (reason, count) => losses.count(reason, count),
    flush,
    stats: () => ({
      series: live.size,
      metrics,
      packets,
      lost: losses.totals(),
      cut: cuts.count,
      overflowing: losses.overflowing(),
      badLines: losses.badLines(),
    }),
  }
}

/** `_e{` and `_sc|` begin what is no metric. */
function isMessage(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at] !== UNDERSCORE || at + 3 > end) return false
  const [second, third] = [bytes[at + 1], bytes[at + 2]]
  if (second === 0x65) return third === 0x7b
  return second === 0x73 && third === 0x63 && at + 3 < end && bytes[at + 3] === 0x7c
}

/** What is wrong with it; '': nothing. */
function takeMessage(message: Buffer, { onEvent, onServiceCheck }: AggregationOptions): string {
  const end = message.at(-1) === RETURN ? message.length - 1 : message.length
  if (message[1] === 0x65) {
    const event = parseEvent(message.subarray(0, end))
    if (typeof event === 'string') return event
    onEvent(event)
    return ''
  }
  const check = parseServiceCheck(message.subarray(0, end))
  if (typeof check === 'string') return check
  onServiceCheck(check)
  return ''
}

/** How many values `1:2:3` has; 0: one of them is no number. */
function countValues(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  for (let at = start; at <= end;) {
    const next = valueEnd(bytes, at, end)
    if (Number.isNaN(parseDecimal(bytes, at, next))) return 0
    count++
    at = next + 1
  }
  return count
}

function valueEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== COLON) at++
  return at
}
