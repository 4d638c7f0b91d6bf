import { call, parameters, send, type AnswerMeta, type LogRecord, type Question } from '../api.ts'

export interface TopValue {
  readonly value: string
  readonly count: number
  /** Of the records that have the field. */
  readonly share: number
  readonly first: string
  readonly last: string
}

export interface TopAnswer {
  readonly field: string
  /** Most frequent first. */
  readonly values: readonly TopValue[]
  readonly matched: number
  readonly having: number
  readonly distinct: number
  readonly meta: AnswerMeta
}

export interface FieldSummary {
  readonly name: string
  readonly types: readonly string[]
  /** Of the sampled records. */
  readonly share: number
  readonly distinct: number
}

export interface FieldsAnswer {
  readonly fields: readonly FieldSummary[]
  readonly sampled: number
  readonly meta: AnswerMeta
}

export interface Pattern {
  /** '' for records without one. */
  readonly pattern: string
  readonly template: string
  readonly count: number
  readonly share: number
  readonly first: string
  readonly last: string
  /** Oldest first; empty buckets are left out. */
  readonly trend: readonly { readonly start: string; readonly count: number }[]
  readonly example: LogRecord
}

export interface PatternsAnswer {
  readonly patterns: readonly Pattern[]
  readonly distinct: number
  readonly matched: number
  readonly intervalMs: number
  readonly meta: AnswerMeta
}

export interface ContextAnswer {
  /** Oldest first, as `after`. */
  readonly before: readonly LogRecord[]
  readonly record: LogRecord
  readonly after: readonly LogRecord[]
  readonly meta: AnswerMeta
}

export interface Completion {
  /** What a candidate replaces, in columns from 1: [fromColumn, toColumn). */
  readonly fromColumn: number
  readonly toColumn: number
  readonly typed: string
  readonly kinds: readonly string[]
  /** The field whose values may stand here. */
  readonly field: string | null
  readonly candidates: readonly { readonly kind: string; readonly text: string }[]
}

/** Counts at once, so that a row of facets does not fill the server's queue before the lines are asked for. */
const COUNTS_AT_ONCE_MAX = 3

const counting = createGate(COUNTS_AT_ONCE_MAX)

export function top(question: Question & { field: string; limit: number }, signal: AbortSignal) {
  return counting(signal, () => call<TopAnswer>('GET', `/v1/top?${parameters(question)}`, { signal }))
}

export function fields(question: Question, signal: AbortSignal) {
  return counting(signal, () => call<FieldsAnswer>('GET', `/v1/fields?${parameters(question)}`, { signal }))
}

export function patterns(question: Question & { limit: number }, signal: AbortSignal) {
  return call<PatternsAnswer>('GET', `/v1/patterns?${parameters(question)}`, { signal })
}

export function context(
  asked: { id: string; time: string; before: number; after: number; of: 'file' | 'host' },
  signal: AbortSignal,
) {
  return call<ContextAnswer>('GET', `/v1/context?${parameters(asked)}`, { signal })
}

export function complete(asked: { q: string; cursor: number }, signal: AbortSignal) {
  return call<Completion>('GET', `/v1/complete?${parameters(asked)}`, { signal })
}

/** Every matching line as NDJSON: `{"plan"}`, the records, and `{"meta"}` only when it is whole. */
export async function openExport(
  question: Question,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const response = await send(`/v1/export?${parameters(question)}`, { signal, cache: 'no-store' })
  return response.body ?? new ReadableStream()
}

/** Lets `max` works run at once; the others wait in order, and leave when their signal aborts. */
export function createGate(
  max: number,
): <Result>(signal: AbortSignal, work: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (signal, work) => {
    if (running >= max) await new Promise<void>((admit) => waiting.push(admit))
    else running += 1
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      const next = waiting.shift()
      // The place is handed on as it is.
      if (next === undefined) running -= 1
      else next()
    }
  }
}
