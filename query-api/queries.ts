import type { ServerResponse } from 'node:http'
import type { Config } from '../core/config.ts'
import type { SiteCompleteness } from '../core/ledger/types.ts'
import type { Clock, Completeness, Metrics, TimeRange } from '../core/ports.ts'
import { createAdmission } from './admission.ts'
import { beforeDeadline, clientSignal } from './client.ts'

/** What a query came to, with the ledger's word from before it ran. */
interface Outcome<T> {
  readonly answer: T
  readonly judged: SiteCompleteness
  readonly tookMs: number
}

interface Asking {
  readonly response: ServerResponse
  readonly timeoutMs: number
  readonly range: TimeRange
}

/** Runs queries under the node's bounds: so many at once, each with a deadline, none for a client that has gone. */
export interface Queries {
  run<T>(asking: Asking, query: (signal: AbortSignal) => Promise<T>): Promise<Outcome<T>>
}

export function createQueries({
  clock,
  completeness,
  metrics,
  bounds,
}: {
  clock: Clock
  completeness: Completeness
  metrics: Metrics
  bounds: Pick<Config['query'], 'concurrencyMax' | 'queueMax'>
}): Queries {
  const admission = createAdmission(bounds)
  metrics.gauge('noctule_queries_running', 'Queries that run now.', () => admission.running)
  metrics.gauge('noctule_queries_waiting', 'Queries that wait for a place.', () => admission.waiting)

  return {
    async run({ response, timeoutMs, range }, query) {
      const startedMs = clock.monotonicMs()
      const outcome = await beforeDeadline({ clock, timeoutMs, signal: clientSignal(response) }, (signal) =>
        admission.run(signal, async () => {
          // Before the query: what arrives meanwhile can only make the answer better than stated.
          const judged = completeness.judge(range)
          return { judged, answer: await query(signal) }
        }),
      )
      return { ...outcome, tookMs: Math.round(clock.monotonicMs() - startedMs) }
    },
  }
}
