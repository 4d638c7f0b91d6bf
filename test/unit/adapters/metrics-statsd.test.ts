import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { createPrometheusMetrics } from '../../../adapters/metrics-prometheus.ts'
import { createStatsdMetrics, selfAddress, statsdName } from '../../../adapters/metrics-statsd.ts'
import type { StatsdAddress } from '../../../adapters/metrics-statsd.ts'
import { parseConfig } from '../../../core/config.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { quietLog } from '../../support/quiet-log.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12)
const never = new AbortController().signal

/** A UDP socket that keeps the lines that it gets. */
async function createListener() {
  const socket = createSocket('udp4')
  const lines: string[] = []
  let heard = () => {}
  socket.on('message', (datagram) => {
    lines.push(...datagram.toString().split('\n'))
    heard()
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  onTestFinished(() => void socket.close())
  return {
    to: { host: '127.0.0.1', port: socket.address().port },
    /** Everything that came since the last call, once a line has `last` in it. */
    async until(last: string): Promise<string[]> {
      while (!lines.some((line) => line.includes(last)))
        await new Promise<void>((resolve) => (heard = resolve))
      return lines.splice(0).toSorted()
    },
  }
}

function createMetrics(to: StatsdAddress | null) {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const warnings: string[] = []
  const log = { ...quietLog, warn: (_fields: object, message: string) => void warnings.push(message) }
  const inner = createPrometheusMetrics()
  const metrics = createStatsdMetrics({ inner, tags: { role: 'all' }, clock, log })
  return { clock, warnings, metrics, sender: metrics.sender(() => to) }
}

test.each([
  ['noctule_spool_bytes', 'noctule.spool_bytes'],
  ['noctule_http_requests_total', 'noctule.http_requests'],
  ['noctule_total_seconds', 'noctule.total_seconds'],
])('%s is sent as %s', (name, sent) => {
  expect(statsdName(name)).toBe(sent)
})

test('counters come once a second, gauges once in 10 s, histograms as distributions; all with their tags', async () => {
  const listener = await createListener()
  const { clock, metrics, sender } = createMetrics(listener.to)
  const requests = metrics.counter('noctule_http_requests_total', 'Requests.', ['route'])
  metrics.gauge('noctule_spool_bytes', 'Bytes.', () => 7)
  const seconds = metrics.histogram('noctule_http_request_seconds', 'Seconds.', ['route'])
  requests.add(1, { route: '/v1/top' }) // Before the start.
  await sender.start?.()

  requests.add(2, { route: '/v1/top' })
  requests.add(5, { route: 'a:b|c' })
  seconds.observe(0.25, { route: '/v1/top' })
  await clock.advance(1_000)
  expect(await listener.until('spool_bytes')).toEqual([
    'noctule.http_request_seconds:0.25|d|#role:all,route:/v1/top',
    'noctule.http_requests:3|c|#role:all,route:/v1/top',
    'noctule.http_requests:5|c|#role:all,route:a:b_c',
    'noctule.spool_bytes:7|g|#role:all',
  ])

  requests.add(4, { route: '/v1/top' })
  await clock.advance(1_000)
  expect(await listener.until('requests')).toEqual(['noctule.http_requests:4|c|#role:all,route:/v1/top'])
  await clock.advance(8_000)
  expect(await listener.until('spool_bytes')).toEqual(['noctule.spool_bytes:7|g|#role:all'])

  requests.add(6, { route: '/v1/top' })
  await sender.stop(never)
  expect(await listener.until('requests')).toEqual(['noctule.http_requests:6|c|#role:all,route:/v1/top'])
  expect(clock.timers).toBe(0)
  expect(await metrics.text()).toContain('noctule_http_requests_total{route="/v1/top"} 13\n')
})

test('of a flood of measurements a hundredth is sent, and says so', async () => {
  const listener = await createListener()
  const { clock, metrics, sender } = createMetrics(listener.to)
  const seconds = metrics.histogram('noctule_append_seconds', 'Append.')
  metrics.gauge('noctule_last', 'The last line of a second.', () => 1)
  await sender.start?.()
  for (let at = 0; at < 3_000; at += 1) seconds.observe(at)
  await clock.advance(1_000)
  const lines = await listener.until('noctule.last')
  const sampled = lines.filter((line) => line.includes('|@0.01|'))
  expect(lines.length - 1 - sampled.length).toBe(1_000)
  expect(sampled.length).toBeLessThan(200)
  await sender.stop(never)
})

test('a gauge that throws, is no number or is negative costs nobody else', async () => {
  const listener = await createListener()
  const { clock, warnings, metrics, sender } = createMetrics(listener.to)
  metrics.gauge('noctule_a', 'A.', () => {
    throw new Error('closed')
  })
  metrics.gauge('noctule_b', 'B.', () => NaN)
  metrics.gauge('noctule_c', 'C.', () => -1)
  metrics.gauge('noctule_d', 'D.', () => 0)
  await sender.start?.()
  await clock.advance(1_000)
  expect(await listener.until('noctule.d')).toEqual(['noctule.d:0|g|#role:all'])
  await clock.advance(20_000)
  expect(warnings).toHaveLength(1)
  await sender.stop(never)
})

test('nobody listens: nothing throws, and it stops', async () => {
  const gone = createSocket('udp4')
  gone.bind(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address()
  gone.close()
  const { clock, metrics, sender } = createMetrics({ host: '127.0.0.1', port })
  const counter = metrics.counter('noctule_a_total', 'A.')
  await sender.start?.()
  counter.add(1)
  await clock.advance(3_000)
  counter.add(1)
  await sender.stop(never)
})

test('without an address nothing is sent', async () => {
  const { clock, metrics, sender } = createMetrics(null)
  metrics.counter('noctule_a_total', 'A.').add(1)
  await sender.start?.()
  metrics.histogram('noctule_b_seconds', 'B.').observe(1)
  expect(clock.timers).toBe(0)
  await sender.stop(never)
})

test('it does not keep the process alive', async () => {
  const script = `
    const { createStatsdMetrics } = await import('./adapters/metrics-statsd.ts')
    const { createPrometheusMetrics } = await import('./adapters/metrics-prometheus.ts')
    const { systemClock: clock } = await import('./core/clock.ts')
    const to = () => ({ host: '127.0.0.1', port: 9 })
    const metrics = createStatsdMetrics({ inner: createPrometheusMetrics(), tags: {}, clock, log: console })
    await metrics.sender(to).start()
    metrics.histogram('noctule_a_seconds', 'A.').observe(1)`
  const cwd = new URL('../../..', import.meta.url)
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    timeout: 20_000,
  })
  expect(await run).toEqual({ stdout: '', stderr: '' })
})

test.each([
  ['the collector of this process', {}, 4_711, { host: '127.0.0.1', port: 4_711 }],
  ['the collector beside us', {}, null, { host: '127.0.0.1', port: 8_125 }],
  ['every address', { collector: { statsd: { host: '::' } } }, 4_711, { host: '::1', port: 4_711 }],
  ['any port of another process', { collector: { statsd: { port: 0 } } }, null, null],
  ['no statsd', { collector: { statsd: { enabled: false } } }, null, null],
  ['elsewhere', { metrics: { selfTo: 'stats:9125' } }, 4_711, { host: 'stats', port: 9_125 }],
  ['nowhere', { metrics: { selfTo: null } }, 4_711, null],
])('the own numbers go to %s', (_what, given, port, address) => {
  expect(selfAddress(parseConfig(JSON.stringify(given), {}), port)).toEqual(address)
})
