import type { ExplainRequest, Explanation } from '../../core/ports.ts'
import { askOnce, visible } from './ask.ts'
import type { Asking } from './ask.ts'
import { allOf, planToDsl } from './dsl.ts'
import type { Names } from './names.ts'

/** More indices than a cluster has by default. */
const INDICES_MAX = 10_000

interface IndexCounts {
  readonly key: string
  readonly doc_count: number
  readonly inRange: { readonly doc_count: number }
  readonly possible: { readonly doc_count: number }
}

interface IndexSizes {
  readonly indices?: Readonly<
    Record<string, { readonly primaries: { readonly store: { readonly size_in_bytes: number } } }>
  >
}

/**
 * A block is an index here: what a partition holds of one site. It is read when a record in it may be found; its inverted index says so,
 * for values and words alike, so all that are left out for either count as `excludedByWords`.
 */
export async function explain(
  asking: Asking,
  { plan, range }: ExplainRequest,
  names: Names,
): Promise<Explanation> {
  const { possible, maybe } = planToDsl(plan, asking.patterns)
  const aggs = {
    inRange: { filter: visible(asking, range) },
    possible: { filter: allOf([visible(asking, range), possible]) },
  }
  const [{ aggregations }, sizes] = await Promise.all([
    askOnce(asking)({
      query: visible(asking),
      size: 0,
      aggs: { indices: { terms: { field: '_index', size: INDICES_MAX }, aggs } },
    }),
    sizesOf(asking),
  ])
  const { buckets = [] } = (aggregations['indices'] ?? {}) as { buckets?: readonly IndexCounts[] }
  const read = buckets.filter((bucket) => bucket.possible.doc_count > 0)
  const outOfRange = buckets.filter(({ inRange }) => inRange.doc_count === 0).length
  return {
    partitions: partitionsOf(buckets, names),
    partitionsRead: partitionsOf(read, names),
    blocks: {
      total: buckets.length,
      outOfRange,
      excludedByValues: 0,
      excludedByWords: buckets.length - outOfRange - read.length,
      read: read.length,
    },
    records: read.reduce((sum, bucket) => sum + bucket.doc_count, 0),
    bytes: read.reduce((sum, { key }) => sum + (sizes.indices?.[key]?.primaries.store.size_in_bytes ?? 0), 0),
    exact: maybe.length === 0,
  }
}

function sizesOf({ elastic, logs, signal }: Asking): Promise<IndexSizes> {
  const query = { filter_path: 'indices.*.primaries.store.size_in_bytes' }
  return elastic.request({ method: 'GET', path: `/${encodeURIComponent(logs)}/_stats/store`, query, signal })
}

function partitionsOf(buckets: readonly IndexCounts[], names: Names): number {
  const slots = buckets.flatMap(({ key }) => names.parse(key) ?? [])
  return new Set(slots.map(({ class: its, slotMs }) => `${slotMs} ${its}`)).size
}
