import type { Clock } from '../../core/ports.ts'
import type { Aggregation, MetricChunk } from './aggregation.ts'
import { RECEIVE_WAIT_MS_MAX, type Datagrams } from './datagrams.ts'
import type { Listening } from './listening.ts'
import type { Order, Report } from './messages.ts'
import type { RecordQueue } from './record-queue.ts'

/** Receives datagrams and flushes what was made of them, in turns: a long flush takes turns with receiving. */
export interface Receiver {
  /** Receives once, and tells at most one chunk. */
  turn(): Promise<void>
  handle(order: Exclude<Order, { type: 'stop' }>): void
  /** Takes what the kernel still holds, closes the sockets and flushes the open interval. */
  finish(): Promise<void>
}

export interface ReceiverOptions {
  readonly flushMs: number
  readonly datagrams: Datagrams
  readonly listening: Listening
  readonly aggregation: Aggregation
  readonly records: RecordQueue
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly tell: (report: Report, transfer?: ArrayBuffer[]) => void
}

interface Flush {
  readonly boundaryMs: number
  readonly startedMs: number
  readonly chunks: Iterator<MetricChunk>
  points: number
}

const STATS_EVERY_MS = 1_000
/** Of a flood that does not end, so much is still taken at a stop. */
const LAST_TURNS = 64

export function createReceiver(options: ReceiverOptions): Receiver {
  const { flushMs, datagrams, listening, aggregation, records, clock, tell } = options
  const floor = (timeMs: number) => Math.floor(timeMs / flushMs) * flushMs
  /** End of the interval that is open. */
  let boundaryMs = floor(clock.nowMs()) + flushMs
  let flush: Flush | null = null
  let statsToldMs = -Infinity
  let statsTold = ''

  async function startFlush(): Promise<void> {
    const drops = await listening.drops()
    if (drops > 0) aggregation.lost('kernel', drops)
    const chunks = aggregation.flush(boundaryMs)[Symbol.iterator]()
    flush = { boundaryMs, startedMs: clock.monotonicMs(), chunks, points: 0 }
    nextChunk() // Only now the interval is closed.
  }

  function nextChunk(): void {
    if (flush === null) return
    const next = flush.chunks.next()
    if (next.done !== true) {
      flush.points += next.value.points
      return tellChunk(flush.boundaryMs, next.value)
    }
    const { startedMs, points } = flush
    tell({ type: 'flushed', boundaryMs: flush.boundaryMs, points, tookMs: clock.monotonicMs() - startedMs })
    flush = null
    const nowMs = clock.nowMs()
    // When the clock or this thread jumped over intervals they are skipped; when the clock went back, it is followed.
    boundaryMs = isBehind(nowMs) ? floor(nowMs) + flushMs : Math.max(boundaryMs + flushMs, floor(nowMs))
  }

  function tellChunk(chunkBoundaryMs: number, { bytes, points }: MetricChunk): void {
    const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
    const own = whole ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes)
    tell({ type: 'chunk', boundaryMs: chunkBoundaryMs, bytes: own, points }, [own.buffer])
  }

  /** The clock was put back by more than an interval: what is open came at times that are yet to come. */
  const isBehind = (nowMs: number) => boundaryMs - nowMs > 2 * flushMs

  async function flushWhenDue(): Promise<void> {
    const nowMs = clock.nowMs()
    if (flush !== null) nextChunk()
    else if (nowMs >= boundaryMs || isBehind(nowMs)) await startFlush()
  }

  function tellStats(always = false): void {
    const nowMs = clock.monotonicMs()
    if (!always && nowMs - statsToldMs < STATS_EVERY_MS) return
    statsToldMs = nowMs
    const stats = aggregation.stats()
    const text = JSON.stringify(stats)
    if (text !== statsTold) tell({ type: 'stats', stats })
    statsTold = text
  }

  return {
    async turn() {
      await listening.open()
      const leftMs = flush === null ? boundaryMs - clock.nowMs() : 0
      await datagrams.receive(Math.max(0, Math.min(RECEIVE_WAIT_MS_MAX, leftMs)))
      await flushWhenDue()
      records.send()
      tellStats()
    },
    handle(order) {
      if (order.type === 'recordsTaken') records.taken()
      else if (order.type === 'lost') aggregation.lost(order.reason, order.count)
      else {
        const bytes = Buffer.from(order.lines)
        aggregation.take(bytes, 0, bytes.length)
      }
    },
    async finish() {
      for (let turns = 0; turns < LAST_TURNS; turns += 1) await datagrams.receive(0)
      while (flush !== null) nextChunk()
      await startFlush()
      await datagrams.close()
      while (flush !== null) nextChunk()
      records.send(true)
      tellStats(true)
      tell({ type: 'stopped' })
    },
  }
}
