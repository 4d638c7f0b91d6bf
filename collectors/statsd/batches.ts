import type { Config } from '../../core/config.ts'
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
  /** Chunks of a flush that wait go together into batches of this size. */
  readonly bounds: Pick<Config['collector']['batch'], 'bytesMax' | 'recordsMax'>
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  readonly onNumbered: (points: number) => void
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
  const { spool, bounds, clock, log, random, onNumbered, onLost } = options
  let waiting: Waiting[] = []
  /** The first ones, while they are with the spool. */
  let flying: readonly Waiting[] = []
  let refusals = 0
  let cancelRetry: (() => void) | null = null
  let empty = Promise.withResolvers<void>()
  empty.resolve()

  /** One batch at a time: what follows a refused one must not overtake it. */
  function launch(): void {
    cancelRetry = null
    if (waiting.length === 0) return empty.resolve()
    flying = firstBatch(waiting, bounds)
    spool.append(draftOf(flying, options), {}).then(accepted, (error: unknown) => refused(error))
  }

  function accepted(): void {
    if (refusals > 0) log.info({ refusals }, 'the spool takes metrics again')
    refusals = 0
    const points = sumOf(flying)
    waiting = waiting.slice(flying.length)
    flying = []
    log.debug({ points }, 'metrics numbered')
    onNumbered(points)
    launch()
  }

  function refused(error: unknown): void {
    flying = []
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
      const dropped = waiting.filter((chunk) => chunk.boundaryMs === boundaryMs && !flying.includes(chunk))
      const points = sumOf(dropped)
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
      if (flying.length === 0 && cancelRetry === null) launch()
    },
    numbered: (signal) => orAborted(empty.promise, signal),
    oldestMs: () => waiting[0]?.boundaryMs ?? null,
  }
}

function sumOf(chunks: readonly MetricChunk[]): number {
  return chunks.reduce((sum, { points }) => sum + points, 0)
}

/** As many of the oldest flush as fit a batch. */
function firstBatch(waiting: readonly Waiting[], bounds: MetricBatchesOptions['bounds']): Waiting[] {
  const batch: Waiting[] = []
  let [bytes, points] = [0, 0]
  for (const chunk of waiting) {
    bytes += chunk.bytes.length
    points += chunk.points
    const fits = bytes <= bounds.bytesMax && points <= bounds.recordsMax
    if (batch.length > 0 && (chunk.boundaryMs !== batch[0]?.boundaryMs || !fits)) break
    batch.push(chunk)
  }
  return batch
}

function draftOf(
  chunks: readonly Waiting[],
  { host, flushMs, clock }: Pick<MetricBatchesOptions, 'host' | 'flushMs' | 'clock'>,
): BatchDraft {
  const nowMs = clock.nowMs()
  const body = Buffer.concat(chunks.map(({ bytes }) => bytes))
  const boundaryMs = chunks[0]?.boundaryMs ?? nowMs
  const records = sumOf(chunks)
  return {
    header: {
      kind: 'metrics',
      host,
      createdAtMs: nowMs,
      utcOffsetMin: -new Date(nowMs).getTimezoneOffset(),
      fromMs: Math.min(boundaryMs - flushMs, nowMs),
      toMs: nowMs,
      records,
      sources: [{ path: '' }],
      runs: [{ source: 0, offset: 0, bytes: body.length, lines: records, readAtMs: nowMs }],
      drops: [],
    },
    body,
  }
}
