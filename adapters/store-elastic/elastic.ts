import { ServiceError, messageOf } from '../../core/errors.ts'
import { ElasticFailure } from './failures.ts'

export interface ElasticRequest {
  readonly method: string
  /** Without the query; names in it are escaped by the caller. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>>
  /** Sent as JSON. */
  readonly body?: object
  /** Sent as it is, as NDJSON: the lines of a bulk. */
  readonly lines?: Buffer
  /** An abort closes the connection, which makes Elasticsearch cancel a search; the request rejects with its reason. */
  readonly signal?: AbortSignal | undefined
  /** Instead of the usual limit. */
  readonly timeoutMs?: number | undefined
}

/** All that the store needs of a client. Throws ElasticFailure, or the reason of the signal. */
export interface Elastic {
  request<T>(request: ElasticRequest): Promise<T>
}

/** How a request leaves this process: the outside client's own method, behind the types of this file. */
export type SendRequest = (
  params: {
    method: string
    path: string
    querystring: Record<string, string | number | boolean>
    body?: object
    bulkBody?: Buffer
  },
  options: { signal: AbortSignal; headers?: Record<string, string> },
) => Promise<unknown>

const NDJSON = 'application/vnd.elasticsearch+x-ndjson; compatible-with=9'
const JSON_TYPE = 'application/vnd.elasticsearch+json; compatible-with=9'

export function createElastic(
  send: SendRequest,
  { requestTimeoutMs }: { requestTimeoutMs: number },
): Elastic {
  return {
    async request<T>({ method, path, query, body, lines, signal, timeoutMs }: ElasticRequest): Promise<T> {
      signal?.throwIfAborted()
      // The client may fire events on the signal that it gets, so it gets one of its own.
      const timeout = AbortSignal.timeout(timeoutMs ?? requestTimeoutMs)
      const either = AbortSignal.any(signal === undefined ? [timeout] : [timeout, signal])
      const params = { method, path, querystring: { ...query } }
      const content = lines === undefined ? (body === undefined ? {} : { body }) : { bulkBody: lines }
      const headers = lines === undefined ? {} : { headers: { 'content-type': NDJSON, accept: JSON_TYPE } }
      try {
        return (await send({ ...params, ...content }, { signal: either, ...headers })) as T
      } catch (error) {
        signal?.throwIfAborted()
        if (timeout.aborted)
          throw new ElasticFailure(0, 'timeout', `no answer to ${method} ${path} in time`, error)
        throw failureOf(error)
      }
    },
  }
}

/** A failed answer as the client reports it, looked at without its classes. */
interface ClientError extends Error {
  readonly meta?: { readonly statusCode?: number | null; readonly body?: unknown }
}

function failureOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, meta } = error as ClientError
  if (name === 'ResponseError') return responseFailure(meta?.statusCode ?? 0, meta?.body, error)
  if (name === 'ProductNotSupportedError')
    return new ServiceError('BAD_CONFIG', 'what answers there is no Elasticsearch', {}, error)
  if (name === 'DeserializationError') return new ElasticFailure(0, 'unreadable', messageOf(error), error)
  if (name === 'ConnectionError' || name === 'TimeoutError' || name === 'NoLivingConnectionsError')
    return new ElasticFailure(0, 'unreachable', messageOf(error), error)
  return error
}

function responseFailure(status: number, body: unknown, cause: Error): ElasticFailure {
  const { error } = (typeof body === 'object' && body !== null ? body : {}) as { error?: unknown }
  if (typeof error !== 'object' || error === null)
    return new ElasticFailure(status, status === 404 ? 'not_found' : 'failed', String(error ?? body), cause)
  const { type, reason, root_cause: roots, caused_by: causedBy } = error as Described
  const root = roots?.[0] ?? causedBy
  const outer = reason ?? ''
  const inner = root?.reason === undefined || root.reason === outer ? '' : `: ${root.reason}`
  return new ElasticFailure(status, type ?? 'failed', outer + inner, cause)
}

interface Described {
  readonly type?: string
  readonly reason?: string
  readonly root_cause?: readonly Described[]
  readonly caused_by?: Described
}
