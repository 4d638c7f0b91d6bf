import { createSocket } from 'node:dgram'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { createCollector } from '../../../collectors/collector.ts'
import { systemClock } from '../../../core/clock.ts'
import { parseConfig } from '../../../core/config.ts'
import { ServiceError } from '../../../core/errors.ts'
import type { Metrics, TransportSender } from '../../../core/ports.ts'
import { decodeFrame, markSchema, type Mark } from '../../../core/wire.ts'
import { createMemorySpool } from '../../support/memory-spool.ts'
import { quietLog } from '../../support/quiet-log.ts'

/** The whole collector on a real folder and in real time, over a spool in memory. */
async function setUp({ down = false, statsd = false } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'noctule-collector-'))
  const spool = createMemorySpool(['d'])
  const texts: string[] = []
  const marks: Mark[] = []
  const counts = new Map<string, number>()
  const sender: TransportSender = {
    async send(frame) {
      if (down) throw new ServiceError('UNREACHABLE', 'nobody there')
      const { body } = await decodeFrame(frame)
      texts.push(...body.toString().split('\n').slice(0, -1))
    },
    sendMark(mark) {
      marks.push(markSchema.parse(mark))
      return Promise.resolve()
    },
    sendHealth: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  const metrics: Metrics = {
    counter: (name) => ({ add: (value) => void counts.set(name, (counts.get(name) ?? 0) + value) }),
    gauge: () => undefined,
    histogram: () => ({ observe: () => undefined }),
    text: () => Promise.resolve(''),
  }
  const files = [{ paths: [join(dir, '**/*.log')], exclude: [], labels: {} }]
  const { collector: base } = parseConfig(null, { NOCTULE_STATSD_PORT: '0' })
  const config = { ...base, host: 'web-1', files, statsd: { ...base.statsd, enabled: statsd } }
  const senders = new Map([['d', sender]])
  const collector = createCollector({
    config,
    version: '1.2.3',
    spool,
    senders,
    clock: systemClock,
    log: quietLog,
    metrics,
  })
  await collector.start()
  const until = (holds: () => void) => vi.waitFor(holds, { interval: 2, timeout: 5_000 })
  return { dir, spool, texts, marks, counts, collector, until, cleanUp: () => rm(dir, { recursive: true }) }
}

test('an appended line is delivered, the mark says so, and the goodbye comes last', async () => {
  const { dir, texts, marks, counts, collector, until, cleanUp } = await setUp()
  await writeFile(join(dir, 'a.log'), 'one\n')
  await until(() => expect(texts).toEqual(['one']))
  await appendFile(join(dir, 'a.log'), 'two\n')
  await until(() => expect(texts).toEqual(['one', 'two']))
  await until(() => expect(marks.at(-1)?.readAgeMs).toBeTypeOf('number'))
  const status = collector.status()
  expect(status).toMatchObject({ host: 'web-1', held: null, files: { files: 1, problems: [] } })
  expect(counts.get('noctule_collector_lines_total')).toBe(2)
  await collector.stop(AbortSignal.timeout(5_000))
  const goodbye = marks.at(-1)
  expect(goodbye?.goodbye).toBe(true)
  expect(goodbye?.epochs.at(-1)?.pending).toEqual([])
  expect(marks.slice(0, -1).some((mark) => mark.goodbye)).toBe(false)
  await cleanUp()
})

test('an appended line is seen within a second, a watched one at once', async () => {
  const { dir, texts, collector, until, cleanUp } = await setUp()
  await writeFile(join(dir, 'a.log'), 'warm up\n')
  await until(() => expect(texts).toHaveLength(1))
  const tookMs: number[] = []
  for (let i = 0; i < 5; i++) {
    const startMs = performance.now()
    await appendFile(join(dir, 'a.log'), `${i}\n`)
    await until(() => expect(texts).toHaveLength(i + 2))
    tookMs.push(performance.now() - startMs)
  }
  expect(tookMs.toSorted((a, b) => a - b)[2]).toBeLessThan(1_000)
  await collector.stop(AbortSignal.timeout(5_000))
  await cleanUp()
})

test('a stop with a dead destination ends with the signal; everything is numbered and pending', async () => {
  const { dir, spool, marks, collector, until, cleanUp } = await setUp({ down: true })
  await writeFile(join(dir, 'a.log'), 'one\ntwo\n')
  await until(() => expect(spool.lines()).toHaveLength(2))
  await until(() => expect(collector.status().destinations[0]?.problem).toBe('nobody there'))
  await collector.stop(AbortSignal.timeout(100))
  expect(marks.at(-1)).toMatchObject({ goodbye: true, epochs: [{ lastSeq: 1, pending: [{ records: 2 }] }] })
  await cleanUp()
})

test('statsd is taken beside files; what came before a stop is delivered', async () => {
  const { spool, texts, collector, cleanUp } = await setUp({ statsd: true })
  const { port, problem } = collector.status().statsd ?? {}
  expect(problem).toBeNull()
  const socket = createSocket('udp4')
  await new Promise((sent) => socket.send('orders:5|c', port ?? 0, '127.0.0.1', sent))
  socket.close()
  await collector.stop(AbortSignal.timeout(5_000))
  expect(texts.filter((text) => text.startsWith('["orders","c",{"host":"web-1"}'))).toHaveLength(1)
  expect(spool.headers.some(({ kind }) => kind === 'metrics')).toBe(true)
  await cleanUp()
})
