import type { HistogramBucket } from '../api.ts'
import { clockTime, dayLabel, zoneOffsetMs } from './format.ts'

/** Most severe first; it is drawn at the bottom, where heights compare. '' is a line that says no level. */
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', ''] as const
export type Level = (typeof LEVELS)[number]

export interface Bar {
  readonly startMs: number
  readonly endMs: number
  readonly total: number
  /** Counts in the order of LEVELS, zeros left out; their sum is `total`. */
  readonly parts: readonly { readonly level: Level; readonly count: number }[]
}

/** A bar for every interval from the first that touches the range to the last, also where nothing was found. */
export function fillBars(options: {
  buckets: readonly HistogramBucket[]
  intervalMs: number
  fromMs: number
  toMs: number
}): readonly Bar[] {
  const { buckets, intervalMs, fromMs, toMs } = options
  if (!(intervalMs > 0) || !(fromMs < toMs)) return []
  const byStart = new Map(buckets.map((bucket) => [Date.parse(bucket.start), bucket]))
  const aligned = byStart.keys().next().value ?? Math.floor(fromMs / intervalMs) * intervalMs
  const first = fromMs - ((((fromMs - aligned) % intervalMs) + intervalMs) % intervalMs)
  const bars: Bar[] = []
  for (let startMs = first; startMs < toMs; startMs += intervalMs) {
    bars.push(barOf(startMs, startMs + intervalMs, byStart.get(startMs)))
  }
  return bars
}

function barOf(startMs: number, endMs: number, bucket: HistogramBucket | undefined): Bar {
  const by = { ...bucket?.by }
  const known = LEVELS.map((level) => ({ level, count: by[level] ?? 0 }))
  const total = bucket?.total ?? 0
  const named = known.reduce((sum, part) => sum + part.count, 0)
  // A level that this page does not know yet counts as none, so that the bar keeps its height.
  const parts = known.map((part) =>
    part.level === '' ? { level: part.level, count: part.count + Math.max(0, total - named) } : part,
  )
  return { startMs, endMs, total, parts: parts.filter((part) => part.count > 0) }
}

/** Sums a level over all bars; levels that do not occur are left out. */
export function levelTotals(bars: readonly Bar[]): readonly { level: Level; count: number }[] {
  const sums = new Map<Level, number>()
  for (const { parts } of bars) {
    for (const { level, count } of parts) sums.set(level, (sums.get(level) ?? 0) + count)
  }
  return LEVELS.flatMap((level) => {
    const count = sums.get(level)
    return count === undefined ? [] : [{ level, count }]
  })
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
