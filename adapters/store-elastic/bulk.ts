import { ServiceError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import { pauseMs } from './backoff.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure, isMissing, isOverload, isPassing, toServiceError } from './failures.ts'

/** Documents to create. */
export interface BulkJob {
  readonly count: number
  /** The two lines of a document, each time it is sent. */
  lines(at: number): string
  /** The indices of these are not there: makes them again. Returns the documents that are still wanted. */
  missing(places: readonly number[]): Promise<readonly number[]>
}

/** Documents that Elasticsearch refuses for what they hold: at these places of the job. */
export class DocumentsRefused extends Error {
  override readonly name = 'DocumentsRefused'
  readonly at: readonly number[]

  constructor(at: readonly number[], reason: string) {
    super(reason)
    this.at = at
  }
}

/** Writes documents, those of several jobs together. What is there already counts as created. */
export interface BulkWriter {
  /** Resolves once all are durable, with how many were there already. Rejects with DocumentsRefused, or with a ServiceError: some may be there then. */
  write(job: BulkJob): Promise<number>
  close(): void
}

/** Requests that Elasticsearch works on at once. */
const IN_FLIGHT_MAX = 3
/** UTF-16 units of a body. */
const BODY_CHARS_START = 2 << 20
const BODY_CHARS_MAX = 8 << 20
const BODY_CHARS_MIN = 128 << 10
/** Texts become bytes in pieces of this size: they need not live long. */
const PIECE_CHARS = 64 << 10
/** After each request that went well; halved after one that was too much. */
const GROWTH = 1.2
/** A job is tried for so long before its caller hears of it. */
const TRIED_FOR_MS = 10_000

interface Running {
  readonly job: BulkJob
  readonly startedMs: number
  left: number
  existing: number
  readonly refused: number[]
  refusal: string
  ended: boolean
  readonly resolve: (existing: number) => void
  readonly reject: (error: unknown) => void
}

/** Documents of one job that wait to be sent: those from `next` on. */
interface Waiting {
  readonly of: Running
  readonly places: readonly number[] | null
  next: number
  readonly end: number
}

/** Some of them, as they were sent: the places from `from` to `end`. */
interface Run {
  readonly of: Running
  readonly places: readonly number[] | null
  readonly from: number
  readonly end: number
}

interface Sent {
  readonly of: Running
  readonly at: number
}

interface BulkAnswer {
  readonly errors: boolean
  readonly items: readonly { readonly create: BulkResult }[]
}

interface BulkResult {
  readonly status: number
  readonly error?: { readonly type: string; readonly reason: string }
}

const QUERY = {
  require_alias: true,
  // What is not asked for need not be written and read: an item without an error is its status.
  filter_path: 'errors,items.create.status,items.create.error.type,items.create.error.reason',
}

export function createBulkWriter({ elastic, clock }: { elastic: Elastic; clock: Clock }): BulkWriter {
  const queue: Waiting[] = []
  const closing = new AbortController()
  let inFlight = 0
  let bodyChars = BODY_CHARS_START
  /** Requests in a row that failed. */
  let failures = 0
  let pausing = false

  function pump(): void {
    while (!pausing && queue.length > 0 && inFlight < (failures > 0 ? 1 : IN_FLIGHT_MAX)) {
      const { lines, runs } = takeBody(queue, bodyChars)
      if (runs.length === 0) continue
      inFlight += 1
      void send(lines, runs).finally(() => {
        inFlight -= 1
        pump()
      })
    }
  }

  async function send(lines: Buffer, runs: readonly Run[]): Promise<void> {
    try {
      const request = { method: 'POST', path: '/_bulk', query: QUERY, lines, signal: closing.signal }
      const answer = await elastic.request<BulkAnswer>(request)
      const failure = answer.errors ? await settle(sentOf(runs), answer) : null
      if (!answer.errors) for (const { of, from, end: to } of runs) done(of, to - from)
      if (failure === null) wentWell()
      else pause(failure)
    } catch (error) {
      if (error instanceof ElasticFailure && isPassing(error)) retry(sentOf(runs), error)
      else if (error instanceof ElasticFailure && error.status === 413) tooLarge(sentOf(runs), error)
      else for (const { of } of runs) end(of, toServiceError(error))
    }
  }

  /** Ends what is done, and queues the rest. Returns why something has to wait, if so. */
  async function settle(sent: readonly Sent[], { items }: BulkAnswer): Promise<ElasticFailure | null> {
    let failure: ElasticFailure | null = null
    const again: Sent[] = []
    const homeless: Sent[] = []
    for (const [place, one] of sent.entries()) {
      const result = items[place]?.create
      if (result === undefined) {
        again.push(one)
        continue
      }
      const { status, error } = result
      if (error === undefined || status === 409) {
        if (status === 409) one.of.existing += 1
        done(one.of, 1)
        continue
      }
      const problem = new ElasticFailure(status, error.type, error.reason)
      if (isMissing(problem)) {
        failure = problem
        homeless.push(one)
      } else if (isBlocked(problem)) end(one.of, toServiceError(problem))
      else if (isRefusal(problem)) refuse(one, error.reason)
      else {
        failure = problem
        again.push(one)
      }
    }
    for (const [of, places] of Map.groupBy(homeless, (one) => one.of))
      again.push(...(await remake(of, places)))
    requeue(again, failure)
    return failure
  }

  async function remake(of: Running, places: readonly Sent[]): Promise<readonly Sent[]> {
    try {
      const wanted = new Set(await of.job.missing(places.map(({ at }) => at)))
      done(of, places.length - wanted.size)
      return places.filter(({ at }) => wanted.has(at))
    } catch (error) {
      end(of, error)
      return []
    }
  }

  function done(of: Running, count: number): void {
    of.left -= count
    if (of.left > 0) return
    if (of.refused.length > 0) end(of, new DocumentsRefused(of.refused, of.refusal))
    else end(of, null)
  }

  function refuse(one: Sent, reason: string): void {
    one.of.refused.push(one.at)
    one.of.refusal = reason
    done(one.of, 1)
  }

  function retry(sent: readonly Sent[], failure: ElasticFailure): void {
    requeue(sent, failure)
    pause(failure)
  }

  /** Queues what is not late yet, in front. */
  function requeue(sent: readonly Sent[], failure: ElasticFailure | null): void {
    const nowMs = clock.monotonicMs()
    for (const [of, places] of Map.groupBy(sent, (one) => one.of)) {
      if (of.ended) continue
      if (nowMs - of.startedMs > TRIED_FOR_MS)
        end(
          of,
          toServiceError(failure ?? new ElasticFailure(0, 'unreadable', 'a bulk was not answered whole')),
        )
      else queue.unshift({ of, places: places.map(({ at }) => at), next: 0, end: places.length })
    }
  }

  function tooLarge(sent: readonly Sent[], failure: ElasticFailure): void {
    const [only, ...others] = sent
    bodyChars = Math.max(BODY_CHARS_MIN, bodyChars / 2)
    if (only !== undefined && others.length === 0) refuse(only, failure.reason)
    else requeue(sent, failure)
  }

  function wentWell(): void {
    failures = 0
    bodyChars = Math.min(BODY_CHARS_MAX, bodyChars * GROWTH)
  }

  function pause({ status }: ElasticFailure): void {
    if (isOverload(status)) bodyChars = Math.max(BODY_CHARS_MIN, bodyChars / 2)
    if (pausing) return
    pausing = true
    const resume = () => {
      pausing = false
      pump()
    }
    clock.sleep(pauseMs(failures), closing.signal).then(resume, resume)
    failures += 1
  }

  function end(of: Running, error: unknown): void {
    if (of.ended) return
    of.ended = true
    if (error === null) of.resolve(of.existing)
    else of.reject(error)
  }

  return {
    write(job) {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      if (job.count === 0) return Promise.resolve(0)
      const of = {
        job,
        startedMs: clock.monotonicMs(),
        left: job.count,
        existing: 0,
        refused: [],
        refusal: '',
        ended: false,
        resolve,
        reject,
      }
      queue.push({ of, places: null, next: 0, end: job.count })
      pump()
      return promise
    },
    close() {
      const reason = new ServiceError('SHUTTING_DOWN', 'the store is closed')
      closing.abort(reason)
      for (const { of } of queue.splice(0)) end(of, reason)
    },
  }
}

/** Takes documents from the front of the queue until the body is full. */
function takeBody(queue: Waiting[], charsMax: number): { lines: Buffer; runs: readonly Run[] } {
  const pieces: Buffer[] = []
  const runs: Run[] = []
  let chars = 0
  let piece = ''
  for (let first = queue[0]; first !== undefined && chars < charsMax; first = queue[0]) {
    const { of, places, end, next: from } = first
    while (!of.ended && first.next < end && chars + piece.length < charsMax) {
      piece += of.job.lines(places === null ? first.next : (places[first.next] ?? 0))
      first.next += 1
      if (piece.length < PIECE_CHARS) continue
      pieces.push(Buffer.from(piece))
      chars += piece.length
      piece = ''
    }
    if (first.next > from) runs.push({ of, places, from, end: first.next })
    if (of.ended || first.next >= end) queue.shift()
    else break
  }
  pieces.push(Buffer.from(piece))
  return { lines: Buffer.concat(pieces), runs }
}

function sentOf(runs: readonly Run[]): Sent[] {
  const sent: Sent[] = []
  for (const { of, places, from, end } of runs)
    for (let next = from; next < end; next++)
      sent.push({ of, at: places === null ? next : (places[next] ?? 0) })
  return sent
}

/** Somebody, or a disk that is nearly full, has stopped all writing to the index: that takes its time. */
function isBlocked({ type }: ElasticFailure): boolean {
  return type === 'cluster_block_exception'
}

/** Is it the document's own fault? */
function isRefusal({ status, type }: ElasticFailure): boolean {
  return status === 400 && type !== 'index_closed_exception' && type !== 'validation_exception'
}
