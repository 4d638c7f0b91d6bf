import type { HistogramRequest } from '../../core/ports.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import type { Ask } from './ask.ts'
import { NONE } from './dsl.ts'
import type { Dsl } from './dsl.ts'

/** Buckets of one request; Elasticsearch allows 65,536 by default. */
const PAGE_BUCKETS = 10_000

/** A bucket of (start, value of `by`, …), as a composite aggregation counts it. */
export interface Cell {
  readonly startMs: number
  readonly value: string
  /** What `number` was for it. */
  readonly number: number
  readonly count: number
}

interface CompositeBucket {
  readonly key: { readonly start: number; readonly by?: string | null; readonly number?: number }
  readonly doc_count: number
}

interface Composite {
  readonly buckets?: readonly CompositeBucket[]
  readonly after_key?: object
}

/** Counts of all cells. `number`: also split by this source of a composite aggregation. */
export async function* cellsOf(
  ask: Ask,
  query: Dsl,
  request: HistogramRequest,
  number?: object,
): AsyncGenerator<Cell> {
  if (query === NONE) return
  let after: object | undefined
  do {
    const page = await readCells(ask, query, request, after, number)
    yield* page.cells
    after = page.after
  } while (after !== undefined)
}

/** One page of them. `after`: where the next one starts; undefined when nothing is left. */
export async function readCells(
  ask: Ask,
  query: Dsl,
  { intervalMs, by }: HistogramRequest,
  after: object | undefined,
  number?: object,
): Promise<{ readonly cells: readonly Cell[]; readonly after: object | undefined }> {
  const start = { date_histogram: { field: RECORD_FIELDS.time.ecs, fixed_interval: `${intervalMs}ms` } }
  const sources = [
    { start },
    ...(by === undefined ? [] : [{ by: { terms: { field: RECORD_FIELDS[by].ecs, missing_bucket: true } } }]),
    ...(number === undefined ? [] : [{ number }]),
  ]
  const composite = { size: PAGE_BUCKETS, sources, ...(after === undefined ? {} : { after }) }
  const { aggregations } = await ask({
    query,
    size: 0,
    track_total_hits: false,
    aggs: { cells: { composite } },
  })
  const { buckets = [], after_key: afterKey } = (aggregations['cells'] ?? {}) as Composite
  const cells = buckets.map(({ key, doc_count: count }) => ({
    startMs: key.start,
    value: key.by ?? '',
    number: key.number ?? 0,
    count,
  }))
  return { cells, after: buckets.length < PAGE_BUCKETS ? undefined : afterKey }
}
