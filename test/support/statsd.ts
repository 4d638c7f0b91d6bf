import { createBatcher } from '../../collectors/batcher.ts'
import { createStatsdServer } from '../../collectors/statsd/server.ts'
import { systemClock } from '../../core/clock.ts'
import { parseConfig, type StatsdConfig } from '../../core/config.ts'
import { decodeMetricLines, seriesKey } from '../../core/metrics/wire.ts'
import type { MetricPoint } from '../../core/metrics/types.ts'
import type { Logger, Metrics } from '../../core/ports.ts'
import { createDistribution } from '../../core/sketch/distribution.ts'
import { createMembers } from '../../core/sketch/members.ts'
import { decodeFrame } from '../../core/wire.ts'
import { createMemorySpool } from './memory-spool.ts'

/** The statsd server with its thread and its sockets, over a spool in memory. */
export interface StatsdUnderTest {
  readonly port: number
  readonly announced: readonly string[]
  readonly logged: readonly string[]
  /** Own counters, by name and labels. */
  readonly counts: ReadonlyMap<string, number>
  readonly server: ReturnType<typeof createStatsdServer>
  /** Stops it, and gives what it made of everything that was sent. */
  readonly finish: () => Promise<StatsdResult>
}

export interface StatsdResult {
  /** Points of the same series are added up. */
  readonly points: ReadonlyMap<string, MetricPoint>
  /** The only point of that name. */
  readonly point: (name: string) => MetricPoint
  readonly records: readonly Record<string, unknown>[]
}

const DESTINATION = 'd'

/** `more`: what no configuration can say, or what it says otherwise. */
export async function startStatsd(yaml = '', more: Partial<StatsdConfig> = {}): Promise<StatsdUnderTest> {
  const { collector } = parseConfig(yaml === '' ? null : yaml, {})
  const config = { ...collector, host: 'web-1', statsd: { ...collector.statsd, port: 0, ...more } }
  const spool = createMemorySpool([DESTINATION])
  const announced: string[] = []
  const logged: string[] = []
  const counts = new Map<string, number>()
  const log = loggerTo(logged)
  const shared = { spool, clock: systemClock, log, random: Math.random }
  const batcher = createBatcher({ ...shared, host: config.host, bounds: config.batch })
  const announce = (line: string) => void announced.push(line)
  const server = createStatsdServer({ ...shared, config, batcher, metrics: metricsTo(counts), announce })
  await server.start()

  async function batches() {
    const { signal } = new AbortController()
    return Promise.all(
      spool.headers.map(async () => decodeFrame((await spool.take(DESTINATION, signal)).frame)),
    )
  }

  return {
    port: server.status().port ?? 0,
    announced,
    logged,
    counts,
    server,
    async finish() {
      const signal = AbortSignal.timeout(10_000)
      await server.stop()
      await Promise.all([server.numbered(signal), batcher.flush(signal)])
      const points = new Map<string, MetricPoint>()
      const records: Record<string, unknown>[] = []
      for (const { header, body } of await batches()) {
        if (header.kind === 'metrics') addPoints(points, body)
        else
          for (const line of body.toString().split('\n').slice(0, -1)) records.push(JSON.parse(line) as never)
      }
      return { points, records, point: (name) => onlyPoint(points, name) }
    },
  }
}

function addPoints(points: Map<string, MetricPoint>, body: Buffer): void {
  const decoded = decodeMetricLines(body)
  if (decoded.bad.length > 0) throw new Error(`bad lines: ${JSON.stringify(decoded.bad)}`)
  for (const point of decoded.points) {
    const key = seriesKey(point.series)
    const before = points.get(key)
    points.set(key, before === undefined ? point : added(before, point))
  }
}

/** As the store does. */
function added(one: MetricPoint, other: MetricPoint): MetricPoint {
  return {
    ...other,
    count: one.count + other.count,
    sum: one.sum + other.sum,
    min: Math.min(one.min, other.min),
    max: Math.max(one.max, other.max),
    sketch: mergedSketch(one, other),
  }
}

function mergedSketch({ series, sketch }: MetricPoint, other: MetricPoint): Uint8Array | null {
  if (sketch === null || other.sketch === null) return null
  const merged = series.kind === 'set' ? createMembers(sketch) : createDistribution(sketch)
  merged.merge(other.sketch)
  return merged.encode()
}

function onlyPoint(points: ReadonlyMap<string, MetricPoint>, name: string): MetricPoint {
  const [point, ...others] = [...points.values()].filter(({ series }) => series.name === name)
  if (point === undefined || others.length > 0)
    throw new Error(
      `${point === undefined ? 0 : 1 + others.length} series ${name} of ${[...points.keys()].join()}`,
    )
  return point
}

function loggerTo(lines: string[]): Logger {
  const say = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log }
  return log
}

function metricsTo(counts: Map<string, number>): Metrics {
  return {
    counter: (name) => ({
      add(value, labels = {}) {
        const key = [name, ...Object.values(labels)].join(' ')
        counts.set(key, (counts.get(key) ?? 0) + value)
      },
    }),
    gauge: () => undefined,
    histogram: () => ({ observe: () => undefined }),
    text: () => Promise.resolve(''),
  }
}
