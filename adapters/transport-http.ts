import { ServiceError, failureTable, messageOf } from '../core/errors.ts'
import type { Details, FailureCode } from '../core/errors.ts'
import { encodeHealth, type HealthReport } from '../core/health.ts'
import type { TransportSender } from '../core/ports.ts'
import { FRAME_BYTES_MAX } from '../core/wire.ts'
import { createLatestOnly } from './latest.ts'

const RETRY_AFTER_MS = 1_000
/** Longer than a node ever waits for its disk; then the batch is sent again. */
const TIMEOUT_MS = 30_000
/** A report that is older than this says nothing: the next one is there. */
const HEALTH_TIMEOUT_MS = 2_000
const codes: ReadonlySet<string> = new Set(failureTable().map(({ code }) => code))

/** Sends over HTTP to the node at `url`. The token goes into the header of the request and nowhere else. */
export function createHttpSender({
  url,
  token,
  timeoutMs = TIMEOUT_MS,
  healthTimeoutMs = HEALTH_TIMEOUT_MS,
}: {
  url: string
  token: string
  /** How long a node may take for one batch. */
  timeoutMs?: number
  /** … and for a report of health. */
  healthTimeoutMs?: number
}): TransportSender {
  const closed = new AbortController()

  async function post(
    path: string,
    type: string,
    body: Uint8Array<ArrayBuffer> | string,
    signal: AbortSignal,
    withinMs = timeoutMs,
  ) {
    const stop = AbortSignal.any([signal, closed.signal])
    const response = await fetch(new URL(path, url.endsWith('/') ? url : `${url}/`), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      body,
      redirect: 'error',
      signal: AbortSignal.any([stop, AbortSignal.timeout(withinMs)]),
    }).catch((error: unknown) => {
      throw stop.aborted ? stop.reason : unreachable(url, error)
    })
    // The body is read in any case: that frees the connection for the next batch.
    const text = await response.text().catch(() => '')
    if (!response.ok) throw failureOf(response, text)
  }

  const sendLatest = createLatestOnly((report: HealthReport) =>
    post('v1/health', 'application/json', encodeHealth(report), closed.signal, healthTimeoutMs),
  )

  return {
    async send(frame, signal) {
      // The node would close the connection in the middle of it.
      if (frame.length > FRAME_BYTES_MAX) {
        const details = { bytes: frame.length, bytesMax: FRAME_BYTES_MAX }
        throw new ServiceError('BATCH_TOO_LARGE', 'the batch is larger than a frame may be', details)
      }
      await post('v1/batches', 'application/octet-stream', new Uint8Array(frame), signal)
    },
    sendMark: (mark, signal) => post('v1/marks', 'application/json', JSON.stringify(mark), signal),
    async sendHealth(report, signal) {
      closed.signal.throwIfAborted()
      await sendLatest(report, signal)
    },
    async close() {
      closed.abort(new ServiceError('SHUTTING_DOWN', 'the sender is closed'))
    },
  }
}

function unreachable(url: string, error: unknown): ServiceError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const details = { url, reason: messageOf(cause), retryAfterMs: RETRY_AFTER_MS }
  return new ServiceError('UNREACHABLE', `no answer from ${url}: ${messageOf(cause)}`, details, error)
}

/** The failure that the other side had, under its own code; what is no problem of ours (a proxy's page, a bug there) is worth a retry. */
function failureOf(response: Response, text: string): ServiceError {
  const problem = parseProblem(text)
  const { code = '', detail = `the node answered ${response.status}`, details = {} } = problem
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const wait = Number.isFinite(seconds) ? { retryAfterMs: seconds * 1_000 } : {}
  if (isFailureCode(code)) return new ServiceError(code, detail, { ...details, ...wait })
  return new ServiceError('STORE_UNAVAILABLE', detail, {
    ...details,
    status: response.status,
    retryAfterMs: RETRY_AFTER_MS,
    ...wait,
  })
}

interface ProblemParts {
  readonly code?: string
  readonly detail?: string
  readonly details?: Details
}

function parseProblem(text: string): ProblemParts {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null ? json : {}
  } catch {
    return {}
  }
}

const isFailureCode = (code: string): code is FailureCode => codes.has(code)
