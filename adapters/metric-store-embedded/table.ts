import type { KeptPoint } from '../../core/metrics/kept.ts'
import type { MetricPoint, Series } from '../../core/metrics/types.ts'
import { createSlices } from '../../core/slices.ts'

/** Points of a table are sealed when there are more: 60 bytes each in memory. */
export const TABLE_POINTS_MAX = 500_000
export const TABLE_SKETCH_BYTES_MAX = 64 << 20

const NUMBERS = ['startMs', 'stepMs', 'count', 'sum', 'min', 'max', 'last'] as const
type Numbers = Record<(typeof NUMBERS)[number], Float64Array<ArrayBuffer>>

/** Points in columns, as they came; `series` numbers the series of a table. */
export interface Rows {
  readonly length: number
  readonly series: Uint32Array
  readonly numbers: Readonly<Numbers>
  readonly sketches: readonly (Uint8Array | null)[]
}

/** Points that are in the journal and not in blocks yet. */
export interface Table {
  /** The journal's generation that holds them. */
  readonly gen: number
  /** Keys of the series, by their numbers. */
  readonly keys: readonly string[]
  /** Day (since 1970) on which each series was admitted last; none: not yet by this process. */
  readonly admittedOn: number[]
  readonly rows: Rows
  readonly sketchBytes: number
  /** Number of a series; undefined: it has none. */
  find(key: string): number | undefined
  /** Numbers of series by their objects, which often come again: a key takes longer to make than all the rest of a point. */
  readonly known: WeakMap<Series, number>
  /** … given when it has none. */
  numberOf(key: string): number
  /** Makes room for so many more rows. Lets others work in between, but nobody may add rows meanwhile. */
  reserve(rows: number): Promise<void>
  /** There is room for them. */
  add(rows: Rows): void
}

/** Columns of zeros. */
export const noNumbers = (length: number): Numbers => ({
  startMs: new Float64Array(length),
  stepMs: new Float64Array(length),
  count: new Float64Array(length),
  sum: new Float64Array(length),
  min: new Float64Array(length),
  max: new Float64Array(length),
  last: new Float64Array(length),
})

/** Room for points that are put in one by one. */
export interface RowsDraft {
  put(series: number, point: MetricPoint): void
  rows(): Rows
}

export function draftRows(capacity: number): RowsDraft {
  const series = new Uint32Array(capacity)
  const numbers = noNumbers(capacity)
  const sketches: (Uint8Array | null)[] = []
  let length = 0
  return {
    put(number, point) {
      series[length] = number
      for (const name of NUMBERS) numbers[name][length] = point[name]
      sketches.push(point.sketch)
      length += 1
    },
    rows: () => ({ length, series: series.subarray(0, length), numbers: cut(numbers, length), sketches }),
  }
}

function cut(numbers: Numbers, length: number): Numbers {
  const { startMs, stepMs, count, sum, min, max, last } = numbers
  return {
    startMs: startMs.subarray(0, length),
    stepMs: stepMs.subarray(0, length),
    count: count.subarray(0, length),
    sum: sum.subarray(0, length),
    min: min.subarray(0, length),
    max: max.subarray(0, length),
    last: last.subarray(0, length),
  }
}

export function createTable(gen: number): Table {
  const known = new Map<string, number>()
  const keys: string[] = []
  const sketches: (Uint8Array | null)[] = []
  let series = new Uint32Array(1_024)
  let numbers = noNumbers(1_024)
  let length = 0
  let sketchBytes = 0

  return {
    gen,
    keys,
    admittedOn: [],
    known: new WeakMap(),
    get rows() {
      return { length, series, numbers, sketches }
    },
    get sketchBytes() {
      return sketchBytes
    },
    find: (key) => known.get(key),
    numberOf(key) {
      const found = known.get(key)
      if (found !== undefined) return found
      known.set(key, keys.length)
      return keys.push(key) - 1
    },
    async reserve(rows) {
      const needed = length + rows
      if (needed <= series.length) return
      const capacity = Math.max(needed, series.length * 2)
      const pause = createSlices()
      const moreSeries = new Uint32Array(capacity)
      moreSeries.set(series)
      const more = noNumbers(0)
      for (const name of NUMBERS) {
        await pause()
        more[name] = new Float64Array(capacity)
        more[name].set(numbers[name])
      }
      series = moreSeries
      numbers = more
    },
    add(rows) {
      series.set(rows.series, length)
      for (const name of NUMBERS) numbers[name].set(rows.numbers[name], length)
      for (const sketch of rows.sketches) {
        sketches.push(sketch)
        sketchBytes += sketch?.length ?? 0
      }
      length += rows.length
    },
  }
}

/** A row as a point of its own. */
export function pointAt({ numbers, sketches }: Rows, row: number): KeptPoint {
  const startMs = numbers.startMs[row] ?? 0
  return {
    startMs,
    stepMs: numbers.stepMs[row] ?? 0,
    count: numbers.count[row] ?? 0,
    sum: numbers.sum[row] ?? 0,
    min: numbers.min[row] ?? 0,
    max: numbers.max[row] ?? 0,
    last: numbers.last[row] ?? 0,
    lastMs: startMs,
    sketch: sketches[row] ?? null,
  }
}
