import { ServiceError } from '../../core/errors.ts'
import type { Clock, Store } from '../../core/ports.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { arrivals } from './arrivals.ts'
import type { Asking } from './ask.ts'
import { PATTERNS, planToDsl } from './dsl.ts'
import type { Patterns } from './dsl.ts'
import type { Elastic } from './elastic.ts'
import { explain } from './explain.ts'
import { exportPage } from './exporting.ts'
import { ElasticFailure, isMissing, toServiceError } from './failures.ts'
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
/** An index may be purged while it is searched; the whole question is then asked again. */
const AGAIN_MAX = 3
/** An index that has just been made answers nothing for some ms, and fails every question that might concern it. */
const STARTING_TRIES_MAX = 20
const STARTING_PAUSE_MS = 100

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
      for (let again = 0, starting = 0; ;) {
        const asked = await asking(signal)
        try {
          return await answer({ ...asked, patterns }, request)
        } catch (error) {
          const less: Patterns | null = isRefusal(error) ? lessThan(patterns, request.plan) : null
          const wasPurged = error instanceof ElasticFailure && isMissing(error) && ++again <= AGAIN_MAX
          const isStarting = less === null && isUnassigned(error) && ++starting <= STARTING_TRIES_MAX
          if (isStarting) await clock.sleep(STARTING_PAUSE_MS, signal)
          else if (less === null && !wasPurged) throw asFailure(error)
          patterns = less ?? patterns
        }
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

/** A shard is not there, or not yet. */
function isUnassigned(error: unknown): boolean {
  const types = ['search_phase_execution_exception', 'no_shard_available_action_exception']
  return error instanceof ElasticFailure && error.status === 503 && types.includes(error.type)
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
