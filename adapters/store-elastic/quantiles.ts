import type { HistogramRequest, Quantile } from '../../core/ports.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import { LN_GAMMA, bucketValue } from '../../core/sketch/latency-buckets.ts'
import { nearestRank } from '../store-counts.ts'
import type { Counts } from '../store-counts.ts'
import type { Ask } from './ask.ts'
import { cellsOf } from './cells.ts'
import type { Cell } from './cells.ts'
import { allOf } from './dsl.ts'
import type { Dsl } from './dsl.ts'

/**
 * `core/sketch/latency-buckets.ts` in another language, for negative numbers, too.
 * The offset keeps the buckets of positive numbers apart from those of negative ones: no double has so large a bucket.
 */
const SIGN_OFFSET = 100_000
const SKETCHED = 'noctule_sketched'
const SCRIPT = `if (doc[params.field].size() > 0) {
  double number = doc[params.field].value;
  if (number == 0) { emit(0L); return; }
  long bucket = (long) Math.ceil(Math.log(Math.abs(number)) / params.width) + params.offset;
  emit(number > 0 ? bucket : -bucket);
}`

/** The quantiles of one histogram. */
export interface Numbers {
  readonly ask: Ask
  /** What Elasticsearch counts. */
  readonly decided: Dsl
  readonly request: HistogramRequest
  readonly quantile: Quantile
  /** Cells of the records that were counted here. */
  readonly beside: readonly Cell[]
  readonly numbersMax: number
}

/** Sets the quantile of every cell that has numbers. */
export async function addQuantiles(numbers: Numbers, counts: Counts): Promise<void> {
  const { decided, beside } = numbers
  const { of, p } = numbers.quantile
  const field = RECORD_FIELDS[of].ecs
  const query = allOf([decided, { exists: { field } }])
  const found = (await exactly(numbers, query, field)) ?? (await sketched(numbers, query, field))
  const cells = Map.groupBy([...found, ...beside], ({ startMs, value }) => `${startMs} ${value}`)
  for (const cell of cells.values()) {
    const [first] = cell
    if (first !== undefined) counts.setQuantile(first.startMs, first.value, quantileOf(cell, p))
  }
}

/** Null: there are too many numbers. */
async function exactly(
  { ask, request, numbersMax }: Numbers,
  query: Dsl,
  field: string,
): Promise<readonly Cell[] | null> {
  const cells: Cell[] = []
  for await (const cell of cellsOf(ask, query, request, { terms: { field } }))
    if (cells.push(cell) > numbersMax) return null
  return cells
}

/** By logarithmic buckets, as the roll-ups of the embedded store: at most 1 % away. */
async function sketched({ ask, request }: Numbers, query: Dsl, field: string): Promise<readonly Cell[]> {
  const params = { field, width: LN_GAMMA, offset: SIGN_OFFSET }
  const mapping = { type: 'long', script: { source: SCRIPT, params } }
  const asked: Ask = (body) => ask({ ...body, runtime_mappings: { [SKETCHED]: mapping } })
  const cells: Cell[] = []
  for await (const cell of cellsOf(asked, query, request, { terms: { field: SKETCHED } }))
    cells.push({ ...cell, number: sketchedValue(cell.number) })
  return cells
}

/** What stands for all numbers of a bucket. */
function sketchedValue(bucket: number): number {
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
