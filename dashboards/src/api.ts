/** What the query API answers, as this page reads it, and the calls it makes. */

export interface ApiGap {
  readonly reason: string
  readonly from: string
  readonly to: string
  readonly collector?: string
  readonly host?: string
  readonly records?: number
  readonly detail?: string
}

export interface ApiCompleteness {
  readonly complete: boolean
  readonly completeTo: string | null
  readonly gaps: readonly ApiGap[]
  readonly gapsTotal: number
}

export interface SiteAnswer extends ApiCompleteness {
  readonly status: string
  readonly tookMs: number
  readonly returned: number
  readonly error?: string
}

export interface AnswerMeta {
  readonly query: string
  readonly from: string
  readonly to: string
  readonly tookMs: number
  readonly scanned: number
  readonly returned: number
  readonly truncated: boolean
  readonly cursor?: string
  readonly complete: boolean
  readonly completeTo: string | null
  readonly sites: Readonly<Record<string, SiteAnswer>>
}

export interface LogRecord {
  readonly id: string
  readonly time: string
  readonly message?: string
  readonly level?: string
  readonly service?: string
  readonly host?: string
  readonly attrs?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export interface SearchAnswer {
  readonly records: readonly LogRecord[]
  readonly meta: AnswerMeta
}

export interface HistogramBucket {
  readonly start: string
  readonly total: number
  readonly by?: Readonly<Record<string, number>>
}

export interface HistogramAnswer {
  readonly intervalMs: number
  readonly buckets: readonly HistogramBucket[]
  readonly meta: AnswerMeta
}

/** The word of the ledger that a tail sends about once a second. */
export interface TailMeta extends ApiCompleteness {
  readonly position?: string
}

export interface Session {
  readonly name: string
  readonly role: string
}

export interface Question {
  readonly q: string
  readonly from: string
  readonly to: string
}

/** Says `end` when the server answers 401, whatever was asked: hooks/use-session.ts listens. */
export const sessionEnds = new EventTarget()

/** The server gives up after 5 s; a connection that says nothing for this long is dead. */
const ANSWER_TIMEOUT_MS = 30_000

/** A refusal or failure that a person can read. `status` 0: nobody answered. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly code: string
  readonly retryable: boolean
  /** 1-based place in the query, for syntax errors. */
  readonly column: number | null
  /** Seconds that the server asks to wait. */
  readonly retryAfterS: number | null

  constructor(facts: {
    status: number
    code: string
    detail: string
    retryable?: boolean
    column?: number | null
    retryAfterS?: number | null
  }) {
    super(facts.detail)
    this.status = facts.status
    this.code = facts.code
    this.retryable = facts.retryable ?? false
    this.column = facts.column ?? null
    this.retryAfterS = facts.retryAfterS ?? null
  }
}

export function search(question: Question & { limit: number; cursor?: string }, signal: AbortSignal) {
  return call<SearchAnswer>('GET', `/v1/search?${parameters(question)}`, { signal })
}

export function histogram(question: Question & { by: string }, signal: AbortSignal) {
  return call<HistogramAnswer>('GET', `/v1/histogram?${parameters(question)}`, { signal })
}

export function currentSession(signal: AbortSignal) {
  return call<Session>('GET', '/v1/session', { signal })
}

export function signIn(code: string, signal: AbortSignal) {
  return call<Session>('POST', '/v1/session', { signal, body: { code } })
}

export async function signOut(signal: AbortSignal): Promise<void> {
  await fetch('/v1/session', { method: 'DELETE', signal })
}

/** The body of a tail; resumes after `lastEventId` when it is given. */
export async function openTail(
  q: string,
  lastEventId: string | null,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const headers: Record<string, string> = { accept: 'text/event-stream' }
  if (lastEventId !== null) headers['last-event-id'] = lastEventId
  const response = await send(`/v1/tail?${parameters({ q })}`, { headers, signal, cache: 'no-store' })
  if (response.body === null) throw unreachable()
  return response.body
}

/** As a query string; what is undefined is left out, and a list becomes several. */
export /** A query string; what is undefined is left out. */
function parameters(values: object): string {
  const out = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (Array.isArray(value)) for (const one of value) out.append(name, String(one))
    else if (value !== undefined) out.set(name, String(value))
  }
  return out.toString()
}

/** One question to the query API. Throws a Problem, or an AbortError when `signal` aborts. */
export /** Asks for JSON. Throws a Problem when it is refused or nobody answers. */
async function call<Answer>(
  method: string,
  path: string,
  { signal, body }: { signal: AbortSignal; body?: object },
): Promise<Answer> {
  const deadline = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
  const init: RequestInit = { method, signal: AbortSignal.any([signal, deadline]) }
  if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers = { 'content-type': 'application/json' }
  }
  const response = await send(path, init)
  try {
    return (await response.json()) as Answer
  } catch (error) {
    if (signal.aborted && isAbort(error)) throw error
    throw unreachable()
  }
}

/** Asks for a stream. Throws a Problem when it is refused or nobody answers. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(path, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw unreachable()
  }
  if (response.ok) return response
  if (response.status === 401 && path !== '/v1/session') sessionEnds.dispatchEvent(new Event('end'))
  throw await problemOf(response)
}

function unreachable(): Problem {
  return new Problem({
    status: 0,
    code: 'UNREACHABLE',
    detail: 'Noctule does not answer. The network or the server may be down.',
    retryable: true,
  })
}

interface ProblemBody {
  readonly code?: string
  readonly title?: string
  readonly detail?: string
  readonly retryable?: boolean
  readonly column?: number
  readonly details?: { readonly column?: number }
}

async function problemOf(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as ProblemBody
  const retryAfterS = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new Problem({
    status: response.status,
    code: body.code ?? `HTTP ${response.status}`,
    detail: body.detail ?? body.title ?? `The server answered with status ${response.status}.`,
    retryable: body.retryable ?? response.status >= 500,
    column: body.column ?? body.details?.column ?? null,
    retryAfterS: Number.isFinite(retryAfterS) ? retryAfterS : null,
  })
}

/** True for what an AbortController threw: nobody is waiting for it any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

/** Anything thrown, as a problem to show. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new Problem({ status: 0, code: 'UNEXPECTED', detail, retryable: true })
}
