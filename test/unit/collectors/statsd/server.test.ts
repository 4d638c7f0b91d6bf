import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { throughMs } from '../../../../collectors/statsd/server.ts'
import { createUdpSender, createUnixSender } from '../../../support/datagram-sender.ts'
import { startStatsd, type StatsdUnderTest } from '../../../support/statsd.ts'

const NOW_MS = Date.UTC(2026, 0, 1)
const running: StatsdUnderTest[] = []
const until = (holds: () => void) => vi.waitFor(holds, { interval: 5, timeout: 10_000 })

async function start(...options: Parameters<typeof startStatsd>): Promise<StatsdUnderTest> {
  const statsd = await startStatsd(...options)
  running.push(statsd)
  return statsd
}

async function send(port: number, ...texts: string[]): Promise<void> {
  const socket = createSocket('udp4')
  for (const text of texts) await new Promise((sent) => socket.send(text, port, '127.0.0.1', sent))
  socket.close()
}

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ server }) => server.stop()))
})

test('it says where it listens, what it took, and what was lost', async () => {
  const { port, announced, counts, server, finish } = await start()
  expect(announced).toEqual([`taking statsd on udp 127.0.0.1:${port}`])
  await send(port, 'a:1|c\nb:2|g', 'nonsense')
  await until(() => expect(server.status()).toMatchObject({ series: 2, metrics: 2, packets: 2 }))
  expect(server.status()).toMatchObject({ lost: { malformed: 1 }, problem: null, port, socket: null })
  expect(server.status().badLines).toMatchObject([{ line: 'nonsense' }])
  const { point } = await finish()
  expect(point('noctule.statsd.lost')).toMatchObject({
    series: { kind: 'counter', tags: { reason: 'malformed', host: 'web-1' } },
    sum: 1,
  })
  expect(Object.fromEntries(counts)).toMatchObject({
    noctule_statsd_packets_total: 2,
    noctule_statsd_metrics_total: 2,
    'noctule_statsd_lost_total malformed': 1,
    noctule_statsd_points_total: 3,
  })
})

test('lines that were lost are named in the log, at most once a minute', async () => {
  const { port, logged, server } = await start()
  const warnings = () => logged.filter((line) => line.startsWith('statsd: metrics were lost'))
  await send(port, 'nonsense')
  await until(() => expect(warnings()).toHaveLength(1))
  expect(warnings()[0]).toContain('nonsense')
  await send(port, 'more nonsense')
  await until(() => expect(server.status().lost).toEqual({ malformed: 2 }))
  expect(warnings()).toHaveLength(1)
})

test("the collector's own lines are taken like a datagram", async () => {
  const { server, finish } = await start()
  server.take('host.load1:0.5|g\nhost.cpu.busy:0.25|g|#core:all')
  const { point } = await finish()
  expect(point('host.load1')).toMatchObject({ last: 0.5 })
  expect(point('host.cpu.busy').series.tags).toEqual({ host: 'web-1', core: 'all' })
})

test('with a second as its width it flushes by itself, and what is over and numbered counts as read', async () => {
  const { port, counts, server, finish } = await start('collector: { statsd: { flush: 1s } }')
  await send(port, 'a:1|c')
  await until(() => expect(counts.get('noctule_statsd_points_total')).toBe(1))
  await until(() => expect(performance.now() - (server.readThroughMs() ?? 0)).toBeLessThan(900))
  await send(port, 'a:2|c')
  const { point } = await finish()
  expect(point('a')).toMatchObject({ stepMs: 1_000, sum: 3 })
})

test('a port that is taken is told once, and everything else goes on', async () => {
  const other = createSocket('udp4')
  other.bind(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address()
  const { server, announced, logged, finish } = await start('', { port })
  expect(server.status()).toMatchObject({
    port: null,
    problem: expect.stringContaining(`cannot take statsd on udp 127.0.0.1:${port}`) as string,
  })
  expect(announced).toEqual([])
  expect(logged.filter((line) => line.includes('EADDRINUSE'))).toHaveLength(1)
  server.take('own:1|g')
  const { point } = await finish()
  expect(point('own').last).toBe(1)
  other.close()
})

test('a thread that cannot run is a problem that is told, and nothing waits for it', async () => {
  const tags = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`t${index}`, 'v']))
  const { server, logged } = await start('', { tags })
  expect(server.status()).toMatchObject({ port: null, problem: expect.stringContaining('tags') as string })
  expect(logged).toContainEqual(expect.stringContaining('the thread of statsd failed'))
  server.take('a:1|c')
  await server.numbered(AbortSignal.timeout(1_000))
})

test.each([
  { name: 'while an interval is open', flushedMs: NOW_MS - 9_999, waitingMs: null, behindMs: 0 },
  { name: 'in the moment in which it ends', flushedMs: NOW_MS - 10_000, waitingMs: null, behindMs: 1 },
  { name: 'while it is flushed', flushedMs: NOW_MS - 10_200, waitingMs: null, behindMs: 201 },
  { name: 'of a thread that hangs', flushedMs: NOW_MS - 20_000, waitingMs: null, behindMs: 0 },
  { name: 'while it waits for the spool', flushedMs: NOW_MS - 200, waitingMs: NOW_MS - 200, behindMs: 201 },
  { name: 'while the spool is full', flushedMs: NOW_MS - 200, waitingMs: NOW_MS - 60_200, behindMs: 60_201 },
  { name: 'of a clock that was put back', flushedMs: NOW_MS + 90_000, waitingMs: null, behindMs: 0 },
])('read through $name', ({ flushedMs, waitingMs, behindMs }) => {
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 1_000_000 }
  expect(1_000_000 - throughMs({ flushedMs, waitingMs, flushMs: 10_000, clock })).toBe(behindMs)
})

test.skipIf(process.platform !== 'linux')('a Unix socket loses nothing (Linux)', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'noctule-statsd-'))
  const path = join(dir, 's.sock')
  const { announced, server, port, finish } = await start(`collector: { statsd: { socket: "${path}" } }`)
  expect(announced).toEqual([`taking statsd on udp 127.0.0.1:${port}`, `taking statsd on unix ${path}`])
  expect(server.status()).toMatchObject({ port, socket: path })
  const sender = createUnixSender(path)
  for (let index = 0; index < 5_000; index += 1) sender.send(Buffer.from('a:1|c'))
  const long = `${'b:1|c\n'.repeat(12_000)}never:1|c`
  sender.send(Buffer.from(long))
  sender.close()
  const { point, points } = await finish()
  expect(point('a').sum).toBe(5_000)
  // A datagram that is too long: its whole lines count, and it is told.
  expect(point('b').sum).toBe(Math.floor(65_536 / 6))
  expect(point('noctule.statsd.lost')).toMatchObject({ series: { tags: { reason: 'packet' } }, sum: 1 })
  expect(points.size).toBe(3)
  await rm(dir, { recursive: true })
})

test.skipIf(process.platform !== 'linux')(
  'what the kernel drops is lost metrics (Linux: it counts)',
  async () => {
    const statsd = await start('collector: { statsd: { receiveBufferBytes: 4096 } }')
    const sender = createUdpSender(statsd.port)
    const packet = Buffer.from('a:1|c'.padEnd(1_400, '\n'))
    let sent = 0
    // Until something was dropped: how much is sent before the thread wakes up is up to the machine.
    const flood = () => {
      for (let index = 0; index < 1_000; index += 1, sent += 1) sender.send(packet)
    }
    for (let times = 0; times < 20; times += 1) flood()
    sender.close()
    const { point } = await statsd.finish()
    const lost = point('noctule.statsd.lost')
    expect(lost.series.tags['reason']).toBe('kernel')
    expect(point('a').sum + lost.sum).toBe(sent)
  },
)
