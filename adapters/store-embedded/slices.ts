import type { TimeRange } from '../../core/ports.ts'
import type { Part } from './parts.ts'

export type Order = 'newest' | 'oldest'

/**
 * Cuts a time range into slices, in order, so that a query can stop when it has enough: each about as large as asked for, as if the
 * records of a part were spread evenly over its time. Slices are disjoint, so what they give needs no merging.
 */
export interface Slicer {
  /** The next slice with about so many records; null at the end. */
  next(records: number): TimeRange | null
  /** Estimated records behind the last slice. */
  left(): number
}

export function createSlicer(parts: readonly Part[], range: TimeRange, order: Order): Slicer {
  const firstMs = parts.reduce((min, { minMs }) => Math.min(min, minMs), Infinity)
  const lastMs = parts.reduce((max, { maxMs }) => Math.max(max, maxMs), -Infinity)
  let fromMs = Math.max(range.fromMs, firstMs)
  let toMs = Math.min(range.toMs, lastMs + 1)
  const slice = order === 'newest' ? newestSlice : oldestSlice
  return {
    next(records) {
      if (fromMs >= toMs) return null
      const found = slice(parts, { fromMs, toMs }, records)
      if (order === 'newest') toMs = found.fromMs
      else fromMs = found.toMs
      return found
    },
    left: () => (fromMs >= toMs ? 0 : recordsIn(parts, { fromMs, toMs })),
  }
}

function newestSlice(parts: readonly Part[], { fromMs, toMs }: TimeRange, records: number): TimeRange {
  const isEnough = (startMs: number) => recordsIn(parts, { fromMs: startMs, toMs }) >= records
  return { fromMs: lastWhere(fromMs, toMs - 1, isEnough), toMs }
}

function oldestSlice(parts: readonly Part[], { fromMs, toMs }: TimeRange, records: number): TimeRange {
  const isTooFew = (endMs: number) => recordsIn(parts, { fromMs, toMs: endMs }) < records
  return { fromMs, toMs: Math.min(toMs, lastWhere(fromMs + 1, toMs, isTooFew) + 1) }
}

/** The last whole number of [low, high] for which `holds`, which holds up to some number only; `low` when there is none. */
function lastWhere(low: number, high: number, holds: (at: number) => boolean): number {
  let [from, to] = [low, high]
  while (from < to) {
    const middle = from + Math.ceil((to - from) / 2)
    if (holds(middle)) from = middle
    else to = middle - 1
  }
  return from
}

function recordsIn(parts: readonly Part[], { fromMs, toMs }: TimeRange): number {
  let sum = 0
  for (const { minMs, maxMs, records } of parts) {
    const overlapMs = Math.min(toMs, maxMs + 1) - Math.max(fromMs, minMs)
    if (overlapMs > 0) sum += (records * overlapMs) / (maxMs + 1 - minMs)
  }
  return sum
}
