import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { publicCompleteness, summarise } from '../core/answer.ts'
import type { AnswerMeta, SiteAnswer } from '../core/answer.ts'
import { withPurged } from '../core/ledger/purged.ts'
import type { SiteCompleteness } from '../core/ledger/types.ts'
import type { TimeRange } from '../core/ports.ts'
import type { QueryPlan } from '../core/query/plan.ts'
import type { LogRecord } from '../core/record.ts'
import { createAdmission } from './admission.ts'
import { beforeDeadline, clientSignal } from './client.ts'
import { askedSites, iso } from './questions.ts'
import { createRunningQueries } from './running.ts'
import type { QueryKind, RunningQueries } from './running.ts'
import type { Services } from './services.ts'

/** Who asks, and where the answer goes. */
interface Caller {
  readonly request: Pick<FastifyRequest, 'principal'>
  readonly reply: { readonly raw: ServerResponse; header(name: string, value: string): unknown }
}

interface Asking extends Caller {
  readonly kind: QueryKind
  readonly text: string
  readonly plan: QueryPlan
  readonly range: TimeRange
  readonly timeoutMs: number
  /** Finds the part of the range that the answer is about, when it takes a look into the store to know it. */
  readonly narrow?: (signal: AbortSignal) => Promise<TimeRange>
}

/** For an answer that is not about records: what is missing from it, given the ledger's word. */
interface Missing<T> {
  readonly missing?: (judged: SiteCompleteness, answer: T) => SiteCompleteness
}

/** What an answer came to, for its envelope. */
interface Counts {
  readonly scanned: number
  readonly returned: number
  /** How many of them are of each site, where that is known. */
  readonly returnedOf?: Readonly<Record<string, number>>
  /** Where the next page starts; absent: there is none. */
  readonly cursor?: string | undefined
}

interface Outcome<T> {
  readonly answer: T
  readonly range: TimeRange
  /** The envelope of the answer. */
  readonly meta: (counts: Counts) => AnswerMeta
}

/** A query that lasts: it is listed and can be cancelled, and has no deadline. */
interface LastingQuery {
  /** Aborts with CANCELLED when the client goes away or somebody cancels it. */
  readonly signal: AbortSignal
  close(): void
}

interface OpenQuery extends LastingQuery {
  /** The envelope of everything that was read since it was opened. */
  meta(counts: Counts): Promise<AnswerMeta>
}

/** Runs queries under the node's bounds: so many at once, each with a deadline, none for a client that has gone. */
export interface Queries {
  readonly running: RunningQueries
  run<T>(
    asking: Asking & Missing<T>,
    query: (signal: AbortSignal, range: TimeRange) => Promise<T>,
  ): Promise<Outcome<T>>
  /** For an answer of many pages. */
  open(asking: Omit<Asking, 'timeoutMs' | 'narrow'>): OpenQuery
  /** For a stream without an end. */
  follow(asking: Pick<Asking, 'kind' | 'text' | 'request' | 'reply'>): LastingQuery
}

type Listing = Pick<Asking, 'kind' | 'text' | 'request' | 'reply'> & { readonly range: TimeRange | null }
type Needs = Pick<Services, 'clock' | 'completeness' | 'config' | 'holds' | 'metrics' | 'site' | 'store'>

/** The ledger's word on each site that is asked. */
type Judged = ReadonlyMap<string, SiteCompleteness>

export function createQueries(needs: Needs): Queries {
  const { clock, config, metrics, site } = needs
  const admission = createAdmission(config.query)
  const running = createRunningQueries(clock)
  metrics.gauge('noctule_queries_running', 'Queries that run now.', () => admission.running)
  metrics.gauge('noctule_queries_waiting', 'Queries that wait for a place.', () => admission.waiting)

  function list({ kind, text, range, request, reply }: Listing) {
    const listed = running.enter({ kind, text, range, user: request.principal?.name ?? '' })
    reply.header('x-query-id', listed.id)
    return { ...listed, signal: AbortSignal.any([clientSignal(reply.raw), listed.cancelled]) }
  }

  /** What the envelope takes from the time when the query was asked. */
  function stopwatch(id: string, { text }: Pick<Asking, 'text'>) {
    const startedMs = clock.monotonicMs()
    return (range: TimeRange, judged: Judged, counts: Counts) => {
      const tookMs = Math.round(clock.monotonicMs() - startedMs)
      return metaOf({ id, text, range, site, tookMs, judged, ...counts })
    }
  }

  return {
    running,
    async run(asking, query) {
      const { plan, timeoutMs, narrow, missing } = asking
      const listed = list(asking)
      const meta = stopwatch(listed.id, asking)
      try {
        return await beforeDeadline({ clock, timeoutMs, signal: listed.signal }, (signal) =>
          admission.run(signal, async () => {
            listed.start()
            const range = narrow === undefined ? asking.range : await narrow(signal)
            const ledger = ledgerOf(needs, { plan, range })
            const answer = await query(signal, range)
            const judged =
              missing === undefined
                ? await withPurges(needs, { plan, range, ledger })
                : new Map([...ledger].map(([name, of]) => [name, missing(of, answer)]))
            return { answer, range, meta: (counts) => meta(range, judged, counts) }
          }),
        )
      } finally {
        listed.leave()
      }
    },
    open(asking) {
      const { range, plan } = asking
      const { id, signal, start, leave } = list(asking)
      const meta = stopwatch(id, asking)
      const judge = judging(needs, { plan, range })
      start()
      return { signal, meta: async (counts) => meta(range, await judge(), counts), close: leave }
    },
    follow(asking) {
      const { signal, start, leave } = list({ ...asking, range: null })
      start()
      return { signal, close: leave }
    },
  }
}

/**
 * What is missing from everything that is read between this call and the call of what it returns, for each site that the store
 * holds and the plan may find records of. The ledger speaks from before the reading and the purges from after it, so that
 * neither can call an answer complete that is not.
 */
export function judging(
  needs: Pick<Services, 'completeness' | 'holds' | 'store'>,
  question: Judging,
): () => Promise<Judged> {
  const ledger = ledgerOf(needs, question)
  return () => withPurges(needs, { ...question, ledger })
}

interface Judging {
  readonly plan: QueryPlan
  readonly range: TimeRange
}

function ledgerOf(
  { completeness, holds }: Pick<Services, 'completeness' | 'holds'>,
  { plan, range }: Judging,
): Judged {
  return new Map(askedSites(plan, holds).map((site) => [site, completeness.judge(range, site)]))
}

async function withPurges(
  { store }: Pick<Services, 'store'>,
  { plan, range, ledger }: Judging & { readonly ledger: Judged },
): Promise<Judged> {
  const purged = await store.purged({ plan, range })
  const ofSite = (site: string) => purged.filter((one) => one.site === undefined || one.site === site)
  return new Map([...ledger].map(([site, of]) => [site, withPurged(of, ofSite(site), range)]))
}

interface Answered extends Counts {
  readonly id: string
  readonly text: string
  readonly range: TimeRange
  /** The site of this node. */
  readonly site: string
  readonly tookMs: number
  readonly judged: Judged
}

/** The envelope of an answer out of our own store. A question about no site that it holds is never complete. */
function metaOf(answered: Answered): AnswerMeta {
  const { id, text, range, tookMs, scanned, returned, judged, cursor } = answered
  return summarise({
    id,
    query: text,
    from: iso(range.fromMs),
    to: iso(range.toMs),
    tookMs,
    scanned,
    returned,
    truncated: cursor !== undefined,
    ...(cursor === undefined ? {} : { cursor }),
    sites: Object.fromEntries([...judged].map(([site, of]) => [site, siteAnswer(site, of, answered)])),
  })
}

function siteAnswer(site: string, judged: SiteCompleteness, answered: Answered): SiteAnswer {
  const { site: holder, tookMs, returned, returnedOf } = answered
  const known = answered.judged.size === 1 ? returned : returnedOf && (returnedOf[site] ?? 0)
  const share = known === undefined ? {} : { returned: known }
  return { status: 'ok', holder, tookMs, ...share, ...publicCompleteness(judged) }
}

/** How many records are of each site. */
export function countBySite(records: readonly Pick<LogRecord, 'site'>[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { site } of records) counts[site] = (counts[site] ?? 0) + 1
  return counts
}
