import { setImmediate as yieldNow } from 'node:timers/promises'
import { nearestRank } from '../store-counts.ts'
import type { NumberLists } from './duckdb.ts'

/** Numbers that are merged without letting others run: some milliseconds. */
const NUMBERS_AT_ONCE = 65_536

/** The p-quantile of every (start, text), of all their lists together, by nearest rank. */
export async function mergeQuantiles(
  given: NumberLists,
  p: number,
  take: (startMs: number, text: string, quantile: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let merged = 0
  for (const [text, starts] of cellsOf(given)) {
    for (const [startMs, rows] of starts) {
      take(startMs, text, quantileOf(given, rows, p))
      merged += totalOf(given, rows)
      if (merged < NUMBERS_AT_ONCE) continue
      merged = 0
      await yieldNow()
      signal.throwIfAborted()
    }
  }
}

/** Which rows are of a text and a start. */
function cellsOf({ starts, texts }: NumberLists): ReadonlyMap<string, ReadonlyMap<number, number[]>> {
  const cells = new Map<string, Map<number, number[]>>()
  for (let row = 0; row < texts.length; row++) {
    const [text = '', startMs = 0] = [texts[row], starts[row]]
    let cell = cells.get(text)
    if (cell === undefined) cells.set(text, (cell = new Map<number, number[]>()))
    const rows = cell.get(startMs)
    if (rows === undefined) cell.set(startMs, [row])
    else rows.push(row)
  }
  return cells
}

function totalOf({ lengths }: NumberLists, rows: readonly number[]): number {
  let total = 0
  for (const row of rows) total += lengths[row] ?? 0
  return total
}

function quantileOf(given: NumberLists, rows: readonly number[], p: number): number {
  const total = totalOf(given, rows)
  const above = total - nearestRank(p, total)
  // High quantiles are near the ends of the lists.
  return above * rows.length < total
    ? belowTop(given, rows, above)
    : (sorted(given, rows, total).at(-1 - above) ?? NaN)
}

/** The number that `above` others come after, in order. */
function belowTop({ froms, lengths, numbers }: NumberLists, rows: readonly number[], above: number): number {
  const ends = rows.map((row) => (froms[row] ?? 0) + (lengths[row] ?? 0))
  for (let left = above; ; left--) {
    let [top, highest] = [0, -Infinity]
    for (let nth = 0; nth < rows.length; nth++) {
      const end = ends[nth] ?? 0
      const last = end === froms[rows[nth] ?? 0] ? -Infinity : (numbers[end - 1] ?? NaN)
      if (last > highest) [top, highest] = [nth, last]
    }
    if (left === 0) return highest
    ends[top] = (ends[top] ?? 0) - 1
  }
}

function sorted(
  { froms, lengths, numbers }: NumberLists,
  rows: readonly number[],
  total: number,
): Float64Array {
  const all = new Float64Array(total)
  let at = 0
  for (const row of rows) {
    const from = froms[row] ?? 0
    all.set(numbers.subarray(from, from + (lengths[row] ?? 0)), at)
    at += lengths[row] ?? 0
  }
  return all.sort()
}
