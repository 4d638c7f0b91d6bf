import type { HistogramBucket } from '../core/ports.ts'

/** Counts per bucket and value, added up to what a histogram answers. */
export interface Counts {
  add(startMs: number, value: string, count: number): void
  /** Oldest first; `split` says whether the values are wanted. */
  buckets(split: boolean): HistogramBucket[]
}

export function createCounts(): Counts {
  const counts = new Map<number, Map<string, number>>()
  return {
    add(startMs, value, count) {
      const bucket = counts.get(startMs) ?? new Map<string, number>()
      counts.set(startMs, bucket.set(value, (bucket.get(value) ?? 0) + count))
    },
    buckets: (split) =>
      [...counts]
        .sort(([left], [right]) => left - right)
        .map(([startMs, bucket]) => ({
          startMs,
          total: [...bucket.values()].reduce((sum, count) => sum + count, 0),
          by: split ? Object.fromEntries(bucket) : {},
        })),
  }
}
