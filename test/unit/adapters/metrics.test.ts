import { expect, test } from 'vitest'
import { createPrometheusMetrics } from '../../../adapters/metrics-prometheus.ts'

test('counters add, by label', async () => {
  const metrics = createPrometheusMetrics()
  const records = metrics.counter('noctule_records_total', 'Records.', ['fate'])
  records.add(2, { fate: 'stored' })
  records.add(3, { fate: 'stored' })
  records.add(1, { fate: 'refused' })
  const text = await metrics.text()
  expect(text).toContain('# HELP noctule_records_total Records.\n# TYPE noctule_records_total counter\n')
  expect(text).toContain('noctule_records_total{fate="stored"} 5\n')
  expect(text).toContain('noctule_records_total{fate="refused"} 1\n')
})

test('a gauge is read when the numbers are collected', async () => {
  const metrics = createPrometheusMetrics()
  let bytes = 1
  metrics.gauge('noctule_spool_bytes', 'Bytes in the spool.', () => bytes)
  bytes = 7
  expect(await metrics.text()).toMatch(/^noctule_spool_bytes 7$/m)
  bytes = 8
  expect(await metrics.text()).toMatch(/^noctule_spool_bytes 8$/m)
})

test('a histogram counts seconds in buckets', async () => {
  const metrics = createPrometheusMetrics()
  const seconds = metrics.histogram('noctule_append_seconds', 'Append.', ['store'])
  seconds.observe(0.004, { store: 'memory' })
  seconds.observe(20, { store: 'memory' })
  const text = await metrics.text()
  expect(text).toContain('noctule_append_seconds_bucket{le="0.005",store="memory"} 1\n')
  expect(text).toContain('noctule_append_seconds_bucket{le="30",store="memory"} 2\n')
  expect(text).toContain('noctule_append_seconds_sum{store="memory"} 20.004\n')
})

test('the process shows its own numbers, and two registries do not share any', async () => {
  const first = createPrometheusMetrics()
  const second = createPrometheusMetrics()
  first.counter('noctule_x_total', 'X.').add(1)
  expect(await first.text()).toMatch(/^process_resident_memory_bytes \d+$/m)
  expect(await first.text()).toMatch(/^noctule_x_total 1$/m)
  expect(await second.text()).not.toContain('noctule_x_total')
})

test('a name is registered once', () => {
  const metrics = createPrometheusMetrics()
  metrics.counter('noctule_x_total', 'X.')
  expect(() => metrics.counter('noctule_x_total', 'X.')).toThrow(/already been registered/)
})
