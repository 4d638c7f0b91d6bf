/**
 * The metric store in files: `bench/metrics.ts`. A hundred series of counters and a hundred of distributions for a week, then questions;
 * and batches of 100,000 points of as many series.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedMetricStore } from '../adapters/metric-store-embedded.ts'
import { createPointDecoder } from '../aggregator/metric-points.ts'
import { nodeFs } from '../core/fs.ts'
import type { MetricPoint } from '../core/metrics/types.ts'
import { encodeMetricLine } from '../core/metrics/wire.ts'
import type { MetricStore } from '../core/ports.ts'
import { createFakeClock, type FakeClock } from '../test/support/fake-clock.ts'
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  RETENTION,
  metricBatch,
  metricPoint,
  metricQuery,
} from '../test/support/metric-store-under-test.ts'
import { quietLog } from '../test/support/quiet-log.ts'
import { seededRandom } from '../test/support/random.ts'
import { quantile, report, rounded, type Figures } from './support.ts'

const SERIES = 100
const DAYS = 7
/** Of the week's points: what is asked is made of minutes and hours, whose number does not depend on it. */
const STEP_MS = 60_000
/** Steps that a backlog sends as one batch: only how fast this bench fills. */
const STEPS_PER_BATCH = 60
const START_MS = Date.UTC(2025, 5, 1)
const REPEATS = 7
const WIDE_STEP_MS = 10_000
const never = new AbortController().signal
const random = seededRandom(1)
const decodePoints = createPointDecoder()
const yieldNow = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Latencies of a step; some different ones are enough, they are merged all the same. */
const latencies = Array.from({ length: 200 }, () =>
  metricPoint(
    { kind: 'distribution' },
    0,
    Array.from({ length: 20 }, () => Math.round(Math.exp(3 + 2 * random()) * 100) / 100),
  ),
)

function pointsAt(startMs: number): MetricPoint[] {
  return Array.from({ length: SERIES }, (_, at) => {
    const tags = { env: 'prod', host: `web-${at}`, service: 'shop', site: 'eu' }
    const latency = latencies[Math.floor(random() * latencies.length)] ?? metricPoint({}, 0)
    return [
      metricPoint({ name: 'shop.orders', tags }, startMs, [Math.floor(random() * 1_000)]),
      { ...latency, startMs, series: { name: 'shop.latency', kind: 'distribution' as const, tags } },
    ]
  }).flat()
}

async function fill(store: MetricStore, clock: FakeClock): Promise<number> {
  let points = 0
  for (let atMs = START_MS; atMs < START_MS + DAYS * DAY_MS; atMs += STEPS_PER_BATCH * STEP_MS) {
    const batch = Array.from({ length: STEPS_PER_BATCH }, (_, step) => pointsAt(atMs + step * STEP_MS)).flat()
    points += batch.length
    await clock.advance(STEPS_PER_BATCH * STEP_MS)
    await store.append(metricBatch(batch), never)
  }
  return points
}

interface Effort {
  readonly wallMs: number
  /** Of the main thread. */
  readonly cpuMs: number
  /** How long the event loop stood still at most. */
  readonly pauseMs: number
}

const PROBE_MS = 5

async function measured(work: () => Promise<unknown>): Promise<Effort> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(PROBE_MS)
  delay.reset()
  const before = process.threadCpuUsage()
  const startedMs = performance.now()
  await work()
  const wallMs = performance.now() - startedMs
  const { user, system } = process.threadCpuUsage(before)
  // A pause is noticed when it is over.
  await sleep(PROBE_MS)
  delay.disable()
  return { wallMs, cpuMs: (user + system) / 1_000, pauseMs: delay.max / 1e6 }
}

/** The machine may be busy with other things: the least of each is nearest to what the work takes. */
async function least(work: () => Promise<unknown>): Promise<Effort> {
  const efforts: Effort[] = []
  for (let repeat = 0; repeat < REPEATS; repeat += 1) efforts.push(await measured(work))
  const leastOf = (name: keyof Effort) => Math.min(...efforts.map((effort) => effort[name]))
  return { wallMs: leastOf('wallMs'), cpuMs: leastOf('cpuMs'), pauseMs: leastOf('pauseMs') }
}

async function questions(store: MetricStore): Promise<Figures> {
  const toMs = START_MS + DAYS * DAY_MS - 3.3 * MINUTE_MS
  const week = { fromMs: toMs - DAYS * DAY_MS + HOUR_MS, toMs }
  const day = { fromMs: toMs - DAY_MS, toMs }
  const orders = { name: 'shop.orders', by: ['host'], aggregates: ['rate'] } as const
  const latency = { name: 'shop.latency', by: ['host'], aggregates: ['p95'] } as const
  const asked: Readonly<Record<string, Parameters<typeof metricQuery>[0]>> = {
    'week by host, 1 h, rate': { ...orders, range: week, stepMs: HOUR_MS },
    'week by host, 10 min, rate': { ...orders, range: week, stepMs: 10 * MINUTE_MS },
    'week by host, 1 h, p95': { ...latency, range: week, stepMs: HOUR_MS },
    'week in one line, 1 h, p95': { ...latency, by: [], range: week, stepMs: HOUR_MS },
    'week by host, 10 min, p95': { ...latency, range: week, stepMs: 10 * MINUTE_MS },
    'day by host, 1 min, rate': { ...orders, range: day, stepMs: MINUTE_MS },
    'day by host, 1 min, p95': { ...latency, range: day, stepMs: MINUTE_MS },
  }
  const figures: Record<string, number> = {}
  let pauseMs = 0
  for (const [name, fields] of Object.entries(asked)) {
    const effort = await least(() => store.query(metricQuery(fields), never))
    figures[`${name} (ms)`] = rounded(effort.wallMs)
    figures[`… CPU (ms): ${name}`] = rounded(effort.cpuMs)
    pauseMs = Math.max(pauseMs, effort.pauseMs)
  }
  const names = await least(() => store.names({ prefix: '', range: week, limit: 100 }, never))
  return {
    ...figures,
    'names of a week (ms)': rounded(names.wallMs),
    'longest pause of a question (ms)': rounded(pauseMs),
  }
}

/** Wide batches: as many series as a collector may have. */
async function wide(store: MetricStore, clock: FakeClock): Promise<Figures> {
  const width = 100_000
  const decodes: Effort[] = []
  const appends: Effort[] = []
  let rssMib = 0
  for (let repeat = 0; repeat < 12; repeat += 1) {
    const startMs = clock.nowMs()
    const points = Array.from({ length: width }, (_, at) => {
      const tags = { env: 'prod', host: `web-${at % 500}`, route: `/r/${Math.floor(at / 500)}`, tier: 'web' }
      return metricPoint({ name: `app.m${at % 20}`, tags }, startMs - (startMs % WIDE_STEP_MS), [at % 977])
    })
    const body = Buffer.from(points.map((point) => `${encodeMetricLine(point)}\n`).join(''))
    let decoded: readonly MetricPoint[] = []
    decodes.push(
      await measured(async () => {
        decoded = (await decodePoints(body, { site: 'eu', yieldNow })).points
      }),
    )
    appends.push(await measured(() => store.append(metricBatch(decoded), never)))
    rssMib = Math.max(rssMib, process.memoryUsage().rss / 2 ** 20)
    await clock.advance(WIDE_STEP_MS)
  }
  const median = (efforts: readonly Effort[], name: keyof Effort) =>
    rounded(
      quantile(
        efforts.map((effort) => effort[name]),
        0.5,
      ),
    )
  const [first] = appends
  return {
    'decode 100,000 lines, CPU (ms)': median(decodes, 'cpuMs'),
    'append 100,000 points (ms)': median(appends, 'wallMs'),
    'append, main thread CPU (ms)': median(appends, 'cpuMs'),
    'first append, main thread CPU (ms)': rounded(first?.cpuMs ?? 0),
    'pause of the first append (ms)': rounded(first?.pauseMs ?? 0),
    'pause of an append, median (ms)': median(appends, 'pauseMs'),
    'pause of an append, longest (ms)': rounded(Math.max(...appends.map(({ pauseMs }) => pauseMs))),
    'resident while sealing (MiB)': rounded(rssMib, 0),
  }
}

const dir = await mkdtemp(join(tmpdir(), 'noctule-metrics-'))
const clock = createFakeClock({ nowMs: START_MS })
const options = { retention: RETENTION, seriesMax: 1_000_000, clock, fs: nodeFs, log: quietLog }
try {
  const store = await openEmbeddedMetricStore({ ...options, dir: join(dir, 'week') })
  const startedMs = performance.now()
  const points = await fill(store, clock)
  const fillS = (performance.now() - startedMs) / 1_000
  const { bytesOnDisk, resolutions } = await store.stats()
  const kept = resolutions.raw.points + resolutions.minute.points + resolutions.hour.points
  // Purging waits until everything is sealed and merged.
  await store.purge()
  const answers = await questions(store)
  await store.close()
  const other = await openEmbeddedMetricStore({ ...options, dir: join(dir, 'wide') })
  const appended = await wide(other, clock)
  await other.close()
  report('metrics', {
    'points of the week': points,
    'filled (points/s)': Math.round(points / fillS),
    'kept points': kept,
    'bytes a kept point': rounded(bytesOnDisk / kept, 2),
    ...answers,
    ...appended,
  })
} finally {
  await rm(dir, { recursive: true, force: true })
}
