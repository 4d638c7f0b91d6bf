import { createDistribution } from '../sketch/distribution.ts'
import { createMembers } from '../sketch/members.ts'
import type { MetricKind, MetricPoint } from './types.ts'

/** What a store keeps of a series in [startMs, startMs + stepMs): one point, or what several of them add up to. */
export interface KeptPoint {
  readonly startMs: number
  readonly stepMs: number
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly last: number
  /** Start of the point that `last` is from: which of two is the newer one. */
  readonly lastMs: number
  readonly sketch: Uint8Array | null
}

export function keptOf({ startMs, stepMs, count, sum, min, max, last, sketch }: MetricPoint): KeptPoint {
  return { startMs, stepMs, count, sum, min, max, last, lastMs: startMs, sketch }
}

/** Of two values of the same time the larger one counts as the newer: then the order in which they come does not matter. */
export function isNewer(lastMs: number, last: number, thanMs: number, than: number): boolean {
  return lastMs > thanMs || (lastMs === thanMs && last > than)
}

/** What points add up to in [startMs, startMs + stepMs). The order of them does not matter. There is at least one. */
export function addUp(
  points: readonly KeptPoint[],
  { kind, startMs, stepMs }: { kind: MetricKind; startMs: number; stepMs: number },
): KeptPoint {
  const total = { count: 0, sum: 0, min: Infinity, max: -Infinity, last: 0, lastMs: -Infinity }
  for (const { count, sum, min, max, last, lastMs } of points) {
    total.count += count
    total.sum += sum
    total.min = Math.min(total.min, min)
    total.max = Math.max(total.max, max)
    if (!isNewer(lastMs, last, total.lastMs, total.last)) continue
    total.last = last
    total.lastMs = lastMs
  }
  const sketches = points.map(({ sketch }) => sketch).filter((sketch) => sketch !== null)
  return { startMs, stepMs, ...total, sketch: mergeSketches(kind, sketches) }
}

function mergeSketches(kind: MetricKind, sketches: readonly Uint8Array[]): Uint8Array | null {
  const [first, ...others] = sketches
  if (first === undefined || others.length === 0) return first ?? null
  const merged = kind === 'set' ? createMembers(first) : createDistribution(first)
  for (const sketch of others) merged.merge(sketch)
  return merged.encode()
}

/** The points of one series, in order of time, added up in slots of `widthMs`; in order of time as well. */
export function rollUp(points: readonly KeptPoint[], kind: MetricKind, widthMs: number): KeptPoint[] {
  const rolled: KeptPoint[] = []
  for (let from = 0; from < points.length;) {
    const startMs = slotStart(points[from]?.startMs ?? 0, widthMs)
    let to = from + 1
    while (to < points.length && (points[to]?.startMs ?? 0) < startMs + widthMs) to += 1
    rolled.push(addUp(points.slice(from, to), { kind, startMs, stepMs: widthMs }))
    from = to
  }
  return rolled
}

/** Start of the slot of `widthMs` that a time is in. */
export function slotStart(timeMs: number, widthMs: number): number {
  return Math.floor(timeMs / widthMs) * widthMs
}
