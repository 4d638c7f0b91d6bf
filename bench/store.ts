/**
 * The embedded store through its port: `RECORDS` (500000) records in batches of `BATCH` (1000), `IN_FLIGHT` (4) at once, then queries.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as yieldNow } from 'node:timers/promises'
import { openEmbeddedStore } from '../adapters/store-embedded/store.ts'
import type { Logger, Store, StoredBatch } from '../core/ports.ts'
import { parseQuery } from '../core/query/parse.ts'
import { storedBatch } from '../test/support/records.ts'
import type { RecordFields } from '../test/support/records.ts'
import { type Figures, cpuSeconds as cpuSecondsOf, quantile, report, rounded, rssPeakMib } from './support.ts'

const RECORDS = Number(process.env['RECORDS'] ?? 500_000)
const BATCH = Number(process.env['BATCH'] ?? 1_000)
const IN_FLIGHT = Number(process.env['IN_FLIGHT'] ?? 4)
const START_MS = Date.UTC(2025, 0, 1)
const RECORDS_PER_MS = 20
const REPEATS = 5
const QUERIES =
  process.env['QUERIES'] === '0'
    ? []
    : ['', 'timeout', 'level:error', 'connection refused', 'status:>=500', 'user_77', 'NOT info']

const log: Logger = { debug() {}, info() {}, warn: console.warn, error: console.error, child: () => log }
const cpuSeconds = () => cpuSecondsOf(process.pid)
const never = new AbortController().signal

/** Like an access log with a third of plain lines; about 200 bytes of text and attrs each. */
function record(n: number): Partial<RecordFields> {
  const random = (salt: number, below: number) => (Math.imul(n + salt, 2_654_435_761) >>> 8) % below
  const shared = {
    timeMs: START_MS + Math.floor(n / RECORDS_PER_MS) - random(1, 50),
    ingestedMs: START_MS + Math.floor(n / RECORDS_PER_MS),
    // A batch comes from one host, and in runs from one file.
    host: `web-${Math.floor(n / 1_000) % 40}.eu`,
    service: `service-${Math.floor(n / 100) % 13}`,
    path: '/var/log/app/access.log',
    offset: n * 200,
    pattern: `p${random(3, 60)}`,
  }
  if (n % 3 === 0) {
    const level = random(4, 20) === 0 ? ('error' as const) : ('info' as const)
    const what = level === 'error' ? 'connection refused, timeout' : 'request finished'
    return {
      ...shared,
      level,
      message: `${what} after ${random(5, 5000)} ms for user_${random(6, 9999)} in pool ${random(7, 9)}`,
    }
  }
  return {
    ...shared,
    level: 'info',
    message: `10.0.${random(8, 255)}.${random(9, 255)} "GET /api/v1/items/${random(10, 99_999)} HTTP/1.1" ${random(11, 999)}`,
    trace: random(12, 2 ** 24)
      .toString(16)
      .padStart(32, '0'),
    status: random(13, 30) === 0 ? 503 : 200,
    latencyMs: random(14, 9_000) / 10,
    bytes: random(15, 90_000),
    attrs: { user: `user_${random(16, 9_999)}`, method: 'GET', region: `r${random(17, 4)}` },
  }
}

/** Made in slices, so that the delay of the event loop is the store's and not the maker's. */
async function makeBatch(at: number): Promise<StoredBatch> {
  const fields: Partial<RecordFields>[] = []
  for (let n = at; n < Math.min(at + BATCH, RECORDS); n++) {
    if (n % 100 === 0) await yieldNow()
    fields.push(record(n))
  }
  const seq = at / BATCH + 1
  return storedBatch(fields, { seq, digest: String(seq).padStart(64, '0') })
}

/** Takes batch after batch; `IN_FLIGHT` at once. */
async function feed(take: (batch: StoredBatch) => Promise<unknown>): Promise<void> {
  let next = 0
  const sender = async () => {
    while (next < RECORDS) {
      const at = next
      next += BATCH
      await take(await makeBatch(at))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
}

/** CPU of making the batches, to be taken off. */
async function generateOnly(): Promise<number> {
  const before = cpuSeconds()
  await feed(async () => undefined)
  return cpuSeconds() - before
}

async function ingest(store: Store): Promise<number[]> {
  const tookMs: number[] = []
  await feed(async (batch) => {
    const started = performance.now()
    await store.append(batch, never)
    tookMs.push(performance.now() - started)
  })
  return tookMs
}

async function timed(name: string, run: () => Promise<unknown>): Promise<Figures> {
  const tookMs: number[] = []
  const cpu = cpuSeconds()
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now()
    await run()
    tookMs.push(performance.now() - started)
  }
  const cpuMs = ((cpuSeconds() - cpu) * 1000) / REPEATS
  return { [`${name} p50 ms`]: rounded(quantile(tookMs, 0.5)), [`${name} cpu ms`]: rounded(cpuMs) }
}

async function queries(store: Store): Promise<Figures> {
  const range = { fromMs: START_MS - 1_000, toMs: START_MS + RECORDS / RECORDS_PER_MS + 1 }
  const intervalMs = Math.ceil((range.toMs - range.fromMs) / 60)
  const figures: Record<string, number | string> = {}
  for (const text of QUERIES) {
    const plan = parseQuery(text, { nowMs: START_MS })
    const search = () => store.search({ plan, range, limit: 100 }, never)
    const histogram = () => store.histogram({ plan, range, intervalMs, by: 'level' }, never)
    Object.assign(figures, await timed(`search '${text}'`, search))
    Object.assign(figures, await timed(`histogram '${text}'`, histogram))
  }
  return figures
}

const generatedCpuS = await generateOnly()
const dir = mkdtempSync(join(tmpdir(), 'noctule-bench-'))
const options = { segmentRecords: 131_072, segmentAgeMsMax: 3_600_000, memoryMbMax: 384, threads: 2 }
const store = await openEmbeddedStore({ ...options, dir, log })
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const [startedMs, startedCpuS] = [performance.now(), cpuSeconds()]
const tookMs = await ingest(store)
const seconds = (performance.now() - startedMs) / 1000
delay.disable()
const cpuS = cpuSeconds() - startedCpuS - generatedCpuS
const rssMib = rssPeakMib(process.pid)
const found = await queries(store)
const { bytesOnDisk, records, segments } = await store.stats()
await store.close()
report('store', {
  records,
  'records/s': rounded(records / seconds, 0),
  'records/CPU-s': rounded(records / cpuS, 0),
  'append p50 ms': rounded(quantile(tookMs, 0.5)),
  'append p99 ms': rounded(quantile(tookMs, 0.99)),
  'event loop p99 ms': rounded(delay.percentile(99) / 1e6),
  'event loop max ms': rounded(delay.max / 1e6),
  'bytes/record on disk': rounded(bytesOnDisk / records),
  segments,
  'RSS peak of ingest MiB': rounded(rssMib),
  'RSS peak MiB': rounded(rssPeakMib(process.pid)),
  ...found,
})
rmSync(dir, { recursive: true })
