import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { z } from 'zod'
import { dataPaths } from '../core/config.ts'
import type { Config } from '../core/config.ts'
import { ServiceError, failureTable, messageOf } from '../core/errors.ts'
import type { FailureCode } from '../core/errors.ts'
import { loadConfig } from './config.ts'
import type { Terminal } from './terminal.ts'

export interface ConnectionOptions {
  readonly url?: string
  readonly token?: string
  readonly config?: string
}

export type Parameters = Readonly<Record<string, string | undefined>>

/** The query API of one node. Every failure is a ServiceError: what the node said, or UNREACHABLE. */
export interface Client {
  readonly url: string
  /** JSON answer of a GET. */
  get(path: string, parameters: Parameters, signal: AbortSignal): Promise<unknown>
  /** Changes something; there is nothing to answer. */
  act(method: 'POST' | 'DELETE', path: string, signal: AbortSignal): Promise<void>
  /** An answer whose body is still to be read. */
  open(path: string, request: OpenRequest): Promise<Response>
}

interface OpenRequest {
  readonly parameters?: Parameters
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: ReadableStream
  readonly signal: AbortSignal
}

const problemSchema = z.looseObject({
  code: z.string(),
  detail: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
})
/** Longer than the longest deadline that a node grants a query. */
const ANSWER_MS_MAX = 75_000
const CODES: ReadonlySet<string> = new Set(failureTable().map(({ code }) => code))
/** For a code that this version does not know, and for answers without one. */
const CODE_OF_STATUS: Readonly<Record<number, FailureCode>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'DENIED',
  404: 'NOT_FOUND',
  413: 'BATCH_TOO_LARGE',
  429: 'OVERLOADED',
  503: 'STORE_UNAVAILABLE',
  504: 'DEADLINE',
}

/** Where to ask and as whom: options, then NOCTULE_URL and NOCTULE_TOKEN, then the configuration and data directory of this host. */
export function connect(options: ConnectionOptions, { environment }: Terminal): Client {
  const givenUrl = options.url ?? environment['NOCTULE_URL']
  const givenToken = options.token ?? environment['NOCTULE_TOKEN']
  // Somebody who names both needs no configuration, and is not stopped by a wrong one.
  const config =
    givenUrl !== undefined && givenToken !== undefined ? null : loadConfig(options.config, environment)
  const url = givenUrl === undefined ? urlOf(config) : checkedUrl(givenUrl)
  return createClient(url, givenToken ?? localToken(config, url))
}

function createClient(url: string, token: string | null): Client {
  async function open(path: string, request: OpenRequest): Promise<Response> {
    const { parameters = {}, method = 'GET', headers = {}, body, signal } = request
    const target = new URL(url.replace(/\/$/, '') + path)
    for (const [name, value] of Object.entries(parameters))
      if (value !== undefined) target.searchParams.set(name, value)
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
    const init = { method, headers: { ...authorization, ...headers }, signal }
    const response = await reach(url, () =>
      fetch(target, body === undefined ? init : { ...init, body, duplex: 'half' }),
    )
    if (response.ok) return response
    throw await failureOf(url, response)
  }
  return {
    url,
    open,
    async act(method, path, signal) {
      const response = await open(path, { method, signal: inTime(signal) })
      await response.body?.cancel()
    },
    async get(path, parameters, signal) {
      const response = await open(path, { parameters, signal: inTime(signal) })
      const text = await reach(url, () => response.text())
      return parseJson(text) ?? fail('UNREACHABLE', `${url} does not answer as Noctule does`)
    },
  }
}

function inTime(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)])
}

/** Turns every failure of the network into UNREACHABLE with what to do about it. */
export async function reach<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw unreachable(url, error)
  }
}

/** UNREACHABLE, from what the network said. */
export function unreachable(url: string, error: unknown): ServiceError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const refused = cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
  const message = refused
    ? `nothing listens on ${url}; is it running? start it with "npm start", or set NOCTULE_URL`
    : `cannot reach ${url}: ${messageOf(cause)}`
  return new ServiceError('UNREACHABLE', message, {}, error)
}

async function failureOf(url: string, response: Response): Promise<ServiceError> {
  const text = await reach(url, () => response.text())
  const problem = problemSchema.safeParse(parseJson(text)).data
  return toFailure(response.status, problem, response.headers.get('retry-after'))
}

/** A problem as the API writes it → the failure it stands for. */
export function toFailure(
  status: number,
  problem: z.infer<typeof problemSchema> | undefined,
  retryAfter: string | null = null,
): ServiceError {
  const known = problem !== undefined && CODES.has(problem.code) ? (problem.code as FailureCode) : undefined
  const code = known ?? CODE_OF_STATUS[status] ?? 'UNREACHABLE'
  const again = retryAfter === null ? '' : `; try again in ${retryAfter} s`
  const help = code === 'UNAUTHENTICATED' ? '; set NOCTULE_TOKEN' : ''
  const detail = problem?.detail ?? `the server answered with status ${status}`
  return new ServiceError(code, detail + again + help, problem?.details ?? {})
}

export function parseProblem(value: unknown): z.infer<typeof problemSchema> | undefined {
  return problemSchema.safeParse(value).data
}

/** undefined: it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function checkedUrl(text: string): string {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text
  return fail(
    'BAD_REQUEST',
    `found "${text}" as the URL of the node; expected http://host:port or https://host`,
  )
}

function urlOf(config: Config | null): string {
  const { host, port } = config?.http ?? { host: '', port: 0 }
  if (port === 0) return fail('BAD_REQUEST', 'http.port is 0, so any port may be in use; set NOCTULE_URL')
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`
}

/** The admin token of this host's data directory. */
function localToken(config: Config | null, url: string): string | null {
  if (config === null || !isThisHost(url, config.http.host)) return null
  try {
    return readFileSync(dataPaths(config).adminToken, 'utf8').trim()
  } catch {
    return null // Not our data directory: the node will say what it wants.
  }
}

/** Only there is the admin token of the data directory sent: never to a host that NOCTULE_URL happens to name. */
export function isThisHost(url: string, httpHost: string): boolean {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
  const isLoopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  return isLoopback || host === httpHost
}

function fail(code: FailureCode, message: string): never {
  throw new ServiceError(code, message)
}
