import { COUNT, LAST, MAX, MIN, ROW, SUM } from './intervals.ts'

/** More in one interval are lost. */
const AMENDMENTS_MAX = 100_000

/** What came in this interval with the time of another one. */
export interface Amendments {
  /** False: there are too many. */
  add(startMs: number, series: number, value: number, weight: number): boolean
  all(): Iterable<{ readonly startMs: number; readonly series: number; readonly row: Float64Array }>
}

export function createAmendments(): Amendments {
  const byStart = new Map<number, Map<number, Float64Array>>()
  let size = 0

  function rowOf(startMs: number, series: number): Float64Array | null {
    let rows = byStart.get(startMs)
    let row = rows?.get(series)
    if (row !== undefined) return row
    if (size === AMENDMENTS_MAX) return null
    size++
    row = new Float64Array(ROW)
    row[MIN] = Infinity
    row[MAX] = -Infinity
    if (rows === undefined) byStart.set(startMs, (rows = new Map()))
    rows.set(series, row)
    return row
  }

  return {
    add(startMs, series, value, weight) {
      const row = rowOf(startMs, series)
      if (row === null) return false
      row[COUNT] = (row[COUNT] ?? 0) + weight
      row[SUM] = (row[SUM] ?? 0) + value * weight
      row[MIN] = Math.min(row[MIN] ?? 0, value)
      row[MAX] = Math.max(row[MAX] ?? 0, value)
      row[LAST] = value
      return true
    },
    *all() {
      for (const [startMs, rows] of byStart) {
        for (const [series, row] of rows) yield { startMs, series, row }
      }
    },
  }
}
