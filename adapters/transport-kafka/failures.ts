import { asServiceError, messageOf, ServiceError, type Details, type FailureCode } from '../../core/errors.ts'
import type { KafkaConnection } from './types.ts'

const RETRY_AFTER_MS = 1_000
/** Somebody has to change something first. */
const REFUSED_RETRY_AFTER_MS = 10_000

/** OpenSSL's and Node's words for a certificate that the given authorities do not vouch for. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** What the client library's errors carry; each may have a cause of its own. */
interface LibraryError extends Error {
  readonly code?: unknown
  readonly type?: unknown
}

/** Any error of the client library as a failure of ours, with one clear line that names the cluster. */
export function toServiceError(error: unknown, connection: KafkaConnection): ServiceError {
  const known = asServiceError(error)
  if (known !== undefined) return known
  const { code, why } = explain(chainOf(error), connection)
  const brokers = connection.brokers.join(',')
  const wait =
    code === 'UNREACHABLE' || code === 'STORE_UNAVAILABLE' ? RETRY_AFTER_MS : REFUSED_RETRY_AFTER_MS
  const details: Details = { brokers, reason: rootMessage(error), retryAfterMs: wait }
  return new ServiceError(code, `Kafka at ${brokers}: ${why}`, details, error)
}

function explain(
  chain: readonly LibraryError[],
  { sasl }: KafkaConnection,
): { code: FailureCode; why: string } {
  const has = (test: (error: LibraryError) => boolean) => chain.find(test)
  const reason = chain.at(-1)?.message ?? 'unknown failure'
  if (
    has(
      ({ name, type }) => name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED',
    )
  ) {
    const who = sasl === null ? 'it asks for SASL' : `SASL ${sasl.mechanism} as ${sasl.username}`
    return { code: 'UNAUTHENTICATED', why: `the credentials are refused (${who}): ${reason}` }
  }
  const untrusted = has(({ code, message }) => UNTRUSTED.has(String(code)) || /certificate/i.test(message))
  if (untrusted !== undefined)
    return { code: 'UNREACHABLE', why: `its certificate is not trusted, see tls.ca: ${untrusted.message}` }
  const denied = has(({ type }) => String(type).endsWith('AUTHORIZATION_FAILED'))
  if (denied !== undefined) return { code: 'DENIED', why: denied.message }
  if (has(({ type }) => type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE'))
    return { code: 'BATCH_TOO_LARGE', why: 'a message is larger than the topic takes (max.message.bytes)' }
  // What the broker itself answered: it is there, but cannot do it now.
  const answered = has(({ type }) => typeof type === 'string')
  if (answered !== undefined)
    return { code: 'STORE_UNAVAILABLE', why: `${String(answered.type)}: ${answered.message}` }
  return { code: 'UNREACHABLE', why: `no answer: ${reason}` }
}

/** The error and its causes, outermost first. */
function chainOf(error: unknown): LibraryError[] {
  const chain: LibraryError[] = []
  for (let at = error; at instanceof Error && !chain.includes(at); at = at.cause) chain.push(at)
  // Several at once, as for the topics of one request.
  const several: unknown = (chain[0] as { errors?: unknown } | undefined)?.errors
  return Array.isArray(several) ? [...chain, ...several.flatMap(chainOf)] : chain
}

function rootMessage(error: unknown): string {
  return chainOf(error).at(-1)?.message ?? messageOf(error)
}
