import { ServiceError, messageOf } from '../../core/errors.ts'
import type { FailureCode } from '../../core/errors.ts'

/** What Elasticsearch, or the way to it, answered instead of a result. */
export class ElasticFailure extends Error {
  override readonly name = 'ElasticFailure'
  /** HTTP status; 0: nothing answered. */
  readonly status: number
  /** As Elasticsearch names it (`index_not_found_exception`); `unreachable` and `timeout` when nothing answered. */
  readonly type: string
  readonly reason: string

  constructor(status: number, type: string, reason: string, cause?: unknown) {
    super(
      `${type}${status === 0 ? '' : ` (${status})`}: ${reason}`,
      cause === undefined ? undefined : { cause },
    )
    this.status = status
    this.type = type
    this.reason = reason
  }
}

/** What a caller is told to wait before it tries again. */
const RETRY_AFTER_MS = 1_000
/** Statuses of a node or shard that cannot answer now. */
const UNAVAILABLE = new Set([0, 401, 403, 408, 502, 503, 504])

/** Is it worth to try the same again a little later? */
export function isPassing({ status, type }: Pick<ElasticFailure, 'status' | 'type'>): boolean {
  return isOverload(status) || UNAVAILABLE.has(status) || isFull({ type })
}

export function isOverload(status: number): boolean {
  return status === 429
}

/** An index or the alias that leads to it is not there. */
export function isMissing({ status, type }: Pick<ElasticFailure, 'status' | 'type'>): boolean {
  return status === 404 && (type === 'index_not_found_exception' || type === 'not_found')
}

/** The cluster takes no more shards. */
function isFull({ type }: Pick<ElasticFailure, 'type'>): boolean {
  return type === 'validation_exception'
}

/** As the ports want it. What is no failure of Elasticsearch comes back as it is. */
export function toServiceError(error: unknown): unknown {
  if (!(error instanceof ElasticFailure)) return error
  const { status, type, reason } = error
  const details = { elasticsearch: type, reason: reason.slice(0, 500) }
  const failure = (code: FailureCode, message: string, more = {}) =>
    new ServiceError(code, message, { ...details, ...more }, error)
  const later = { retryAfterMs: RETRY_AFTER_MS }
  if (isOverload(status) && type !== 'cluster_block_exception')
    return failure('OVERLOADED', 'Elasticsearch has too much to do', later)
  if (type === 'too_many_nested_clauses' || type === 'too_many_clauses')
    return failure('QUERY_TOO_BROAD', 'the query would cost more than Elasticsearch allows')
  return failure('STORE_UNAVAILABLE', `Elasticsearch cannot take or answer this: ${messageOf(error)}`, later)
}
