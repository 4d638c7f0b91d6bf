import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Metrics } from '../core/ports.ts'

/** From a lookup in memory to the longest deadline of a query. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** A registry of its own, with the process's metrics in it. A name registered twice throws: that is a bug. */
export function createPrometheusMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  return {
    counter(name, help, labelNames = []) {
      const counter = new Counter({ name, help, labelNames, registers })
      return { add: (value, labels = {}) => counter.inc(labels, value) }
    },
    gauge(name, help, read) {
      const gauge: Gauge = new Gauge({ name, help, collect: () => gauge.set(read()), registers: [] })
      registry.registerMetric(gauge)
    },
    histogram(name, help, labelNames = []) {
      const histogram = new Histogram({ name, help, labelNames, registers, buckets: BUCKETS_SECONDS })
      return { observe: (seconds, labels = {}) => histogram.observe(labels, seconds) }
    },
    text: () => registry.metrics(),
  }
}
