/**
 * The statsd aggregation without sockets, in one thread: CPU of taking metrics, one and many in a datagram, of few and of many series; memory
 * of 100,000 live series; how long a flush of them takes, and its longest chunk. `BENCH_STORE=1` keeps the figures as the baseline.
 */
import { createAggregation, type Aggregation } from '../collectors/statsd/aggregation.ts'
import { seededRandom } from '../test/support/random.ts'
import { report, rounded } from './support.ts'

const DATAGRAM_BYTES_MAX = 1_400
const FEW_SERIES = 50
const MANY_SERIES = 100_000
const METRICS = 1_000_000
const ROUNDS = 5
const FLUSH_MS = 10_000
/** Of a distribution in one interval. */
const VALUES_MIN = 10
const VALUES_MAX = 50

const random = seededRandom(1)

/** Half counters, a fifth gauges, the rest timers; three tags and the names of a real service. */
function lineOf(series: number): string {
  const tags = `|#env:prod,service:checkout,pod:p${series % 1_000}`
  const name = `shop.checkout.step_${Math.floor(series / 1_000)}`
  const kind = series % 10
  if (kind < 5) return `${name}.count:${1 + Math.floor(random() * 9)}|c${tags}`
  if (kind < 7) return `${name}.queue:${Math.floor(random() * 1_000)}|g${tags}`
  return `${name}.latency:${(random() * 250).toFixed(2)}|ms${tags}`
}

interface Traffic {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
}

function traffic(lines: readonly string[], isPacked: boolean): Traffic {
  const datagrams: string[] = []
  for (const line of lines) {
    const last = datagrams.at(-1)
    if (isPacked && last !== undefined && last.length + 1 + line.length <= DATAGRAM_BYTES_MAX) {
      datagrams[datagrams.length - 1] = `${last}\n${line}`
    } else datagrams.push(line)
  }
  let end = 0
  const ends = Uint32Array.from(datagrams, (datagram) => (end += datagram.length))
  return { bytes: Buffer.from(datagrams.join('')), ends }
}

function aggregation(): Aggregation {
  return createAggregation({
    flushMs: FLUSH_MS,
    seriesMax: 2 * MANY_SERIES,
    seriesPerNameMax: MANY_SERIES,
    lateMaxMs: 600_000,
    tags: { host: 'web-1' },
    nowMs: () => 1_700_000_000_000,
    onEvent: () => undefined,
    onServiceCheck: () => undefined,
  })
}

function takeAll(target: Aggregation, { bytes, ends }: Traffic): void {
  let start = 0
  for (const end of ends) {
    target.take(bytes, start, end)
    start = end
  }
}

/** Of this thread: other work on the machine does not count. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

let boundaryMs = 1_700_000_000_000

function flush(target: Aggregation) {
  boundaryMs += FLUSH_MS
  let longestMs = 0
  let bytes = 0
  let points = 0
  const begin = cpuMs()
  let before = begin
  for (const chunk of target.flush(boundaryMs)) {
    const now = cpuMs()
    longestMs = Math.max(longestMs, now - before)
    before = now
    bytes += chunk.bytes.length
    points += chunk.points
  }
  const end = cpuMs()
  return { ms: end - begin, longestMs: Math.max(longestMs, end - before), bytes, points }
}

/** CPU seconds of a million metrics, the best of some rounds after the first. */
function takeCost(series: number, isPacked: boolean): number {
  const order = Array.from({ length: METRICS }, () => Math.floor(random() * series))
  const datagrams = traffic(order.map(lineOf), isPacked)
  const target = aggregation()
  let best = Infinity
  for (let round = 0; round <= ROUNDS; round++) {
    const begin = cpuMs()
    takeAll(target, datagrams)
    if (round > 0) best = Math.min(best, cpuMs() - begin)
    flush(target)
  }
  return rounded((best / 1_000) * (1e6 / METRICS), 3)
}

/** An interval of every series: what comes, in random order. */
function interval(): Traffic {
  const order: number[] = []
  for (let series = 0; series < MANY_SERIES; series++) {
    const values = series % 10 < 7 ? 3 : VALUES_MIN + Math.floor(random() * (VALUES_MAX - VALUES_MIN + 1))
    for (let i = 0; i < values; i++) order.push(series)
  }
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    const kept = order[i] ?? 0
    order[i] = order[other] ?? 0
    order[other] = kept
  }
  return traffic(order.map(lineOf), true)
}

function liveSeries() {
  const datagrams = interval()
  globalThis.gc?.()
  const before = process.memoryUsage()
  const target = aggregation()
  const flushes = [1, 2, 3, 4, 5].map(() => {
    takeAll(target, datagrams)
    return flush(target)
  })
  takeAll(target, datagrams)
  const rss = process.memoryUsage().rss - before.rss
  globalThis.gc?.()
  const after = process.memoryUsage()
  const used = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  const steady = flushes.slice(1)
  return {
    'series live': target.stats().series,
    'first flush CPU-ms': rounded(flushes[0]?.ms ?? 0),
    'flush CPU-ms': rounded(Math.min(...steady.map(({ ms }) => ms))),
    'flush longest chunk CPU-ms': rounded(Math.max(...steady.map(({ longestMs }) => longestMs))),
    'flush MiB': rounded((flushes[0]?.bytes ?? 0) / 2 ** 20),
    'memory used MiB': rounded(used / 2 ** 20),
    'rss grown MiB': rounded(rss / 2 ** 20),
  }
}

report('statsd-engine', {
  ...liveSeries(),
  'one a datagram, 50 series, CPU-s/M': takeCost(FEW_SERIES, false),
  'packed, 50 series, CPU-s/M': takeCost(FEW_SERIES, true),
  'one a datagram, 100k series, CPU-s/M': takeCost(MANY_SERIES, false),
  'packed, 100k series, CPU-s/M': takeCost(MANY_SERIES, true),
})
