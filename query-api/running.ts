import { randomUUID } from 'node:crypto'
import { ServiceError } from '../core/errors.ts'
import type { Clock, TimeRange } from '../core/ports.ts'
import type { Principal } from './access/access.ts'

export const QUERY_KINDS = [
  'search',
  'histogram',
  'top',
  'fields',
  'context',
  'patterns',
  'explain',
  'export',
  'tail',
  'metrics',
] as const
export type QueryKind = (typeof QUERY_KINDS)[number]

/** What is known of a query when it is asked. */
export interface AskedQuery {
  readonly kind: QueryKind
  readonly text: string
  /** Name of the credential. */
  readonly user: string
  /** null: a tail, which has no end. */
  readonly range: TimeRange | null
}

export interface RunningQuery extends AskedQuery {
  readonly id: string
  readonly startedAtMs: number
  /** Since it was asked, waiting included. */
  readonly runningMs: number
  readonly state: 'waiting' | 'running'
}

/** A query's own place in the list. */
export interface ListedQuery {
  readonly id: string
  /** Aborts with CANCELLED when somebody cancels it. */
  readonly cancelled: AbortSignal
  /** It no longer waits. */
  readonly start: () => void
  readonly leave: () => void
}

/** The queries that wait or run on this node: to be seen and cancelled by who asked them, and by administrators. */
export interface RunningQueries {
  enter(asked: AskedQuery): ListedQuery
  /** Oldest first. */
  seenBy(principal: Principal): readonly RunningQuery[]
  /** NOT_FOUND when there is no such query, or none that `by` may see. */
  cancel(id: string, by: Principal): void
}

interface Entry {
  readonly asked: AskedQuery
  readonly startedAtMs: number
  readonly startedMs: number
  readonly cancel: AbortController
  state: RunningQuery['state']
}

export function createRunningQueries(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): RunningQueries {
  const entries = new Map<string, Entry>() // A Map iterates oldest first.

  return {
    enter(asked) {
      const id = randomUUID()
      const cancel = new AbortController()
      const entry: Entry = {
        asked,
        startedAtMs: clock.nowMs(),
        startedMs: clock.monotonicMs(),
        cancel,
        state: 'waiting',
      }
      entries.set(id, entry)
      return {
        id,
        cancelled: cancel.signal,
        start: () => void (entry.state = 'running'),
        leave: () => void entries.delete(id),
      }
    },
    seenBy(principal) {
      return [...entries]
        .filter(([, { asked }]) => maySee(principal, asked))
        .map(([id, { asked, startedAtMs, startedMs, state }]) => ({
          ...asked,
          id,
          startedAtMs,
          runningMs: Math.round(clock.monotonicMs() - startedMs),
          state,
        }))
    },
    cancel(id, by) {
      const entry = entries.get(id)
      if (entry === undefined || !maySee(by, entry.asked)) {
        throw new ServiceError('NOT_FOUND', 'no such query waits or runs', { id })
      }
      entry.cancel.abort(
        new ServiceError('CANCELLED', `the query was cancelled by ${by.name}`, { by: by.name }),
      )
    },
  }
}

function maySee({ name, role }: Principal, { user }: AskedQuery): boolean {
  return role === 'admin' || name === user
}
