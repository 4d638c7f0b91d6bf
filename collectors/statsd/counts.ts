import type { Clock, Logger, Metrics } from '../../core/ports.ts'
import type { AggregationStats } from './aggregation.ts'

/** What was taken and lost since the start, as status, as the program's own numbers, and in its log. */
export interface StatsdCounts {
  update(stats: AggregationStats): void
  /** The thread counts from zero again. */
  restarted(): void
  flushed(tookMs: number): void
  numbered(points: number): void
  status(): Pick<AggregationStats, 'series' | 'metrics' | 'packets' | 'cut' | 'overflowing' | 'badLines'> & {
    readonly lost: Readonly<Record<string, number>>
  }
}

/** Losses are logged at most so often. */
const COMPLAIN_EVERY_MS = 60_000
const SAMPLES_MAX = 5
const NOTHING: AggregationStats = {
  series: 0,
  metrics: 0,
  packets: 0,
  lost: {},
  cut: 0,
  overflowing: [],
  badLines: [],
}

export interface StatsdCountsOptions {
  readonly metrics: Metrics
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Logger
}

export function createStatsdCounts({ metrics, clock, log }: StatsdCountsOptions): StatsdCounts {
  const packets = metrics.counter('noctule_statsd_packets_total', 'Datagrams of statsd taken.')
  const values = metrics.counter('noctule_statsd_metrics_total', 'Values of statsd taken.')
  const losses = metrics.counter('noctule_statsd_lost_total', 'Metrics or datagrams lost, at least.', [
    'reason',
  ])
  const points = metrics.counter('noctule_statsd_points_total', 'Metric points numbered.')
  const flushes = metrics.histogram('noctule_statsd_flush_seconds', 'How long flushes of statsd took.')
  let told = NOTHING // By the thread that runs.
  let sum = { metrics: 0, packets: 0, cut: 0, lost: {} as Record<string, number> }
  let complained: Readonly<Record<string, number>> = {}
  let complainedMs = -Infinity
  metrics.gauge('noctule_statsd_series', 'Live series of statsd.', () => told.series)

  /** Says what was lost since it said so last. */
  function complain(): void {
    const nowMs = clock.monotonicMs()
    const news = Object.entries(sum.lost)
      .map(([reason, count]): [string, number] => [reason, count - (complained[reason] ?? 0)])
      .filter(([, count]) => count > 0)
    if (news.length === 0 || nowMs - complainedMs < COMPLAIN_EVERY_MS) return
    complainedMs = nowMs
    complained = sum.lost
    const badLines = told.badLines.slice(-SAMPLES_MAX)
    const overflowing = told.overflowing.slice(0, SAMPLES_MAX)
    log.warn({ lost: Object.fromEntries(news), badLines, overflowing }, 'statsd: metrics were lost')
  }

  return {
    update(stats) {
      const lost = { ...sum.lost }
      for (const [reason, count] of Object.entries(stats.lost)) {
        const more = count - ((told.lost as Record<string, number>)[reason] ?? 0)
        lost[reason] = (lost[reason] ?? 0) + more
        losses.add(more, { reason })
      }
      packets.add(stats.packets - told.packets)
      values.add(stats.metrics - told.metrics)
      sum = {
        packets: sum.packets + stats.packets - told.packets,
        metrics: sum.metrics + stats.metrics - told.metrics,
        cut: sum.cut + stats.cut - told.cut,
        lost,
      }
      told = stats
      complain()
    },
    restarted() {
      told = NOTHING
    },
    flushed: (tookMs) => flushes.observe(tookMs / 1_000),
    numbered: (count) => points.add(count),
    status: () => ({ ...sum, series: told.series, overflowing: told.overflowing, badLines: told.badLines }),
  }
}
