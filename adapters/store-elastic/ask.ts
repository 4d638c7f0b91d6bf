import { ServiceError } from '../../core/errors.ts'
import type { TimeRange } from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import type { LogRecord } from '../../core/record.ts'
import { recordOf } from './documents.ts'
import type { DocumentSource } from './documents.ts'
import { NONE, allOf, anyOf, not, timeRange } from './dsl.ts'
import type { Condition, Dsl, Patterns } from './dsl.ts'
import type { Elastic } from './elastic.ts'

/** One query that is being answered. */
export interface Asking {
  readonly elastic: Elastic
  /** Pattern of the indices with records. */
  readonly logs: string
  /** Indices that are due to be purged: nothing in them is shown. */
  readonly hidden: readonly string[]
  readonly patterns: Patterns
  /** Different numbers, of all buckets together, that are read to find quantiles exactly; beyond they come from sketches. */
  readonly numbersMax: number
  readonly signal: AbortSignal
}

/** A search as Elasticsearch answers it, without what nobody reads. */
export interface Answer {
  readonly hits: readonly Hit[]
  /** Only with `track_total_hits`. */
  readonly total: number
  readonly aggregations: Readonly<Record<string, unknown>>
}

interface Hit {
  readonly _source?: DocumentSource
  readonly sort: readonly unknown[]
}

export type Ask = (body: object) => Promise<Answer>

/** A moment that somebody forgot is closed after this; it is never a limit for a query, as each request renews it. */
const KEEP_ALIVE = '2m'
const CLOSE_TIMEOUT_MS = 5_000
const READ = '_shards,timed_out,pit_id,hits.total,hits.hits._source,hits.hits.sort,aggregations'
/** Records of the first page of a listing; while pages are small, each is so many times larger than the one before. */
const PAGE_RECORDS = 1_000
const PAGE_GROWTH = 4
const PAGE_RECORDS_MAX = 8_000
/** Texts of one page, roughly: it is held in memory here and there. */
const PAGE_CHARS_MAX = 8 << 20

interface SearchResponse {
  readonly timed_out: boolean
  readonly _shards: { readonly failed: number }
  readonly pit_id?: string
  readonly hits?: { readonly total?: { readonly value: number }; readonly hits?: readonly Hit[] }
  readonly aggregations?: Readonly<Record<string, unknown>>
}

/** For a question that takes one request. */
export function askOnce({ elastic, logs, signal }: Asking): Ask {
  const path = `/${encodeURIComponent(logs)}/_search`
  return async (body) =>
    readAnswer(
      await elastic.request<SearchResponse>({
        method: 'POST',
        path,
        query: { allow_partial_search_results: false, filter_path: READ },
        body,
        signal,
      }),
    )
}

/** For a question that takes more: all of them are answered from one moment. */
export async function atOneMoment<T>(
  asking: Pick<Asking, 'elastic' | 'logs' | 'signal'>,
  run: (ask: Ask) => Promise<T>,
): Promise<T> {
  const { elastic, logs, signal } = asking
  const path = `/${encodeURIComponent(logs)}/_pit`
  const query = { keep_alive: KEEP_ALIVE }
  let { id } = await elastic.request<{ id: string }>({ method: 'POST', path, query, signal })
  try {
    return await run(async (body) => {
      const answer = await elastic.request<SearchResponse>({
        method: 'POST',
        path: '/_search',
        query: { allow_partial_search_results: false, filter_path: READ },
        body: { ...body, pit: { id, keep_alive: KEEP_ALIVE } },
        signal,
      })
      id = answer.pit_id ?? id
      return readAnswer(answer)
    })
  } finally {
    closeMoment(elastic, id)
  }
}

/** Nobody waits for it: a moment that cannot be closed ends by itself. */
function closeMoment(elastic: Elastic, id: string): void {
  const closing = { method: 'DELETE', path: '/_pit', body: { id }, timeoutMs: CLOSE_TIMEOUT_MS }
  elastic.request(closing).catch(() => undefined)
}

/** A short answer is no answer. */
function readAnswer(response: SearchResponse): Answer {
  const { timed_out: timedOut, _shards: shards, hits, aggregations } = response
  if (timedOut || shards.failed > 0)
    throw new ServiceError('STORE_UNAVAILABLE', 'a part of Elasticsearch did not answer', {
      failedShards: shards.failed,
    })
  return { hits: hits?.hits ?? [], total: hits?.total?.value ?? 0, aggregations: aggregations ?? {} }
}

/** Different values, or numbers, of records that are looked at one by one: they are held in memory. */
export const BESIDE_MAX = 1_000_000

export function tooManyBeside(what: string): ServiceError {
  const message = `too many ${what} would have to be looked at one by one; ask for a shorter range`
  return new ServiceError('QUERY_TOO_BROAD', message, { max: BESIDE_MAX })
}

/** What may be looked at by a query with this range. */
export function visible({ hidden }: Pick<Asking, 'hidden'>, range?: TimeRange): Dsl {
  const shown = hidden.length === 0 ? [] : [not({ terms: { _index: hidden } })]
  return allOf([...(range === undefined ? [] : [timeRange(range)]), ...shown])
}

/** What Elasticsearch decides alone. `beside`: records that are looked at here for another reason. */
export function decidedBy({ possible, maybe }: Condition, beside: Dsl = NONE): Dsl {
  return allOf([possible, not(anyOf([...maybe, beside]))])
}

/** The rest of what may be found: the two have nothing in common. */
export function undecidedBy({ possible, maybe }: Condition, beside: Dsl = NONE): Dsl {
  return allOf([possible, anyOf([...maybe, beside])])
}

export interface Listing {
  readonly query: Dsl
  readonly sort: readonly object[]
  readonly after?: readonly unknown[] | undefined
  /** Records of the first page, when that is less than usual. */
  readonly firstMax?: number
}

export interface Listed {
  readonly record: LogRecord
  readonly source: DocumentSource
}

/** Every record that a query finds, in pages. */
export async function* pagesOf(
  ask: Ask,
  { query, sort, after, firstMax }: Listing,
): AsyncGenerator<Listed[]> {
  let size = Math.min(PAGE_RECORDS, firstMax ?? PAGE_RECORDS)
  for (let cursor = after; ;) {
    const body = { query, sort, size, track_total_hits: false }
    const { hits } = await ask(cursor === undefined ? body : { ...body, search_after: cursor })
    const page = hits.map(({ _source: source = {} }) => ({ source, record: recordOf(source) }))
    if (page.length > 0) yield page
    if (hits.length < size) return
    cursor = hits.at(-1)?.sort
    size = nextSize(page)
  }
}

/** So many as will not be too much, if they are like the ones before. */
function nextSize(page: readonly Listed[]): number {
  const chars = page.reduce((sum, { record }) => sum + charsOf(record), 0)
  const fitting = Math.floor((PAGE_CHARS_MAX * page.length) / (chars + 1))
  return Math.max(1, Math.min(Math.max(page.length, 50) * PAGE_GROWTH, PAGE_RECORDS_MAX, fitting))
}

function charsOf({ message, attrs }: LogRecord): number {
  let chars = message.length + 200
  for (const value of Object.values(attrs)) chars += typeof value === 'string' ? value.length : 50
  return chars
}

/** The records of a query that the matcher finds, at one moment. */
export async function* matchesAmong(ask: Ask, plan: QueryPlan, query: Dsl): AsyncGenerator<LogRecord> {
  if (query === NONE) return
  const matches = compileMatcher(plan)
  for await (const page of pagesOf(ask, { query, sort: [{ _shard_doc: 'asc' }] }))
    for (const { record } of page) if (matches(record)) yield record
}
