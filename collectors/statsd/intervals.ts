import {
  createDistribution,
  DISTRIBUTION_BYTES_MAX,
  distributionCode,
  writeCodes,
  type Distribution,
} from '../../core/sketch/distribution.ts'
import { createMembers, type Members } from '../../core/sketch/members.ts'
import { DISTRIBUTION, SET } from './parse-line.ts'

/** A row is a cache line: what one series saw in one interval. Its count is 0 while it saw nothing. */
export const ROW = 8
export const COUNT = 0
export const SUM = 1
export const MIN = 2
export const MAX = 3
export const LAST = 4
/** Of a distribution: weight of its codes, their newest block in the pool, how many they are; DENSE: it has a Distribution instead. */
const WEIGHT = 5
const NEWEST = 6
const CODES = 7
const DENSE = -1
/** With more values in an interval a Distribution is smaller, and as quick. */
const CODES_MAX = 64
const ROWS_MIN = 256
/** A bin of a code: the distance of its key, and its weight. */
const SKETCH_BYTES_MAX = Math.min(DISTRIBUTION_BYTES_MAX, 32 + 16 * CODES_MAX)
/** A block of the pool is a cache line: the place of the series' block before it, and codes. */
const BLOCK = 16
const BLOCK_CODES = BLOCK - 1
const POOL_MIN = 256 * BLOCK

/** What all series saw in one interval. */
export interface Interval {
  /** Number and rows of the series that saw something, in order of their first value. */
  readonly seen: () => Int32Array
  readonly rows: () => Float64Array
  add(series: number, value: number, weight: number): void
  /** As add, of a distribution. */
  addMeasure(series: number, value: number, weight: number): void
  addMember(series: number, bytes: Uint8Array, start: number, end: number): void
  has(series: number): boolean
  /** Writes what was seen of a distribution or set into `sketch`; other kinds have none. The length, 0 for these. */
  writeSketch(series: number, kind: number, sketch: Uint8Array): number
  /** Forgets a series once it is written. */
  clear(series: number): void
  /** Forgets which series were seen; they must have been cleared. */
  restart(): void
}

/** Codes of one series, in order. */
const gathered = { sorted: new Int32Array(CODES_MAX), length: 0 }

/** Quicker than a sort for the few that there are. */
function insertSorted(code: number): void {
  const { sorted } = gathered
  let at = gathered.length++
  for (; at > 0 && (sorted[at - 1] ?? 0) > code; at--) sorted[at] = sorted[at - 1] ?? 0
  sorted[at] = code
}

export function createInterval(): Interval {
  /** Codes of all distributions. */
  let pool = new Int32Array(POOL_MIN)
  let poolEnd = 0
  let rows = new Float64Array(ROWS_MIN * ROW)
  let seen = new Int32Array(ROWS_MIN)
  let seenCount = 0
  const dense = new Map<number, Distribution>()
  const members = new Map<number, Members>()

  function start(series: number): void {
    if ((series + 1) * ROW > rows.length) {
      const wider = new Float64Array(Math.max(2 * rows.length, (series + 1) * ROW))
      wider.set(rows)
      rows = wider
    }
    if (seenCount === seen.length) {
      const wider = new Int32Array(2 * seen.length)
      wider.set(seen)
      seen = wider
    }
    seen[seenCount++] = series
    rows[series * ROW + NEWEST] = -1
    rows[series * ROW + CODES] = 0
  }

  function add(series: number, value: number, weight: number): void {
    const at = series * ROW
    const count = at < rows.length ? (rows[at] ?? 0) : 0
    if (count === 0) {
      start(series)
      rows[at + COUNT] = weight
      rows[at + SUM] = value * weight
      rows[at + MIN] = value
      rows[at + MAX] = value
    } else {
      rows[at + COUNT] = count + weight
      rows[at + SUM] = (rows[at + SUM] ?? 0) + value * weight
      if (value < (rows[at + MIN] ?? 0)) rows[at + MIN] = value
      if (value > (rows[at + MAX] ?? 0)) rows[at + MAX] = value
    }
    rows[at + LAST] = value
  }

  function addMeasure(series: number, value: number, weight: number): void {
    add(series, value, weight)
    const at = series * ROW
    const codes = rows[at + CODES] ?? 0
    if (codes === 0) rows[at + WEIGHT] = weight
    if (codes === DENSE) dense.get(series)?.add(value, weight)
    else if (codes < CODES_MAX && rows[at + WEIGHT] === weight) {
      const place = codes % BLOCK_CODES
      if (place === 0) rows[at + NEWEST] = startBlock(rows[at + NEWEST] ?? -1)
      pool[(rows[at + NEWEST] ?? 0) + 1 + place] = distributionCode(value)
      rows[at + CODES] = codes + 1
    } else toDense(series).add(value, weight)
  }

  function startBlock(before: number): number {
    if (poolEnd === pool.length) {
      const wider = new Int32Array(2 * pool.length)
      wider.set(pool)
      pool = wider
    }
    pool[poolEnd] = before
    poolEnd += BLOCK
    return poolEnd - BLOCK
  }

  function toDense(series: number): Distribution {
    const sketch = new Uint8Array(SKETCH_BYTES_MAX)
    const distribution = createDistribution(sketch.subarray(0, writeSketch(series, DISTRIBUTION, sketch)))
    rows[series * ROW + CODES] = DENSE
    dense.set(series, distribution)
    return distribution
  }

  function writeSketch(series: number, kind: number, sketch: Uint8Array): number {
    if (kind === SET) return written(sketch, members.get(series)?.encode())
    if (kind !== DISTRIBUTION) return 0
    if (rows[series * ROW + CODES] === DENSE) return written(sketch, dense.get(series)?.encode())
    gathered.length = 0
    let codes = (((rows[series * ROW + CODES] ?? 0) - 1) % BLOCK_CODES) + 1
    for (let block = rows[series * ROW + NEWEST] ?? -1; block >= 0; block = pool[block] ?? -1) {
      for (let i = 1; i <= codes; i++) insertSorted(pool[block + i] ?? 0)
      codes = BLOCK_CODES
    }
    return writeCodes(sketch, 0, gathered, rows[series * ROW + WEIGHT] ?? 1)
  }

  return {
    seen: () => seen.subarray(0, seenCount),
    rows: () => rows,
    add,
    addMeasure,
    addMember(series, bytes, from, end) {
      add(series, 0, 1)
      let own = members.get(series)
      if (own === undefined) members.set(series, (own = createMembers()))
      own.addBytes(bytes, from, end)
    },
    has: (series) => (rows[series * ROW] ?? 0) > 0,
    writeSketch,
    clear(series) {
      if (rows[series * ROW + CODES] === DENSE) dense.delete(series)
      if (members.size > 0) members.delete(series)
      rows[series * ROW] = 0
    },
    restart() {
      seenCount = 0
      poolEnd = 0
    },
  }
}

function written(into: Uint8Array, encoded: Uint8Array | undefined): number {
  if (encoded === undefined) return 0
  into.set(encoded)
  return encoded.length
}
