import type { HistogramRequest, TimeRange } from '../../core/ports.ts'
import type { QueryNode } from '../../core/query/plan.ts'
import { planToSql } from './plan-sql.ts'
import { filesOf } from './parts.ts'
import { ROLL_UPS } from './roll-up-sql.ts'
import type { RollUpKind } from './roll-up-sql.ts'
import type { Source } from './shelf.ts'

const MINUTE_MS = 60_000

const COUNTING: readonly RollUpKind[] = ['counts', 'patterns']

/** The share of a histogram that roll-ups answer. */
export interface Rolled {
  /** Whole minutes. */
  readonly range: TimeRange
  readonly kind: RollUpKind
}

/** The share of a histogram that blocks' counts by minute answer. */
export interface Listed {
  /** Whole minutes. */
  readonly range: TimeRange
  readonly field: 'level' | 'service'
}

/** What of a histogram's counts can be answered by roll-ups; null: nothing. */
export function rolledShare(request: HistogramRequest): Rolled | null {
  return shareOf(request, COUNTING)
}

/** What of a histogram's counts the blocks of segments list; null: nothing. */
export function listedShare(request: HistogramRequest): Listed | null {
  const fields = ['level', 'service'] as const
  for (const field of fields) {
    const range = wholeMinutes(request, [field])
    if (range !== null) return { range, field }
  }
  return null
}

/** Where the numbers of its quantiles are in roll-ups; null: nowhere. */
export function rolledNumbers(request: HistogramRequest): Rolled | null {
  return request.quantile?.of === 'latency_ms' ? shareOf(request, ['latencies']) : null
}

function shareOf(request: HistogramRequest, kinds: readonly RollUpKind[]): Rolled | null {
  for (const kind of kinds) {
    const range = wholeMinutes(request, ROLL_UPS[kind])
    if (range !== null) return { range, kind }
  }
  return null
}

/** The whole minutes of the range; null: there are none, or counts by minute and these fields do not suffice. */
function wholeMinutes(
  { plan, range, intervalMs, by }: HistogramRequest,
  known: readonly string[],
): TimeRange | null {
  if (intervalMs % MINUTE_MS !== 0) return null
  const fields = fieldNames(plan.root)
  if (fields === null) return null
  const needed = by === undefined ? fields : [...fields, by]
  if (!needed.every((field) => known.includes(field))) return null
  const fromMs = Math.ceil(range.fromMs / MINUTE_MS) * MINUTE_MS
  const toMs = Math.floor(range.toMs / MINUTE_MS) * MINUTE_MS
  return fromMs < toMs ? { fromMs, toMs } : null
}

export function hasRollup({ from }: Source, { kind }: Rolled): boolean {
  return from.type === 'segment' && from.rollupPath !== null && from.segment.rollups.includes(kind)
}

/** Rows of the roll-ups of these segments; `time` is the start of a minute. */
export function rolledRows(
  sources: readonly Source[],
  { plan }: HistogramRequest,
  { kind, range }: Rolled,
): string {
  const paths = sources.flatMap(({ from }) =>
    from.type === 'segment' && from.rollupPath !== null ? from.rollupPath : [],
  )
  // These fields are columns of every record: SQL decides them alike for all.
  const { plain } = planToSql(plan)
  return `(SELECT minute AS time, site, service, level, pattern, latencies, n FROM ${filesOf(paths)}
    WHERE kind = '${kind}' AND minute >= ${range.fromMs} AND minute < ${range.toMs} AND ${plain})`
}

/** Names of the fields that decide a plan; null: others than fields decide it. */
export function fieldNames(node: QueryNode): readonly string[] | null {
  if (node.type === 'all') return []
  if (node.type === 'phrase') return null
  if (node.type === 'not') return fieldNames(node.node)
  if (node.type !== 'and' && node.type !== 'or') return [node.field]
  const names = node.nodes.map(fieldNames)
  return names.includes(null) ? null : names.flatMap((some) => some ?? [])
}
