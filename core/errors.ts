/** What a caller may do after a failure: the HTTP status it is answered with, and whether the same call can succeed later. */
const FAILURES = {
  BAD_CONFIG: { status: 400, retryable: false, meaning: 'a configuration key or value is wrong' },
  BAD_REQUEST: { status: 400, retryable: false, meaning: 'a parameter or body of the request is wrong' },
  QUERY_SYNTAX: {
    status: 400,
    retryable: false,
    meaning: 'the query cannot be parsed; `column` points at the place',
  },
  QUERY_TOO_BROAD: { status: 400, retryable: false, meaning: 'the query would cost more than a query may' },
  UNSUPPORTED: { status: 400, retryable: false, meaning: 'the query is valid, but no store can answer it' },
  UNKNOWN_SITE: { status: 400, retryable: false, meaning: 'a named site is not in the configuration' },
  BATCH_MALFORMED: {
    status: 400,
    retryable: false,
    meaning: 'a batch cannot be decoded, or its digest is wrong',
  },
  UNAUTHENTICATED: { status: 401, retryable: false, meaning: 'no credential, or an unknown one' },
  DENIED: { status: 403, retryable: false, meaning: 'the credential does not have the role' },
  NOT_FOUND: { status: 404, retryable: false, meaning: 'there is no such thing' },
  SEQUENCE_CONFLICT: {
    status: 409,
    retryable: false,
    meaning:
      'another batch was stored under this sequence number; the collector takes a new epoch and re-sends',
  },
  BATCH_TOO_LARGE: { status: 413, retryable: false, meaning: 'a batch or body is larger than the limit' },
  RECORD_REFUSED: { status: 422, retryable: false, meaning: 'the store refuses a record for what it holds' },
  OVERLOADED: { status: 429, retryable: true, meaning: 'a bounded queue is full; wait and send again' },
  CANCELLED: {
    status: 499,
    retryable: false,
    meaning: 'the caller went away, or somebody cancelled the query',
  },
  STORE_UNAVAILABLE: { status: 503, retryable: true, meaning: 'the store cannot take or answer now' },
  DISK_FULL: { status: 503, retryable: true, meaning: 'no space is left on the device' },
  SHUTTING_DOWN: { status: 503, retryable: true, meaning: 'the program is stopping' },
  UNREACHABLE: { status: 503, retryable: true, meaning: 'the other side of a connection does not answer' },
  DEADLINE: { status: 504, retryable: true, meaning: 'the deadline passed before anyone answered' },
  DATA_DIR_IN_USE: { status: 500, retryable: false, meaning: 'another process owns the data directory' },
  DATA_CORRUPT: { status: 500, retryable: false, meaning: 'stored bytes fail their checksum' },
} as const

export type FailureCode = keyof typeof FAILURES
export type Details = Readonly<Record<string, string | number>>

/** Every code with its status, retryability and meaning; the error reference page is generated from it. */
export function failureTable(): readonly {
  code: FailureCode
  status: number
  retryable: boolean
  meaning: string
}[] {
  return (Object.keys(FAILURES) as FailureCode[]).map((code) => ({ code, ...FAILURES[code] }))
}

/** An expected failure. Any other Error is a bug: answer 500, log it whole, never retry it. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: FailureCode
  /** Small values that a client may see: what was being done, to what, and which limit it hit. */
  readonly details: Details

  constructor(code: FailureCode, message: string, details: Details = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details
  }

  get status(): number {
    return FAILURES[this.code].status
  }

  get retryable(): boolean {
    return FAILURES[this.code].retryable
  }
}

/** The ServiceError in `error` or in its causes, if there is one. */
export function asServiceError(error: unknown): ServiceError | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ServiceError) return at
  return undefined
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
