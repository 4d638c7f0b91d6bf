import { ServiceError } from '../../core/errors.ts'
import type { Clock, Store } from '../../core/ports.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { arrivals } from './arrivals.ts'
import type { Asking } from './ask.ts'
import { askedAgain } from './asked-again.ts'
import { PATTERNS, planToDsl } from './dsl.ts'
import type { Patterns } from './dsl.ts'
import type { Elastic } from './elastic.ts'
import { explain } from './explain.ts'
import { exportPage } from './exporting.ts'
import { ElasticFailure, toServiceError } from './failures.ts'
import { histogram } from './histogram.ts'
import type { Names } from './names.ts'
import { search } from './search.ts'
import { top } from './top.ts'

/** The part of a store that answers queries. Throws ServiceErrors, or the reason of the signal. */
export type ElasticQueries = Pick<
  Store,
  'search' | 'exportPage' | 'histogram' | 'top' | 'explain' | 'arrivals'
>

export interface ElasticQueriesOptions {
  readonly elastic: Elastic
  readonly names: Names
  /** Nothing that is stored later gets an arrival position below it. */
  readonly horizon: () => number | Promise<number>
  /** Indices that are due to be purged, but still there: nothing in them is shown. */
  readonly hidden?: () => readonly string[] | Promise<readonly string[]>
  readonly clock: Clock
  /** Different numbers of one histogram that quantiles are found of exactly. */
  readonly quantileNumbersMax?: number
}

const QUANTILE_NUMBERS_MAX = 100_000

export function createElasticQueries(options: ElasticQueriesOptions): ElasticQueries {
  const { elastic, names, clock, horizon, hidden = () => [] } = options
  const { quantileNumbersMax = QUANTILE_NUMBERS_MAX } = options

  async function asking(signal: AbortSignal): Promise<Asking> {
    signal.throwIfAborted()
    return {
      elastic,
      logs: names.all,
      hidden: await hidden(),
      patterns: PATTERNS[0],
      numbersMax: quantileNumbersMax,
      signal,
    }
  }

  function answering<Request extends { readonly plan: QueryPlan }, Answer>(
    answer: (asking: Asking, request: Request) => Promise<Answer>,
  ): (request: Request, signal: AbortSignal) => Promise<Answer> {
    return async (request, signal) => {
      let patterns: Patterns = PATTERNS[0]
      try {
        return await askedAgain({ clock, signal }, async () => {
          for (;;) {
            try {
              return await answer({ ...(await asking(signal)), patterns }, request)
            } catch (error) {
              const less: Patterns | null = isRefusal(error) ? lessThan(patterns, request.plan) : null
              if (less === null) throw error
              patterns = less
            }
          }
        })
      } catch (error) {
        throw asFailure(error)
      }
    }
  }

  return {
    search: answering(search),
    exportPage: answering(exportPage),
    histogram: answering(histogram),
    top: answering(top),
    explain: answering((asked, request) => explain(asked, request, names)),
    arrivals: answering(async (asked, request) => arrivals(asked, request, await horizon())),
  }
}

/** Elasticsearch says in many ways, and as a fault of its own, that a pattern is too much for it. */
function isRefusal(error: unknown): boolean {
  return error instanceof ElasticFailure && (error.status === 400 || error.status === 500)
}

/** Another way to ask for the same; null: there is none. */
function lessThan(patterns: Patterns, plan: QueryPlan): Patterns | null {
  const asked = (one: Patterns) => JSON.stringify(planToDsl(plan, one))
  const others = PATTERNS.slice(PATTERNS.indexOf(patterns) + 1)
  return others.find((other) => asked(other) !== asked(patterns)) ?? null
}

function asFailure(error: unknown): unknown {
  if (isRefusal(error) && /too many (?:nested )?clauses/i.test(String(error)))
    return new ServiceError(
      'QUERY_TOO_BROAD',
      'the query has more clauses than Elasticsearch allows',
      { expected: 'fewer words, or a larger indices.query.bool.max_clause_count' },
      error,
    )
  return toServiceError(error)
}
