import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as yieldNow, setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import type { Store, StoredBatch } from '../core/ports.ts'
import { generateBatches } from '../test/support/generator-batches.ts'
import { BODIES, DAY, IN_FLIGHT, MINUTE_MS, PLANS } from './store-plans.ts'
import type { Row } from './store-table.ts'
import { HISTOGRAM_MS } from './store-truth.ts'
import { quantile } from './support.ts'

const RATE = Number(process.env['MIXED_RATE'] ?? 20_000)
export const MIXED_SECONDS = Number(process.env['MIXED_SECONDS'] ?? 30)
/** As a collector of a busy host fills them. */
const BATCH = 500
const HOUR_MS = 60 * MINUTE_MS
const never = new AbortController().signal

export interface Mixed {
  readonly rows: readonly Row[]
  readonly stored: number
}

/**
 * Stores records that follow the day at a steady rate while one client asks question after question. Batches are made in this thread
 * too, in small pieces, as the program's enrichment does it.
 */
export async function mixed(store: Store): Promise<Mixed> {
  const fromMs = DAY.toMs + MINUTE_MS
  const records = RATE * MIXED_SECONDS
  const hours = MIXED_SECONDS / 3_600
  const source = generateBatches({ seed: 2, records, batch: BATCH, fromMs, hours, bodies: BODIES })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const writing = new AbortController()
  const asking = askInTurns(store, fromMs, writing.signal)
  delay.enable()
  const startMs = performance.now()
  const stored = await writeSteadily(store, source)
  const seconds = (performance.now() - startMs) / 1_000
  delay.disable()
  writing.abort()
  const { tookMs, problem } = await asking
  return {
    stored,
    rows: [
      {
        what: 'mixed: records/s kept',
        result: stored / seconds,
        target: { atLeast: RATE * 0.98 },
        note: `${RATE}/s for ${MIXED_SECONDS} s, with ${tookMs.length} queries`,
      },
      {
        what: 'mixed: event loop delay p99',
        unit: 'ms',
        result: delay.percentile(99) / 1e6,
        target: { atMost: 20 },
        note: `max ${(delay.max / 1e6).toFixed(0)} ms; making the batches included`,
      },
      {
        what: 'mixed: query p50',
        unit: 'ms',
        result: quantile(tookMs, 0.5),
        ...(problem === null ? {} : { problem }),
      },
      { what: 'mixed: query p99', unit: 'ms', result: quantile(tookMs, 0.99) },
    ],
  }
}

/** Gives each batch when it is due; a few may be on their way. */
async function writeSteadily(store: Store, source: AsyncIterable<StoredBatch>): Promise<number> {
  const startMs = performance.now()
  const underway = new Set<Promise<unknown>>()
  let stored = 0
  for await (const batch of source) {
    const dueMs = startMs + (stored / RATE) * 1_000
    await sleep(Math.max(0, dueMs - performance.now()))
    while (underway.size >= IN_FLIGHT) await Promise.race(underway)
    const appended = store.append(batch, never).finally(() => underway.delete(appended))
    underway.add(appended)
    stored += batch.records.length
  }
  await Promise.all(underway)
  return stored
}

/** What people look at: the newest lines, a word, the last hours by level, where the errors are. */
async function askInTurns(store: Store, newFromMs: number, until: AbortSignal) {
  const now = { fromMs: newFromMs - HOUR_MS, toMs: newFromMs + HOUR_MS }
  const day = { fromMs: DAY.fromMs, toMs: now.toMs }
  const questions = [
    () => store.search({ plan: PLANS.common, range: now, limit: 100 }, never),
    () =>
      store.histogram({ plan: PLANS.everything, range: day, intervalMs: HISTOGRAM_MS, by: 'level' }, never),
    () => store.search({ plan: PLANS.pair, range: day, limit: 100 }, never),
    () => store.top({ plan: PLANS.errors, range: now, field: 'host', limit: 10 }, never),
    () => store.search({ plan: PLANS.service, range: now, limit: 100 }, never),
  ]
  const tookMs: number[] = []
  let problem: string | null = null
  for (let n = 0; !until.aborted; n++) {
    await yieldNow()
    const startMs = performance.now()
    try {
      await questions[n % questions.length]?.()
      tookMs.push(performance.now() - startMs)
    } catch (error) {
      problem ??= messageOf(error)
    }
  }
  return { tookMs, problem }
}
