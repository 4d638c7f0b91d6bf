import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { ServiceError, asServiceError, failureTable, messageOf } from '../core/errors.ts'
import type { Details } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'

/** RFC 9457 problem details, as every failure is answered. */
export const problemSchema = z
  .object({
    type: z.string().describe('Where the code is explained.'),
    title: z.string().describe('What the code means.'),
    status: z.number().int(),
    code: z.string().describe('Stable: programs decide by it.'),
    detail: z.string().describe('What happened this time.'),
    retryable: z.boolean().describe('Whether the same request can succeed later.'),
    details: z.record(z.string(), z.union([z.string(), z.number()])),
    column: z.number().int().optional().describe('Where a query is wrong, from 1.'),
  })
  .describe('Problem')

export type Problem = z.infer<typeof problemSchema>

/** Code of a failure that is a bug of ours: its cause stands in the log only, under `details.errorId`. */
const INTERNAL = 'INTERNAL'
const RETRY_AFTER_MS = 1_000
const meanings = new Map(failureTable().map(({ code, meaning }) => [code, meaning]))

/** A failure that is meant to be seen, from whatever was thrown; undefined: a bug. */
function expectedFailure(error: unknown): ServiceError | undefined {
  const known = asServiceError(error)
  if (known !== undefined || !(error instanceof Error) || !('statusCode' in error)) return known
  if (error.statusCode === 413) {
    return new ServiceError('BATCH_TOO_LARGE', 'the body is larger than the limit', {}, error)
  }
  const isCallers = typeof error.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500
  return isCallers ? new ServiceError('BAD_REQUEST', messageOf(error), {}, error) : undefined
}

/** What to answer to whatever was thrown; a bug is logged whole, and told of by an id only. */
export function problemOf(log: Logger, error: unknown, request: object): Problem {
  const failure = expectedFailure(error)
  if (failure !== undefined) return toProblem(failure)
  const errorId = randomUUID()
  log.error({ error, errorId, ...request }, 'request failed')
  return internalProblem(errorId)
}

function toProblem(failure: ServiceError): Problem {
  const { code, status, retryable, details, message } = failure
  const { column } = details
  return {
    type: problemType(code),
    title: meanings.get(code) ?? code,
    status,
    code,
    detail: message,
    retryable,
    details: { ...details },
    ...(typeof column === 'number' ? { column } : {}),
  }
}

/** The answer to a bug: nothing of it but the id under which it is logged. */
function internalProblem(errorId: string): Problem {
  return {
    type: 'about:blank',
    title: 'a fault of the program',
    status: 500,
    code: INTERNAL,
    detail: `the program failed; its log says more under the error id ${errorId}`,
    retryable: false,
    details: { errorId },
  }
}

/** Seconds for the header Retry-After; undefined for a failure that waiting does not help. */
export function retryAfterSeconds({
  status,
  details,
}: {
  status: number
  details: Details
}): number | undefined {
  if (status !== 429 && status !== 503) return undefined
  const { retryAfterMs } = details
  return Math.max(1, Math.ceil((typeof retryAfterMs === 'number' ? retryAfterMs : RETRY_AFTER_MS) / 1_000))
}

const problemType = (code: string) => `/reference#${code}`
