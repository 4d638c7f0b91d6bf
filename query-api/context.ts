import { ServiceError } from '../core/errors.ts'
import type { SearchAfter, Store, TimeRange } from '../core/ports.ts'
import type { QueryNode, QueryPlan } from '../core/query/plan.ts'
import type { LogRecord } from '../core/record.ts'
import { whole } from './narrow.ts'

/** What lines around a line have in common with it. */
export const CONTEXT_OF = ['file', 'host'] as const

/** Lines that are further away from a line are not around it. */
const CONTEXT_REACH_MS = 24 * 3_600_000

export interface ContextRequest {
  readonly id: string
  /** Where the record is looked for. */
  readonly within: TimeRange
  readonly of: (typeof CONTEXT_OF)[number]
  /** How many lines, each at least 0. */
  readonly before: number
  readonly after: number
}

export interface Context {
  /** Oldest first, as all of them: by (time, id). */
  readonly before: readonly LogRecord[]
  readonly record: LogRecord
  readonly after: readonly LogRecord[]
  readonly scanned: number
}

type Searching = Pick<Store, 'search'>

/** The lines around a line; `reach` bounds where they are looked for. NOT_FOUND when the line is not there. */
export async function findContext(
  store: Searching,
  request: ContextRequest & { readonly reach?: TimeRange | undefined },
  signal: AbortSignal,
): Promise<Context> {
  const found = await store.search({ plan: byId(request.id), range: request.within, limit: 1 }, signal)
  const record = found.records[0]
  if (record === undefined) {
    throw new ServiceError('NOT_FOUND', 'there is no such record: it was purged, or never stored', {
      id: request.id,
    })
  }
  const { timeMs, id } = record
  const reach = request.reach ?? { fromMs: timeMs - CONTEXT_REACH_MS, toMs: timeMs + CONTEXT_REACH_MS }
  const plan = beside(record, request.of)
  const at = { timeMs, id }
  const [older, newer] = await Promise.all([
    neighbours(
      store,
      { plan, at, order: 'newest', range: { ...reach, toMs: timeMs + 1 }, limit: request.before },
      signal,
    ),
    neighbours(
      store,
      { plan, at, order: 'oldest', range: { ...reach, fromMs: timeMs }, limit: request.after },
      signal,
    ),
  ])
  return {
    before: older.records.toReversed(),
    record,
    after: newer.records,
    scanned: found.scanned + older.scanned + newer.scanned,
  }
}

/**
 * What a context was read from: from its first line to its last. On a side with fewer lines than asked for, all the way to the
 * reach: lines that are missing there are missing from the answer.
 */
export function lookedAt(
  { before, record, after }: Context,
  wanted: Pick<ContextRequest, 'before' | 'after'>,
  nowMs: number,
): TimeRange {
  const first = before[0] ?? record
  const last = after.at(-1) ?? record
  const reachToMs = Math.min(record.timeMs + CONTEXT_REACH_MS, nowMs)
  return {
    fromMs: before.length < wanted.before ? record.timeMs - CONTEXT_REACH_MS : first.timeMs,
    toMs: after.length < wanted.after ? Math.max(reachToMs, last.timeMs + 1) : last.timeMs + 1,
  }
}

interface Side {
  readonly plan: QueryPlan
  readonly at: SearchAfter
  readonly order: 'newest' | 'oldest'
  readonly range: TimeRange
  readonly limit: number
}

async function neighbours(store: Searching, { at, ...side }: Side, signal: AbortSignal) {
  if (side.limit === 0) return { records: [], scanned: 0 }
  return await store.search({ ...side, after: at }, signal)
}

/** The plan that finds a record by its id. */
export function byId(id: string): QueryPlan {
  return { text: `id:${JSON.stringify(id)}`, root: { type: 'equals', field: 'id', value: id } }
}

function beside({ site, host, path }: LogRecord, of: ContextRequest['of']): QueryPlan {
  const nodes: QueryNode[] = [whole('site', site), whole('host', host)]
  if (of === 'file') nodes.push(whole('path', path))
  return { text: '', root: { type: 'and', nodes } }
}
