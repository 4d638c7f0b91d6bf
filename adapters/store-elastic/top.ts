import type { TopAnswer, TopRequest, TopValue } from '../../core/ports.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import { createTop, mostFrequentFirst } from '../store-top.ts'
import {
  BESIDE_MAX,
  atOneMoment,
  decidedBy,
  matchesAmong,
  tooManyBeside,
  undecidedBy,
  visible,
} from './ask.ts'
import type { Ask, Asking } from './ask.ts'
import { ALL, NONE, allOf, attrExists, attrField, planToDsl } from './dsl.ts'
import type { Dsl } from './dsl.ts'

/** Values of one request; Elasticsearch allows 65,536 buckets by default, and a shard sends half as many again. */
const PAGE_VALUES = 10_000
/** When there are more values than that, they are asked for in so many times more parts. */
const PARTS_GROWTH = 16

interface Terms {
  readonly sum_other_doc_count?: number
  readonly buckets?: readonly {
    readonly key: string | number
    readonly doc_count: number
    readonly first: { readonly value: number }
    readonly last: { readonly value: number }
  }[]
}

/** The most frequent values of a field. */
export async function top(asking: Asking, request: TopRequest): Promise<TopAnswer> {
  const { plan, range, field } = request
  const looked = createTop(field)
  const condition = planToDsl(plan, asking.patterns)
  const within = visible(asking, range)
  // Of an attr that is not in the index, Elasticsearch knows nothing.
  const beside = havingIt(field) === null ? ALL : NONE
  const decided = allOf([within, decidedBy(condition, beside)])
  return atOneMoment(asking, async (ask) => {
    const rest = allOf([within, undecidedBy(condition, beside)])
    let records = 0
    for await (const record of matchesAmong(ask, plan, rest)) {
      looked.add(record)
      // Counting the values takes a while.
      if (++records % BESIDE_MAX === 0 && looked.answer(0).distinct > BESIDE_MAX)
        throw tooManyBeside('values')
    }
    const { values, ...seen } = looked.answer(Infinity)
    const counted = await countAll(ask, decided, request, values)
    const matched = counted.matched + seen.matched
    return { ...counted, matched, having: counted.having + seen.having, scanned: matched }
  })
}

/** Records that have the field; null: the index cannot tell. */
function havingIt(field: string): Dsl | null {
  return isFieldName(field) ? { exists: { field: RECORD_FIELDS[field].ecs } } : attrExists(field)
}

async function countAll(
  ask: Ask,
  query: Dsl,
  request: TopRequest,
  beside: readonly TopValue[],
): Promise<Omit<TopAnswer, 'scanned'>> {
  if (query === NONE) {
    const values = beside.slice(0, request.limit)
    return { values, matched: 0, having: 0, distinct: beside.length }
  }
  const totals = await countRecords(ask, query, request.field)
  for (let parts = 1; ; parts *= PARTS_GROWTH) {
    const best = await bestOf(partsOf(ask, query, request.field, parts), request, beside)
    if (best !== null) return { ...totals, ...best }
  }
}

async function countRecords(
  ask: Ask,
  query: Dsl,
  field: string,
): Promise<{ readonly matched: number; readonly having: number }> {
  const aggs = { having: { filter: havingIt(field) } }
  const { total, aggregations } = await ask({ query, size: 0, track_total_hits: true, aggs })
  const { doc_count: having = 0 } = (aggregations['having'] ?? {}) as { doc_count?: number }
  return { matched: total, having }
}

/** The first values of the whole list; null: a part had too many. */
async function bestOf(
  parts: AsyncIterable<readonly TopValue[] | null>,
  { field, limit }: TopRequest,
  beside: readonly TopValue[],
): Promise<Pick<TopAnswer, 'values' | 'distinct'> | null> {
  const left = new Map(beside.map((one) => [one.value, one]))
  let distinct = 0
  let values: readonly TopValue[] = []
  const take = (more: readonly TopValue[]) => {
    distinct += more.length
    values = [...values, ...more].sort((one, other) => mostFrequentFirst(one, other, field)).slice(0, limit)
  }
  for await (const part of parts) {
    if (part === null) return null
    take(part.map((one) => merged(one, left.get(one.value))))
    for (const { value } of part) left.delete(value)
  }
  take([...left.values()])
  return { values, distinct }
}

function merged(one: TopValue, other: TopValue | undefined): TopValue {
  if (other === undefined) return one
  return {
    value: one.value,
    count: one.count + other.count,
    firstMs: Math.min(one.firstMs, other.firstMs),
    lastMs: Math.max(one.lastMs, other.lastMs),
  }
}

/** All values with their counts, in so many parts; null: a part has more than one request gives. */
async function* partsOf(
  ask: Ask,
  query: Dsl,
  field: string,
  parts: number,
): AsyncGenerator<readonly TopValue[] | null> {
  const name = isFieldName(field) ? RECORD_FIELDS[field].ecs : attrField(field)
  const time = { field: RECORD_FIELDS.time.ecs }
  for (let partition = 0; partition < parts; partition++) {
    const include = parts === 1 ? {} : { include: { partition, num_partitions: parts } }
    const values = {
      terms: { field: name, size: PAGE_VALUES, ...include },
      aggs: { first: { min: time }, last: { max: time } },
    }
    const { aggregations } = await ask({ query, size: 0, track_total_hits: false, aggs: { values } })
    const { sum_other_doc_count: others = 0, buckets = [] } = (aggregations['values'] ?? {}) as Terms
    if (others > 0) return yield null
    yield buckets.map(({ key, doc_count: count, first, last }) => ({
      value: String(key),
      count,
      firstMs: first.value,
      lastMs: last.value,
    }))
  }
}
