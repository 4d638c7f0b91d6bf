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

interface Explained {
  readonly code: FailureCode
  readonly why: string
}

function explain(chain: readonly LibraryError[], connection: KafkaConnection): Explained {
  for (const rule of RULES) {
    for (const error of chain) {
      const explained = rule(error, connection)
      if (explained !== null) return explained
    }
  }
  return { code: 'UNREACHABLE', why: `no answer: ${chain.at(-1)?.message ?? 'unknown failure'}` }
}

/** The first rule that knows one of the errors tells what is wrong. */
const RULES: readonly ((error: LibraryError, connection: KafkaConnection) => Explained | null)[] = [
  ({ name, type, message }, { sasl }) => {
    if (name !== 'KafkaJSSASLAuthenticationError' && !/SASL/.test(String(type))) return null
    const who = sasl === null ? 'it asks for SASL' : `SASL ${sasl.mechanism} as ${sasl.username}`
    return { code: 'UNAUTHENTICATED', why: `the credentials are refused (${who}): ${message}` }
  },
  ({ code }) => {
    if (!/ALERT.*(CERTIFICATE|CA$)/.test(String(code))) return null
    const what = String(code).endsWith('REQUIRED')
      ? 'it asks for a client certificate'
      : 'it does not accept our certificate'
    return { code: 'UNREACHABLE', why: `${what}, see tls.cert and tls.key` }
  },
  ({ code, message }) => {
    if (!UNTRUSTED.has(String(code))) return null
    return {
      code: 'UNREACHABLE',
      why: `its certificate is not trusted, see tls.ca: ${message.split(';')[0]}`,
    }
  },
  ({ type, message }) =>
    String(type).endsWith('AUTHORIZATION_FAILED') ? { code: 'DENIED', why: message } : null,
  ({ type }) => {
    if (type !== 'MESSAGE_TOO_LARGE' && type !== 'RECORD_LIST_TOO_LARGE') return null
    return {
      code: 'BATCH_TOO_LARGE',
      why: 'a message is larger than the topic takes, see its max.message.bytes',
    }
  },
  // What the broker itself answered: it is there, but cannot do it now.
  ({ type, message }) =>
    typeof type === 'string' ? { code: 'STORE_UNAVAILABLE', why: `${type}: ${message}` } : null,
]

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
