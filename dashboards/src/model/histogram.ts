import type { HistogramBucket } from '../api.ts'
import { clockTime, dayLabel, zoneOffsetMs } from './format.ts'

/** Fields that the chart can be split by. */
export const SPLITS = ['level', 'service', 'host', 'site', 'tier', 'version', 'path'] as const
export type Split = (typeof SPLITS)[number]

/** Most severe first; it is drawn at the bottom, where heights compare. '' is a line that says no level. */
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', ''] as const
/** More colours than these are not told apart; the less frequent values are counted together. */
export const VALUES_MAX = 6

/** One colour of the chart. */
export interface Series {
  /** '' for lines without the field; null for all values that have no colour of their own. */
  readonly value: string | null
  readonly count: number
}

export interface Bar {
  readonly startMs: number
  readonly endMs: number
  readonly total: number
  /** Counts in the order of the series; their sum is `total`. */
  readonly parts: readonly number[]
}

/** Counts over time, ready to be drawn. */
export interface Counts {
  readonly by: Split
  readonly series: readonly Series[]
  readonly bars: readonly Bar[]
}

/** A bar for every interval from the first that touches the range to the last, also where nothing was found. */
export function countsOf(options: {
  buckets: readonly HistogramBucket[]
  by: Split
  intervalMs: number
  fromMs: number
  toMs: number
}): Counts {
  const { buckets, by, intervalMs, fromMs, toMs } = options
  const series = by === 'level' ? levelSeries(buckets) : valueSeries(buckets)
  if (!(intervalMs > 0) || !(fromMs < toMs)) return { by, series, bars: [] }
  const byStart = new Map(buckets.map((bucket) => [Date.parse(bucket.start), bucket]))
  const aligned = byStart.keys().next().value ?? Math.floor(fromMs / intervalMs) * intervalMs
  const first = fromMs - ((((fromMs - aligned) % intervalMs) + intervalMs) % intervalMs)
  const bars: Bar[] = []
  for (let startMs = first; startMs < toMs; startMs += intervalMs) {
    bars.push(barOf(startMs, startMs + intervalMs, { bucket: byStart.get(startMs), series }))
  }
  return { by, series, bars }
}

/** Sums of every value over all buckets; what a bucket does not name counts as none. */
function sumsOf(buckets: readonly HistogramBucket[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { total, by = {} } of buckets) {
    let named = 0
    for (const [value, count] of Object.entries(by)) {
      named += count
      sums.set(value, (sums.get(value) ?? 0) + count)
    }
    if (total > named) sums.set('', (sums.get('') ?? 0) + total - named)
  }
  return sums
}

/** A level that this page does not know yet counts as none, so that bars keep their height. */
function levelSeries(buckets: readonly HistogramBucket[]): readonly Series[] {
  const sums = sumsOf(buckets)
  const all = buckets.reduce((sum, { total }) => sum + total, 0)
  const known = LEVELS.slice(0, -1).map((value) => ({ value, count: sums.get(value) ?? 0 }))
  const none = all - known.reduce((sum, { count }) => sum + count, 0)
  return [...known, { value: '', count: none }].filter(({ count }) => count > 0)
}

/** The most frequent values, then all others, then none. */
function valueSeries(buckets: readonly HistogramBucket[]): readonly Series[] {
  const sums = sumsOf(buckets)
  const none = sums.get('') ?? 0
  sums.delete('')
  const values = [...sums].map(([value, count]) => ({ value, count })).toSorted((a, b) => b.count - a.count)
  const named = values.slice(0, VALUES_MAX).toSorted((a, b) => (a.value < b.value ? -1 : 1))
  const others = values.slice(VALUES_MAX).reduce((sum, { count }) => sum + count, 0)
  const rest = [
    { value: null, count: others },
    { value: '', count: none },
  ]
  return [...named, ...rest.filter(({ count }) => count > 0)]
}

function barOf(
  startMs: number,
  endMs: number,
  { bucket, series }: { bucket: HistogramBucket | undefined; series: readonly Series[] },
): Bar {
  const by = bucket?.by ?? {}
  const total = bucket?.total ?? 0
  const parts = series.map(({ value }) => (value === null || value === '' ? 0 : (by[value] ?? 0)))
  const left = total - parts.reduce((sum, count) => sum + count, 0)
  const others = series.findIndex(({ value }) => value === null)
  const none = series.findIndex(({ value }) => value === '')
  const nones = none < 0 ? 0 : others < 0 ? left : Math.max(0, left - otherCount(by, series))
  if (none >= 0) parts[none] = nones
  if (others >= 0) parts[others] = left - nones
  return { startMs, endMs, total, parts }
}

/** Lines of a bucket whose value has no colour of its own. */
function otherCount(by: Readonly<Record<string, number>>, series: readonly Series[]): number {
  const named = new Set(series.map(({ value }) => value))
  return Object.entries(by).reduce(
    (sum, [value, count]) => (value === '' || named.has(value) ? sum : sum + count),
    0,
  )
}

/** A round number that is not much above `value`, for the top of an axis. */
export function niceCeiling(value: number): number {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value) ?? value
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const TICK_STEPS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * 1000),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR_MS),
  ...[1, 2, 7, 14, 30].map((n) => n * DAY_MS),
]

/** Round times of the clock on the wall inside the range, at most `ticksMax` of them, each with its label. */
export function timeTicks(
  range: { fromMs: number; toMs: number },
  ticksMax: number,
): readonly { timeMs: number; label: string }[] {
  const length = range.toMs - range.fromMs
  const stepMs = TICK_STEPS_MS.find((step) => length / step <= ticksMax) ?? length
  // Steps count from midnight; a clock change inside the range moves the ticks after it by its hour.
  const zoneMs = -zoneOffsetMs(range.fromMs)
  const ticks: { timeMs: number; label: string }[] = []
  let timeMs = Math.ceil((range.fromMs - zoneMs) / stepMs) * stepMs + zoneMs
  for (; timeMs < range.toMs; timeMs += stepMs) ticks.push({ timeMs, label: tickLabel(timeMs, stepMs) })
  return ticks
}

function tickLabel(timeMs: number, stepMs: number): string {
  const clock = clockTime(timeMs)
  if (stepMs >= DAY_MS || clock === '00:00:00') return dayLabel(timeMs)
  return stepMs < MINUTE_MS ? clock : clock.slice(0, 5)
}

/** What a drag from one place to another selects, whole bars and never outside the range. */
export function brushRange(
  bars: readonly Bar[],
  oneMs: number,
  otherMs: number,
): { fromMs: number; toMs: number } | null {
  const low = Math.min(oneMs, otherMs)
  const high = Math.max(oneMs, otherMs)
  const touched = bars.filter((bar) => bar.startMs < high && bar.endMs > low)
  const first = touched[0]
  const last = touched.at(-1)
  return first === undefined || last === undefined ? null : { fromMs: first.startMs, toMs: last.endMs }
}
