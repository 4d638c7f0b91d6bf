import type { Clock, SearchAfter, Store } from '../../core/ports.ts'
import { parseQuery } from '../../core/query/parse.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import type { LogRecord } from '../../core/record.ts'
import type { Retention } from '../../core/retention.ts'

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store
  /** Closes the store and opens it again on what it kept, with the same options; absent when it keeps nothing. */
  readonly reopen?: () => Promise<Store>
}

export interface MakeOptions {
  /** KEEP_ALL unless given. */
  readonly retention?: Retention
  /** The system's unless given. */
  readonly clock?: Clock
}

/** Opens a new, empty store; segments are small, if it has any. */
export type MakeStore = (options?: MakeOptions) => Promise<StoreUnderTest>

export const EVER = { fromMs: -8.64e15, toMs: 8.64e15 }
export const never = new AbortController().signal
export const query = (text: string): QueryPlan => parseQuery(text, { nowMs: 0 })
export const messages = (records: readonly LogRecord[]): string[] => records.map(({ message }) => message)

/** Everything that a plan finds, newest first. */
export async function all(store: Store, plan: QueryPlan = MATCH_ALL): Promise<readonly LogRecord[]> {
  return (await store.search({ plan, range: EVER, limit: 10_000 }, never)).records
}

export function oldestFirst(left: SearchAfter, right: SearchAfter): number {
  if (left.timeMs !== right.timeMs) return left.timeMs - right.timeMs
  if (left.id === right.id) return 0
  return left.id < right.id ? -1 : 1
}

export function newestFirst(left: SearchAfter, right: SearchAfter): number {
  return oldestFirst(right, left)
}

/** The objects of an NDJSON text, whose lines all have an end. */
export function parseNdjson(ndjson: Uint8Array): unknown[] {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(ndjson)
  if (text === '') return []
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}
