import { Worker } from 'node:worker_threads'
import type { Config } from '../../core/config.ts'
import type { Clock, Logger, Metrics } from '../../core/ports.ts'
import { parseDuration } from '../../core/query/time.ts'
import type { BatchSource } from '../../core/wire.ts'
import type { Batcher } from '../batcher.ts'
import type { Source } from '../source.ts'
import type { Spool } from '../spool/types.ts'
import type { AggregationStats, BadLine } from './aggregation.ts'
import { createMetricBatches } from './batches.ts'
import { createStatsdCounts } from './counts.ts'
import type { ListeningReport, Order, RecordsReport, Report, WorkerData } from './messages.ts'
import { STATSD_SERVICE } from './records.ts'

/** Takes statsd in a thread of its own: metrics become batches in the spool, events and service checks log lines. */
export interface StatsdServer extends Source {
  /** Resolves when the thread listens, or has told why it does not: it then goes on trying. */
  start(): Promise<void>
  /** Flushes the open interval; what came of it is with spool and batcher. */
  stop(): Promise<void>
  /** Resolves when all that was flushed is numbered; rejects when the signal aborts. */
  numbered(signal: AbortSignal): Promise<void>
  /** Takes the collector's own metrics, as lines of DogStatsD. While no thread runs they are lost, as everything is. */
  take(lines: string): void
  status(): StatsdStatus
}

/** Counts since the start. */
export interface StatsdStatus {
  readonly series: number
  readonly metrics: number
  readonly packets: number
  /** At least so many metrics or packets, by reason. */
  readonly lost: Readonly<Record<string, number>>
  /** Names, tags and lists of tags that were shortened. */
  readonly cut: number
  /** Why something that is configured is not received; null: all is. */
  readonly problem: string | null
  /** Of UDP; null: it is not open. */
  readonly port: number | null
  /** Path of the Unix socket; null: there is none. */
  readonly socket: string | null
  /** Metric names of which series were refused, the most first. */
  readonly overflowing: AggregationStats['overflowing']
  /** Some of the lines that were refused, newest last. */
  readonly badLines: readonly BadLine[]
}

export interface StatsdServerOptions {
  readonly config: Pick<Config['collector'], 'statsd' | 'tier' | 'host' | 'batch'>
  readonly spool: Pick<Spool, 'append'>
  readonly batcher: Pick<Batcher, 'add' | 'note' | 'room'>
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly random: () => number
  /** Tells the person who started the program where statsd is taken. */
  readonly announce: (line: string) => void
}

/** A thread that failed is started again after this long. */
const RESTART_MS = 5_000
/** A thread that does not end is ended, in time to number what it told (`stopDeadlineMs` is 10 s by default). */
const STOP_MS_MAX = 8_000

/** What the thread allocates lives for a flush or for ever: a larger young heap costs 60 MiB with 100,000 series and saves no time. */
const YOUNG_MIB_MAX = 6

const CLOSED: Omit<ListeningReport, 'type'> = { names: [], port: null, socket: null, problem: null }

export function createStatsdServer(options: StatsdServerOptions): StatsdServer {
  const { config, batcher, clock, log, announce } = options
  const flushMs = parseDuration(config.statsd.flush)
  const counts = createStatsdCounts(options)
  const lines = createLineGiver(options)
  const stopping = new AbortController()
  let listening: Omit<ListeningReport, 'type'> = CLOSED
  let flushedMs = 0 // The last flush that was told whole ended then.
  let thread: Thread | null = null
  let cancelRestart = (): void => undefined

  const batches = createMetricBatches({
    ...options,
    host: config.host,
    flushMs,
    bounds: config.batch,
    onNumbered: (points) => counts.numbered(points),
    onLost: (count) => post({ type: 'lost', reason: 'spool', count }),
  })

  function post(order: Order): void {
    thread?.post(order)
  }

  function receive(report: Report): void {
    if (report.type === 'chunk') batches.add(report.boundaryMs, report)
    else if (report.type === 'flushed') flushed(report)
    else if (report.type === 'stats') counts.update(report.stats)
    else if (report.type === 'log') log[report.level](report.fields, report.message)
    else if (report.type === 'records') void giveLines(report)
    else if (report.type === 'listening') opened(report)
  }

  function flushed({ boundaryMs, points, tookMs }: Extract<Report, { type: 'flushed' }>): void {
    flushedMs = boundaryMs
    counts.flushed(tookMs)
    log.debug({ points, tookMs: Math.round(tookMs) }, 'statsd flushed')
  }

  function opened(report: ListeningReport): void {
    for (const name of report.names) if (!listening.names.includes(name)) announce(`taking statsd on ${name}`)
    listening = report
  }

  /** At a stop there is only a bounded rest: it is not held back. */
  async function giveLines(report: RecordsReport): Promise<void> {
    await batcher.room(stopping.signal).catch(() => undefined)
    lines.give(report)
    post({ type: 'recordsTaken' })
  }

  async function startThread(): Promise<void> {
    flushedMs = Math.floor(clock.nowMs() / flushMs) * flushMs // There is nothing before.
    thread = createThread(workerDataOf(config), receive)
    void thread.ended.then((failure) => {
      thread = null
      if (stopping.signal.aborted) return
      listening = { ...CLOSED, problem: `the thread of statsd failed: ${failure ?? 'it ended'}` }
      counts.restarted()
      log.error({ failure, retryMs: RESTART_MS }, 'the thread of statsd failed: it is started again')
      cancelRestart = clock.after(RESTART_MS, () => void startThread())
    })
    await thread.opened
  }

  return {
    start: startThread,
    async stop() {
      stopping.abort()
      cancelRestart()
      if (thread === null) return
      const running = thread
      running.post({ type: 'stop' })
      const cancel = clock.after(STOP_MS_MAX, () => running.terminate())
      await running.ended
      cancel()
    },
    numbered: (signal) => batches.numbered(signal),
    take: (lines) => post({ type: 'take', lines }),
    readThroughMs: () => throughMs({ flushedMs, flushMs, waitingMs: batches.oldestMs(), clock }),
    status: () => {
      const { problem, port, socket } = listening
      return { ...counts.status(), problem, port, socket }
    },
  }
}

/**
 * Up to when everything is numbered, monotonic: an interval that is over and not numbered yet is not read to its end; the one that is
 * open does not count. A thread that is late by more than an interval holds nothing up: it has its own problem.
 */
export function throughMs(at: {
  /** End of the last flush that was told whole … */
  readonly flushedMs: number
  /** … and of the oldest that waits for the spool; null: none does. */
  readonly waitingMs: number | null
  readonly flushMs: number
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
}): number {
  const { flushedMs, flushMs, waitingMs, clock } = at
  const nowMs = clock.nowMs()
  const overdueMs = nowMs - (flushedMs + flushMs)
  const lateMs = overdueMs < flushMs ? overdueMs : -1
  const behindMs = Math.max(lateMs, waitingMs === null ? -1 : nowMs - waitingMs)
  return clock.monotonicMs() - (behindMs < 0 ? 0 : behindMs + 1)
}

/** Hands log lines to the batcher, as of a stream without a path. */
function createLineGiver({ config, batcher, clock }: StatsdServerOptions) {
  const tier = config.tier === undefined ? {} : { tier: config.tier }
  const source: BatchSource = { path: '', service: STATSD_SERVICE, ...tier }
  let offset = 0
  return {
    give({ text, lines, dropped }: RecordsReport): void {
      const nowMs = clock.nowMs()
      if (lines > 0) {
        const bytes = Buffer.from(text)
        batcher.add({ source, offset, bytes, lines, readAtMs: nowMs, fromMs: 0 }, {})
        offset += bytes.length
      }
      if (dropped.records > 0)
        batcher.note({ drops: [{ reason: 'statsd_records', ...dropped, toMs: nowMs }] })
    },
  }
}

function workerDataOf({ host, tier, statsd }: StatsdServerOptions['config']): WorkerData {
  return { config: statsd, tags: { ...statsd.tags, host, ...(tier === undefined ? {} : { tier }) } }
}

interface Thread {
  post(order: Order): void
  /** It has told what it listens on, or ended. */
  readonly opened: Promise<void>
  /** Resolves with the failure it ended by, or null. All its reports were received then. */
  readonly ended: Promise<string | null>
  terminate(): void
}

function createThread(workerData: WorkerData, receive: (report: Report) => void): Thread {
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MIB_MAX }
  const url = new URL('worker.ts', import.meta.url)
  const worker = new Worker(url, { workerData, name: 'statsd', resourceLimits })
  const opened = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<string | null>()
  let failure: string | null = null
  worker.on('message', (report: Report) => {
    receive(report)
    if (report.type === 'listening') opened.resolve()
  })
  worker.on('error', (error) => {
    failure = String(error)
  })
  worker.on('exit', () => {
    opened.resolve()
    ended.resolve(failure)
  })
  return {
    post: (order) => worker.postMessage(order, []),
    opened: opened.promise,
    ended: ended.promise,
    terminate: () => void worker.terminate(),
  }
}
