import { setImmediate as yieldNow } from 'node:timers/promises'
import { asServiceError, ServiceError } from '../core/errors.ts'
import type { BatchFacts } from '../core/ledger/types.ts'
import type { Clock, Intake, MetricStore, Metrics, Origin, Quarantine, Store } from '../core/ports.ts'
import type { LogRecord } from '../core/record.ts'
import { decodeOpened, FRAME_BYTES_MAX, openFrame, type DecodedBatch } from '../core/wire.ts'
import { appendAccepted } from './append.ts'
import type { LedgerService } from './ledger.ts'
import { createPointDecoder } from './metric-points.ts'

/** Frames and bodies that are being worked on; a record in memory is some times larger than its line. */
export const IN_FLIGHT_BYTES_MAX = 64 << 20
/** Long enough for a few batches to get through. */
const RETRY_AFTER_MS = 200
/** Lines of a batch of metrics that the quarantine shows; all are counted. */
const BAD_LINES_LISTED_MAX = 100
/** What the quarantine shows of a frame that cannot be read. */
const FRAME_TEXT_BYTES = 512

/** aggregator/enrich/enrich.ts. */
export interface Enrich {
  enrichBatch(
    batch: DecodedBatch,
    context: { site: string; ingestedMs: number; yieldNow: () => Promise<void> },
  ): Promise<LogRecord[]>
  /** Throws BAD_REQUEST for a line that is not a record. */
  enrichImported(line: string, context: { site: string; ingestedMs: number; id: string }): LogRecord
}

export interface PipelineOptions {
  readonly store: Pick<Store, 'append'>
  readonly metricStore: Pick<MetricStore, 'append'>
  readonly ledger: LedgerService
  readonly quarantine: Quarantine
  readonly enrich: Enrich
  /** Takes note of what a host says of itself. */
  readonly health: Intake['health']
  readonly clock: Clock
  readonly metrics: Metrics
}

type Opened = ReturnType<typeof openFrame>

/** Frame → records → store → ledger. What it resolves is durable, and kept once however often it arrives. */
export function createPipeline(options: PipelineOptions): Intake & {
  /** Takes nothing more; resolves when what was begun is done, or when the signal aborts. */
  stop(signal: AbortSignal): Promise<void>
} {
  const { ledger, quarantine, clock, metrics } = options
  const batches = metrics.counter('noctule_aggregator_batches_total', 'Batches by what became of them.', [
    'result',
  ])
  const seconds = metrics.histogram(
    'noctule_aggregator_batch_seconds',
    'From taking a batch until it is durable.',
  )
  const badLines = metrics.counter(
    'noctule_aggregator_metric_lines_refused_total',
    'Lines of metrics that are none; the first of each batch stand in the quarantine.',
  )
  const decodePoints = createPointDecoder()
  const running = new Map<string, Promise<unknown>>()
  let bytesInFlight = 0
  let stopping = false
  metrics.gauge(
    'noctule_aggregator_in_flight_bytes',
    'Bytes of the batches being worked on.',
    () => bytesInFlight,
  )

  async function open(frame: Uint8Array, origin: Origin): Promise<Opened> {
    if (stopping) throw new ServiceError('SHUTTING_DOWN', 'the aggregator is stopping')
    if (frame.byteLength > FRAME_BYTES_MAX) {
      const details = { bytes: frame.byteLength, bytesMax: FRAME_BYTES_MAX }
      throw new ServiceError('BATCH_TOO_LARGE', 'the frame is larger than the limit', details)
    }
    return orQuarantined(frame, origin, () => openFrame(frame))
  }

  async function orQuarantined<T>(frame: Uint8Array, { site, sender }: Origin, read: () => T | Promise<T>) {
    try {
      return await read()
    } catch (error) {
      if (asServiceError(error)?.code !== 'BATCH_MALFORMED') throw error
      const text = Buffer.from(frame.subarray(0, FRAME_TEXT_BYTES)).toString('base64')
      await quarantine.put([{ reason: reasonOf(error), site, sender, text }])
      throw error
    }
  }

  function reserve(bytes: number) {
    // A batch alone is always let in: otherwise one that is larger than the bound could never be stored.
    if (bytesInFlight > 0 && bytesInFlight + bytes > IN_FLIGHT_BYTES_MAX) {
      const details = { bytesInFlight, retryAfterMs: RETRY_AFTER_MS }
      throw new ServiceError('OVERLOADED', 'too many batches are being worked on', details)
    }
    bytesInFlight += bytes
    return () => {
      bytesInFlight -= bytes
    }
  }

  /** 'new', or what it was answered before. */
  function fate({ header, digest }: Opened, { site }: Origin) {
    const { collector, epoch, seq } = header
    const found = ledger.find({ site, collector, epoch, seq }, digest)
    if (found !== 'conflict') return found
    const details = { site, collector, epoch, seq }
    throw new ServiceError('SEQUENCE_CONFLICT', 'another batch was stored under this number', details)
  }

  async function store(frame: Uint8Array, opened: Opened, origin: Origin, signal: AbortSignal) {
    const batch = await orQuarantined(frame, origin, () => decodeOpened(opened))
    const facts = factsOf(batch, origin.site)
    const context = { site: origin.site, ingestedMs: clock.nowMs(), yieldNow: () => yieldNow() }
    if (opened.header.kind === 'metrics') return storeMetrics(batch, facts, { origin, signal })
    const records = await orQuarantined(frame, origin, () => options.enrich.enrichBatch(batch, context))
    const { site, sender } = origin
    const result = await appendAccepted(options.store, { facts, records }, signal, (record, _, error) =>
      quarantine.put([{ reason: reasonOf(error), site, sender, text: JSON.stringify(record), record }]),
    )
    ledger.stored(facts)
    return result
  }

  /** Points first: the facts say that they are stored. What comes again after a crash in between, the metric store knows. */
  async function storeMetrics(
    { body }: DecodedBatch,
    facts: BatchFacts,
    { origin, signal }: { origin: Origin; signal: AbortSignal },
  ) {
    const { points, bad } = await decodePoints(body, { site: origin.site, yieldNow: () => yieldNow() })
    if (bad.length > 0) await quarantine.put(badEntries(bad, origin))
    badLines.add(bad.length)
    const { site, collector, epoch, seq } = facts
    await options.metricStore.append({ key: { site, collector, epoch, seq }, points }, signal)
    const result = await options.store.append({ facts, records: [] }, signal)
    ledger.stored(facts)
    return result
  }

  async function storeOnce(frame: Uint8Array, opened: Opened, origin: Origin, signal: AbortSignal) {
    const { collector, epoch, seq, bodyBytes } = opened.header
    const key = [origin.site, collector, epoch, seq].join('\0')
    for (let same = running.get(key); same !== undefined; same = running.get(key)) await same.catch(() => {})
    signal.throwIfAborted()
    if (fate(opened, origin) === 'duplicate') return 'duplicate'
    const release = reserve(frame.byteLength + bodyBytes)
    const storing = store(frame, opened, origin, signal)
    running.set(key, storing)
    try {
      return await storing
    } finally {
      running.delete(key)
      release()
    }
  }

  async function take(frame: Uint8Array, origin: Origin, signal: AbortSignal) {
    signal.throwIfAborted()
    const opened = await open(frame, origin)
    try {
      return await storeOnce(frame, opened, origin, signal)
    } catch (error) {
      const { collector, epoch, seq } = opened.header
      const conflict = asServiceError(error)?.code === 'SEQUENCE_CONFLICT'
      if (conflict) await ledger.conflict({ site: origin.site, collector, epoch, seq })
      throw error
    }
  }

  return {
    async batch(frame, origin, signal) {
      const startMs = clock.monotonicMs()
      try {
        const result = await take(frame, origin, signal)
        batches.add(1, { result })
        seconds.observe((clock.monotonicMs() - startMs) / 1_000)
        return result
      } catch (error) {
        batches.add(1, { result: asServiceError(error)?.code ?? 'ERROR' })
        throw error
      }
    },
    async mark(mark, origin) {
      await ledger.mark(mark, origin)
    },
    health: options.health,
    async stop(signal) {
      stopping = true
      await untilAborted(Promise.allSettled(running.values()), signal)
    },
  }
}

function badEntries(bad: readonly { line: string; problem: string }[], { site, sender }: Origin) {
  const listed = bad.slice(0, BAD_LINES_LISTED_MAX)
  const entries = listed.map(({ line, problem }) => ({
    reason: `metric: ${problem}`,
    site,
    sender,
    text: line,
  }))
  if (bad.length === listed.length) return entries
  const reason = `metric: ${bad.length - listed.length} more lines of this batch were refused`
  return [...entries, { reason, site, sender, text: '' }]
}

/** Batches of metrics are numbered among those of lines, and the ledger need not tell them apart. */
function factsOf({ header, digest }: DecodedBatch, site: string): BatchFacts {
  const { collector, epoch, seq, host, previous, fromMs, toMs, records, drops, tombstones } = header
  const kind = header.kind === 'metrics' ? 'lines' : header.kind
  const facts = { site, collector, epoch, seq, kind, host, digest, fromMs, toMs, records, drops, tombstones }
  return previous === undefined ? facts : { ...facts, previous }
}

function reasonOf(error: unknown): string {
  const failure = asServiceError(error)
  return failure === undefined ? String(error) : `${failure.code}: ${failure.message}`
}

async function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const end = () => resolve(undefined)
  signal.addEventListener('abort', end, { once: true })
  await Promise.race([work, promise])
  signal.removeEventListener('abort', end)
}
