import { patternOf } from '../core/patterns/pattern.ts'
import type { Store, TimeRange } from '../core/ports.ts'
import type { QueryNode, QueryPlan } from '../core/query/plan.ts'
import type { LogRecord } from '../core/record.ts'
import { mapBounded } from './bounded.ts'
import { assertCells } from './interval.ts'
import { narrowed, whole } from './narrow.ts'

/** Searches for examples at once, for one question: it holds one place among the queries. */
const EXAMPLE_SEARCHES_MAX = 4

export interface FoundPattern {
  /** '' stands for records without one. */
  readonly pattern: string
  /** The message with its variable parts removed. */
  readonly template: string
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  /** Oldest first; buckets without a record are left out. */
  readonly trend: readonly { readonly startMs: number; readonly count: number }[]
  /** The newest record. */
  readonly example: LogRecord
}

export interface FoundPatterns {
  /** Most frequent first. */
  readonly patterns: readonly FoundPattern[]
  /** Different patterns; records without one count as one. */
  readonly distinct: number
  readonly matched: number
  readonly scanned: number
}

interface PatternsRequest {
  readonly plan: QueryPlan
  readonly range: TimeRange
  readonly limit: number
  readonly intervalMs: number
}

type Counted = Pick<FoundPattern, 'pattern' | 'count' | 'firstMs' | 'lastMs'>

/** The shapes of the messages that match, with their course and an example of each. */
export async function findPatterns(
  store: Pick<Store, 'top' | 'histogram' | 'search'>,
  { plan, range, limit, intervalMs }: PatternsRequest,
  signal: AbortSignal,
): Promise<FoundPatterns> {
  let scanned = 0
  /** The first record of a listing. */
  async function first(node: QueryNode, within: TimeRange, order: 'newest' | 'oldest') {
    const request = { plan: narrowed(plan, node), range: within, limit: 1, order }
    const page = await store.search(request, signal)
    scanned += page.scanned
    return page.records[0]
  }

  const top = await store.top({ plan, range, field: 'pattern', limit }, signal)
  scanned += top.scanned
  const counted: Counted[] = top.values.map(({ value, ...rest }) => ({ pattern: value, ...rest }))
  const without = top.matched - top.having
  if (without > 0 && (counted.length < limit || without > (counted.at(-1)?.count ?? 0))) {
    const node = whole('pattern', '')
    const [newest, oldest] = await Promise.all([first(node, range, 'newest'), first(node, range, 'oldest')])
    if (newest !== undefined && oldest !== undefined) {
      counted.push({ pattern: '', count: without, firstMs: oldest.timeMs, lastMs: newest.timeMs })
      counted.sort((left, right) => right.count - left.count)
    }
  }
  const listed = counted.slice(0, limit)
  const { matched } = top
  const distinct = top.distinct + (without > 0 ? 1 : 0)
  if (listed.length === 0) return { patterns: [], distinct, matched, scanned }

  const anyOf: QueryNode = { type: 'or', nodes: listed.map(({ pattern }) => whole('pattern', pattern)) }
  const [histogram, examples] = await Promise.all([
    store.histogram({ plan: narrowed(plan, anyOf), range, intervalMs, by: 'pattern' }, signal),
    mapBounded(listed, EXAMPLE_SEARCHES_MAX, ({ pattern, lastMs }) =>
      first(whole('pattern', pattern), { fromMs: lastMs, toMs: lastMs + 1 }, 'newest'),
    ),
  ])
  assertCells(histogram.buckets)
  const patterns = listed.flatMap((found, index): FoundPattern[] => {
    const example = examples[index]
    // Purged while we looked: a gap of the answer says so.
    if (example === undefined) return []
    const trend = histogram.buckets.flatMap(({ startMs, by }) => {
      const count = by[found.pattern] ?? 0
      return count > 0 ? [{ startMs, count }] : []
    })
    return [{ ...found, template: patternOf(example.message), trend, example }]
  })
  return { patterns, distinct, matched, scanned: scanned + histogram.scanned }
}
