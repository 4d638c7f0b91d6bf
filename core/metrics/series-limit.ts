const DAY_MS = 86_400_000

/** How many series a day (UTC) may have. */
export interface SeriesLimit {
  /** Series of today. */
  readonly size: number
  /** Whether a series may be stored now: it is one of today's, or there is room for one more. */
  admits(key: string, nowMs: number): boolean
}

export function createSeriesLimit(seriesMax: number): SeriesLimit {
  const keys = new Set<string>()
  let day = 0
  return {
    get size() {
      return keys.size
    },
    admits(key, nowMs) {
      const today = Math.floor(nowMs / DAY_MS)
      if (today !== day) {
        keys.clear()
        day = today
      }
      if (keys.has(key)) return true
      if (keys.size >= seriesMax) return false
      keys.add(key)
      return true
    },
  }
}
