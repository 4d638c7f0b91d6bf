import type { HistogramBucket, Quantile } from '../core/ports.ts'

/** Counts per bucket and value, added up to what a histogram answers. */
export interface Counts {
  add(startMs: number, value: string, count: number): void
  /** For the quantile: a record with this number. */
  addNumber(startMs: number, value: string, number: number): void
  /** The quantile itself, where a database has found it. */
  setQuantile(startMs: number, value: string, quantile: number): void
  /** Oldest first; `split` says whether the values are wanted. */
  buckets(split: boolean): HistogramBucket[]
}

interface Cell {
  count: number
  /** null: none was added. */
  numbers: number[] | null
  quantile: number | null
}

export function createCounts(quantile?: Quantile): Counts {
  const cells = new Map<number, Map<string, Cell>>()

  function cellOf(startMs: number, value: string): Cell {
    let bucket = cells.get(startMs)
    if (bucket === undefined) cells.set(startMs, (bucket = new Map<string, Cell>()))
    let cell = bucket.get(value)
    if (cell === undefined) bucket.set(value, (cell = { count: 0, numbers: null, quantile: null }))
    return cell
  }

  return {
    add(startMs, value, count) {
      cellOf(startMs, value).count += count
    },
    addNumber(startMs, value, number) {
      const cell = cellOf(startMs, value)
      cell.numbers ??= []
      cell.numbers.push(number)
    },
    setQuantile(startMs, value, found) {
      cellOf(startMs, value).quantile = found
    },
    buckets: (split) =>
      [...cells]
        .sort(([left], [right]) => left - right)
        .map(([startMs, bucket]) => ({
          startMs,
          total: [...bucket.values()].reduce((sum, { count }) => sum + count, 0),
          by: split ? Object.fromEntries([...bucket].map(([value, { count }]) => [value, count])) : {},
          ...(quantile === undefined ? {} : { quantiles: quantilesOf(bucket, quantile.p) }),
        })),
  }
}

function quantilesOf(bucket: ReadonlyMap<string, Cell>, p: number): Record<string, number> {
  const found: [string, number][] = []
  for (const [value, { quantile, numbers }] of bucket) {
    const number = quantile ?? (numbers === null ? null : quantileOf(numbers, p))
    if (number !== null) found.push([value, number])
  }
  return Object.fromEntries(found)
}

/** By nearest rank, of at least one number. */
function quantileOf(numbers: readonly number[], p: number): number {
  return numbers.toSorted((left, right) => left - right)[nearestRank(p, numbers.length) - 1] ?? NaN
}

/** 0.07 * 100 is a little more than 7 in doubles; its rank is 7 all the same, as in decimals. */
export const ROUNDING = 1 - 4 * Number.EPSILON

/** Which of `count` sorted values, counted from 1, is their p-quantile (0 < p <= 1): the p * count-th, rounded up. */
export function nearestRank(p: number, count: number): number {
  return Math.ceil(p * count * ROUNDING)
}
