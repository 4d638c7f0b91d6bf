import type { BoardConfig } from '../core/config.ts'
import { LOST_METRIC } from '../core/metrics/types.ts'
import type { MetricAggregate } from '../core/metrics/types.ts'

interface Chart {
  readonly title: string
  readonly metric: string
  readonly tags?: readonly string[]
  readonly by?: readonly string[]
  readonly aggregate?: MetricAggregate | undefined
}

/** A page of charts, as the API gives it: everything named. */
export interface Board {
  readonly name: string
  readonly title: string
  /** False: of the configuration. */
  readonly builtIn: boolean
  readonly charts: readonly {
    readonly title: string
    readonly metric: string
    readonly tags: readonly string[]
    readonly by: readonly string[]
    readonly aggregate: MetricAggregate | null
  }[]
}

const HOST: readonly Chart[] = [
  { title: 'CPU busy, share of all cores', metric: 'host.cpu.busy', by: ['host'] },
  { title: 'CPU waiting for disks, share', metric: 'host.cpu.iowait', by: ['host'] },
  { title: 'Load, 1 minute', metric: 'host.load1', by: ['host'] },
  { title: 'Memory used, share', metric: 'host.memory.used_share', by: ['host'] },
  { title: 'Memory available, bytes', metric: 'host.memory.available_bytes', by: ['host'], aggregate: 'min' },
  { title: 'Disk used, share', metric: 'host.disk.used_share', by: ['host', 'mount'], aggregate: 'max' },
  { title: 'Network received, bytes/s', metric: 'host.network.received_bytes_per_s', by: ['host'] },
  { title: 'Network sent, bytes/s', metric: 'host.network.sent_bytes_per_s', by: ['host'] },
]

/** The program's own numbers, as adapters/metrics-statsd.ts names them. */
const NOCTULE: readonly Chart[] = [
  { title: 'statsd: packets/s', metric: 'noctule.statsd_packets', by: ['host'] },
  { title: 'statsd: lost, by reason', metric: LOST_METRIC, by: ['reason'], aggregate: 'sum' },
  { title: 'Lines collected/s', metric: 'noctule.collector_lines', by: ['host'] },
  { title: 'Lines dropped, by reason', metric: 'noctule.collector_drops', by: ['reason'], aggregate: 'sum' },
  {
    title: 'Waiting in files, bytes',
    metric: 'noctule.collector_behind_bytes',
    by: ['host'],
    aggregate: 'max',
  },
  { title: 'Waiting in the spool, bytes', metric: 'noctule.spool_bytes', by: ['host'], aggregate: 'max' },
  { title: 'Batches received/s, by result', metric: 'noctule.aggregator_batches', by: ['result'] },
  { title: 'Batch to store, p95 s', metric: 'noctule.aggregator_batch_seconds', aggregate: 'p95' },
  { title: 'Requests/s, by status', metric: 'noctule.http_requests', by: ['status'] },
  {
    title: 'Search, p95 s',
    metric: 'noctule.http_request_seconds',
    tags: ['route:/v1/search'],
    by: ['host'],
    aggregate: 'p95',
  },
  { title: 'Queries waiting', metric: 'noctule.queries_waiting', by: ['host'], aggregate: 'max' },
  { title: 'Kafka: messages behind', metric: 'noctule.kafka_lag_messages', by: ['host'], aggregate: 'max' },
]

const BUILT_IN: readonly Board[] = [
  board({ name: 'host', title: 'Hosts', charts: HOST }, true),
  board({ name: 'noctule', title: 'Noctule itself', charts: NOCTULE }, true),
]

/** The built-in boards and the configured ones; a configured one takes the place of a built-in one of its name. */
export function boardsOf(configured: readonly BoardConfig[]): readonly Board[] {
  const own = new Set(configured.map(({ name }) => name))
  const builtIn = BUILT_IN.filter(({ name }) => !own.has(name))
  return [...builtIn, ...configured.map((given) => board(given, false))]
}

function board(
  { name, title, charts }: { name: string; title: string; charts: readonly Chart[] },
  builtIn: boolean,
): Board {
  return {
    name,
    title,
    builtIn,
    charts: charts.map(({ title, metric, tags = [], by = [], aggregate = null }) => ({
      title,
      metric,
      tags,
      by,
      aggregate,
    })),
  }
}
