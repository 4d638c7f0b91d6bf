import type { HistogramBucket, Quantile } from '../core/ports.ts'

/** Counts per bucket and value, added up to what a histogram answers. */
export interface Counts {
  add(startMs: number, value: string, count: number): void
  /** For the quantile: `count` records with this number. */
  addNumber(startMs: number, value: string, seen: { readonly number: number; readonly count: number }): void
  /** Oldest first; `split` says whether the values are wanted. */
  buckets(split: boolean): HistogramBucket[]
}

interface Cell {
  count: number
  /** How often each number is there. */
  readonly numbers: Map<number, number>
}

export function createCounts(quantile?: Quantile): Counts {
  const cells = new Map<number, Map<string, Cell>>()

  function cellOf(startMs: number, value: string): Cell {
    let bucket = cells.get(startMs)
    if (bucket === undefined) cells.set(startMs, (bucket = new Map<string, Cell>()))
    let cell = bucket.get(value)
    if (cell === undefined) bucket.set(value, (cell = { count: 0, numbers: new Map() }))
    return cell
  }

  return {
    add(startMs, value, count) {
      cellOf(startMs, value).count += count
    },
    addNumber(startMs, value, { number, count }) {
      const { numbers } = cellOf(startMs, value)
      numbers.set(number, (numbers.get(number) ?? 0) + count)
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
  const withNumbers = [...bucket].filter(([, { numbers }]) => numbers.size > 0)
  return Object.fromEntries(withNumbers.map(([value, { numbers }]) => [value, quantileOf(numbers, p)]))
}

/** By nearest rank, of at least one number. `numbers`: how often each is there. */
function quantileOf(numbers: ReadonlyMap<number, number>, p: number): number {
  const sorted = [...numbers].sort(([left], [right]) => left - right)
  const rank = nearestRank(
    p,
    sorted.reduce((sum, [, count]) => sum + count, 0),
  )
  let seen = 0
  for (const [number, count] of sorted) {
    seen += count
    if (seen >= rank) return number
  }
  return NaN
}

/** 0.07 * 100 is a little more than 7 in doubles; its rank is 7 all the same, as in decimals. */
const ROUNDING = 1 - 4 * Number.EPSILON

/** Which of `count` sorted values, counted from 1, is their p-quantile (0 < p <= 1): the p * count-th, rounded up. */
export function nearestRank(p: number, count: number): number {
  return Math.ceil(p * count * ROUNDING)
}
