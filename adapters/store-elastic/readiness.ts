import { ServiceError, messageOf } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { pauseMs } from './backoff.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure, isOverload, isPassing } from './failures.ts'

/** For a heartbeat. */
export interface StoreStatus {
  readonly ok: boolean
  /** What is wrong; '' when nothing is. */
  readonly detail: string
}

/** Whether Elasticsearch is there, and prepared for the store. */
export interface Readiness {
  /** Prepares it; resolves also when it does not answer soon: that goes on behind, until it does. */
  begin(): Promise<void>
  /** Throws STORE_UNAVAILABLE until it is prepared, SHUTTING_DOWN once it is closed. */
  assertReady(): void
  /** As the last answers were. */
  status(): StoreStatus
  close(): void
}

/** Opening the store waits no longer. */
const BEGIN_MS_MAX = 10_000
const RETRY_AFTER_MS = 1_000

export function createReadiness({
  prepare,
  outcome,
  clock,
  log,
}: {
  readonly prepare: () => Promise<void>
  /** What is wrong with the last answer; null: nothing. */
  readonly outcome: () => string | null
  readonly clock: Clock
  readonly log: Logger
}): Readiness {
  const closing = new AbortController()
  let prepared = false
  let problem = 'Elasticsearch has not answered yet'

  async function prepareAtLast(): Promise<void> {
    for (let tries = 0; !prepared; tries++) {
      try {
        await prepare()
        prepared = true
        if (tries > 0) log.info({}, 'Elasticsearch is there')
      } catch (error) {
        closing.signal.throwIfAborted()
        problem = messageOf(error)
        const details = { problem, retried: true }
        if (tries === 0) log.warn(details, 'Elasticsearch cannot be used yet, it is tried again until it can')
        else log.debug(details, 'Elasticsearch cannot be used yet')
        await clock.sleep(pauseMs(tries), closing.signal)
      }
    }
  }

  return {
    async begin() {
      const preparing = prepareAtLast().catch(() => undefined)
      const late = new AbortController()
      const waited = clock.sleep(BEGIN_MS_MAX, late.signal).catch(() => undefined)
      await Promise.race([preparing, waited])
      late.abort()
    },
    assertReady() {
      closing.signal.throwIfAborted()
      if (prepared) return
      const details = { problem, retryAfterMs: RETRY_AFTER_MS }
      throw new ServiceError('STORE_UNAVAILABLE', `Elasticsearch cannot be used yet: ${problem}`, details)
    },
    status() {
      const detail = prepared ? outcome() : problem
      return { ok: detail === null, detail: detail ?? '' }
    },
    close() {
      closing.abort(new ServiceError('SHUTTING_DOWN', 'the store is closed'))
    },
  }
}

/** The same, and what its last answer says of it: requests that Elasticsearch refuses are no fault of it. */
export function observed(elastic: Elastic): { elastic: Elastic; outcome: () => string | null } {
  let problem: string | null = null
  return {
    outcome: () => problem,
    elastic: {
      async request<T>(request: Parameters<Elastic['request']>[0]): Promise<T> {
        try {
          const answer = await elastic.request<T>(request)
          problem = null
          return answer
        } catch (error) {
          if (error instanceof ElasticFailure) problem = isAway(error) ? messageOf(error) : null
          throw error
        }
      },
    },
  }
}

/** Too much to do is no reason to call it down. */
function isAway(failure: ElasticFailure): boolean {
  return isPassing(failure) && !isOverload(failure.status)
}
