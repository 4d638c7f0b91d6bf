import { asServiceError, messageOf } from '../../core/errors.ts'
import { backoffMs } from '../../core/backoff.ts'
import { orAborted } from '../../core/abort.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { BatchDraft, Spool } from '../spool/types.ts'
import type { MetricChunk } from './aggregation.ts'

/** Makes batches of what was flushed and numbers them, in order. When the spool refuses, a bounded number of flushes waits. */
export interface MetricBatches {
  /** A part of the flush that ends at `boundaryMs`. */
  add(boundaryMs: number, chunk: MetricChunk): void
  /** Resolves when all that was added is numbered, or given up; rejects when the signal aborts. */
  numbered(signal: AbortSignal): Promise<void>
  /** End of the oldest flush of which something is not numbered; null: everything is. */
  oldestMs(): number | null
}

export interface MetricBatchesOptions {
  readonly spool: Pick<Spool, 'append'>
  readonly host: string
  readonly flushMs: number
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  readonly onNumbered: (chunk: MetricChunk) => void
  /** The points of a flush that waited for too long were dropped. */
  readonly onLost: (points: number) => void
}

/** Flushes that wait while the spool takes nothing: a minute, as flushes are by default. */
export const FLUSHES_WAITING_MAX = 6
const HOLD_BACKOFF = { baseMs: 100, maxMs: 2_000 }

interface Waiting extends MetricChunk {
  readonly boundaryMs: number
}

export function createMetricBatches(options: MetricBatchesOptions): MetricBatches {
  const { spool, clock, log, random, onNumbered, onLost } = options
  let waiting: Waiting[] = []
  /** The first one, while it is with the spool. */
  let flying: Waiting | null = null
  let refusals = 0
  let cancelRetry: (() => void) | null = null
  let empty = Promise.withResolvers<void>()
  empty.resolve()

  /** One at a time: what follows a refused one must not overtake it. */
  function launch(): void {
    cancelRetry = null
    const [first] = waiting
    if (first === undefined) return empty.resolve()
    flying = first
    spool.append(draftOf(first, options), {}).then(
      () => accepted(first),
      (error: unknown) => refused(error),
    )
  }

  function accepted(chunk: Waiting): void {
    if (refusals > 0) log.info({ refusals }, 'the spool takes metrics again')
    refusals = 0
    flying = null
    waiting.shift()
    log.debug({ points: chunk.points }, 'metrics numbered')
    onNumbered(chunk)
    launch()
  }

  function refused(error: unknown): void {
    flying = null
    if (refusals === 0) {
      const isExpected = asServiceError(error)?.retryable === true
      const say = isExpected ? log.warn.bind(log) : log.error.bind(log)
      say({ error: isExpected ? messageOf(error) : error }, 'the spool takes no metrics: they wait')
    }
    dropOldest()
    cancelRetry = clock.after(backoffMs(refusals++, HOLD_BACKOFF, random), launch)
  }

  /** What is with the spool stays: it may be numbered yet. */
  function dropOldest(): void {
    const flushes = new Set(waiting.map(({ boundaryMs }) => boundaryMs))
    for (const boundaryMs of [...flushes].slice(0, -FLUSHES_WAITING_MAX)) {
      const dropped = waiting.filter((chunk) => chunk.boundaryMs === boundaryMs && chunk !== flying)
      const points = dropped.reduce((sum, chunk) => sum + chunk.points, 0)
      if (points === 0) continue
      waiting = waiting.filter((chunk) => !dropped.includes(chunk))
      log.warn({ points }, 'metrics were dropped: the spool took none for too long')
      onLost(points)
    }
  }

  return {
    add(boundaryMs, chunk) {
      if (waiting.length === 0) empty = Promise.withResolvers()
      waiting.push({ boundaryMs, ...chunk })
      dropOldest()
      if (flying === null && cancelRetry === null) launch()
    },
    numbered: (signal) => orAborted(empty.promise, signal),
    oldestMs: () => waiting[0]?.boundaryMs ?? null,
  }
}

function draftOf(
  { boundaryMs, bytes, points }: Waiting,
  { host, flushMs, clock }: Pick<MetricBatchesOptions, 'host' | 'flushMs' | 'clock'>,
): BatchDraft {
  const nowMs = clock.nowMs()
  return {
    header: {
      kind: 'metrics',
      host,
      createdAtMs: nowMs,
      utcOffsetMin: -new Date(nowMs).getTimezoneOffset(),
      fromMs: Math.min(boundaryMs - flushMs, nowMs),
      toMs: nowMs,
      records: points,
      sources: [{ path: '' }],
      runs: [{ source: 0, offset: 0, bytes: bytes.length, lines: points, readAtMs: nowMs }],
      drops: [],
    },
    body: bytes,
  }
}
