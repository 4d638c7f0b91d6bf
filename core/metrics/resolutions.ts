import type { TimeRange } from '../ports.ts'
import { slotStart } from './kept.ts'
import { METRIC_RESOLUTIONS, ROLL_UP_MS } from './types.ts'
import type { MetricResolution, MetricRetention } from './types.ts'

/** Points of one width that answer a part of a question. */
export interface Portion {
  readonly resolution: MetricResolution
  /** Start of the points to read, half-open. */
  readonly range: TimeRange
}

/** Widths of slots, the first of which is for retentions that are short. A slot is kept and dropped as a whole. */
const SLOTS_MS: Readonly<Record<MetricResolution, readonly number[]>> = {
  raw: [600_000],
  minute: [600_000, 3_600_000, 10_800_000],
  hour: [3_600_000, 21_600_000, 86_400_000],
}
const SLOT_SHARE_MAX = 1 / 4

/** Width of the slots in which points of a resolution are kept: at most a quarter of their age, as far as that is wide enough for a point. */
export function metricSlotMs(resolution: MetricResolution, retention: MetricRetention): number {
  const widths = SLOTS_MS[resolution]
  return widths.findLast((slotMs) => slotMs <= retention[resolution] * SLOT_SHARE_MAX) ?? widths[0] ?? 0
}

/** Points before this time are gone: of the slots that begin before their age has passed none is kept. */
export function metricOldestMs(
  resolution: MetricResolution,
  retention: MetricRetention,
  nowMs: number,
): number {
  const slotMs = metricSlotMs(resolution, retention)
  return (Math.floor((nowMs - retention[resolution]) / slotMs) + 1) * slotMs
}

/** The widest points that steps of `stepMs` can be made of. */
export function resolutionFor(stepMs: number): MetricResolution {
  if (stepMs % ROLL_UP_MS.hour === 0) return 'hour'
  return stepMs % ROLL_UP_MS.minute === 0 ? 'minute' : 'raw'
}

/**
 * What to read for a range: points of `widest`, and where the range cuts one of them narrower ones. Where these are gone already, the
 * whole wider point stands for its part. `oldestMs` is where reading starts when the range begins before everything that is kept.
 */
export function portionsOf(
  range: TimeRange,
  widest: MetricResolution,
  oldest: Readonly<Record<MetricResolution, number>>,
): { portions: readonly Portion[]; oldestMs: number | null } {
  const cut = { fromMs: Math.max(range.fromMs, oldest[widest]), toMs: range.toMs }
  const portions = cut.fromMs < cut.toMs ? split(cut, widest, oldest) : []
  return { portions, oldestMs: cut.fromMs > range.fromMs ? cut.fromMs : null }
}

function split(
  { fromMs, toMs }: TimeRange,
  resolution: MetricResolution,
  oldest: Readonly<Record<MetricResolution, number>>,
): Portion[] {
  if (fromMs >= toMs) return []
  if (resolution === 'raw') return [{ resolution, range: { fromMs, toMs } }]
  const widthMs = ROLL_UP_MS[resolution]
  const narrower = METRIC_RESOLUTIONS[METRIC_RESOLUTIONS.indexOf(resolution) - 1] ?? 'raw'
  const goneMs = oldest[narrower]
  const down = (timeMs: number) => slotStart(timeMs, widthMs)
  const up = (timeMs: number) => down(timeMs + widthMs - 1)
  const innerFromMs = fromMs >= goneMs ? up(fromMs) : down(fromMs)
  const innerToMs = Math.max(innerFromMs, down(toMs) >= goneMs ? down(toMs) : up(toMs))
  const inner = { resolution, range: { fromMs: innerFromMs, toMs: innerToMs } }
  return [
    ...split({ fromMs, toMs: Math.min(toMs, innerFromMs) }, narrower, oldest),
    ...(innerFromMs < innerToMs ? [inner] : []),
    ...split({ fromMs: Math.max(fromMs, innerToMs), toMs }, narrower, oldest),
  ]
}
