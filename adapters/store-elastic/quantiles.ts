import type { HistogramRequest, Quantile } from '../../core/ports.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import { LN_GAMMA, bucketOf, bucketValue } from '../../core/sketch/latency-buckets.ts'
import { nearestRank } from '../store-counts.ts'
import type { Counts } from '../store-counts.ts'
import type { Ask } from './ask.ts'
import { allOf } from './dsl.ts'
import type { Dsl } from './dsl.ts'
import { cellsOf } from './cells.ts'
import type { Cell } from './cells.ts'

/** Different numbers, of all cells together, that are read to find quantiles exactly; beyond they come from sketches. */
const NUMBERS_MAX = 100_000

/** Keeps the buckets of positive numbers apart from those of negative ones: no double has so large a bucket. */
const SIGN_OFFSET = 100_000
const SKETCHED = 'noctule_sketched'
const SCRIPT = `if (doc[params.field].size() > 0) {
  double number = doc[params.field].value;
  if (number == 0) { emit(0L); return; }
  long bucket = (long) Math.ceil(Math.log(Math.abs(number)) / params.width) + params.offset;
  emit(number > 0 ? bucket : -bucket);
}`

/** `beside`: cells of records that were counted here. */
export async function addQuantiles(
  ask: Ask,
  decided: Dsl,
  request: HistogramRequest,
  { of, p }: Quantile,
  beside: readonly Cell[],
  counts: Counts,
): Promise<void> {
  const field = RECORD_FIELDS[of].ecs
  const query = allOf([decided, { exists: { field } }])
  const found = (await exactly(ask, query, request, field)) ?? (await sketched(ask, query, request, field))
  const cells = Map.groupBy([...found, ...beside], ({ startMs, value }) => `${startMs} ${value}`)
  for (const cell of cells.values()) {
    const [first] = cell
    if (first !== undefined) counts.setQuantile(first.startMs, first.value, quantileOf(cell, p))
  }
}

/** Null: there are too many numbers. */
async function exactly(
  ask: Ask,
  query: Dsl,
  request: HistogramRequest,
  field: string,
): Promise<readonly Cell[] | null> {
  const cells: Cell[] = []
  for await (const cell of cellsOf(ask, query, request, { terms: { field } }))
    if (cells.push(cell) > NUMBERS_MAX) return null
  return cells
}

/** By logarithmic buckets, as the roll-ups of the embedded store: at most 1 % away. */
async function sketched(
  ask: Ask,
  query: Dsl,
  request: HistogramRequest,
  field: string,
): Promise<readonly Cell[]> {
  const params = { field, width: LN_GAMMA, offset: SIGN_OFFSET }
  const mapping = { type: 'long', script: { source: SCRIPT, params } }
  const asked: Ask = (body) => ask({ ...body, runtime_mappings: { [SKETCHED]: mapping } })
  const cells: Cell[] = []
  for await (const cell of cellsOf(asked, query, request, { terms: { field: SKETCHED } }))
    cells.push({ ...cell, number: sketchedValue(cell.number) })
  return cells
}

/** The bucket of a number, as the script makes it. */
export function sketchBucket(number: number): number {
  if (number === 0) return 0
  const bucket = bucketOf(Math.abs(number)) + SIGN_OFFSET
  return number > 0 ? bucket : -bucket
}

/** What stands for all numbers of a bucket. */
export function sketchedValue(bucket: number): number {
  if (bucket === 0) return 0
  const value = bucketValue(Math.abs(bucket) - SIGN_OFFSET)
  return bucket > 0 ? value : -value
}

/** By nearest rank. */
function quantileOf(cells: readonly Cell[], p: number): number {
  const rank = nearestRank(
    p,
    cells.reduce((sum, { count }) => sum + count, 0),
  )
  let passed = 0
  for (const { number, count } of cells.toSorted((left, right) => left.number - right.number)) {
    passed += count
    if (passed >= rank) return number
  }
  return NaN
}
