import { expect, test } from 'vitest'
import { TOLD_WAITING_MAX } from '../../../aggregator/health/tell.ts'
import { createHealthService, type HealthServiceOptions } from '../../../aggregator/health/service.ts'
import { enrichImported } from '../../../aggregator/enrich/enrich.ts'
import type { Origin, RecordImport } from '../../../core/ports.ts'
import { someReport } from '../../contracts/transport.ts'
import { noMetrics } from '../../support/aggregator.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createLineLog, never } from '../../support/kafka-memory.ts'

/** A service whose imports the test leads. */
function underTest(fields: Partial<HealthServiceOptions> = {}) {
  const clock = createFakeClock()
  const log = createLineLog()
  const imports: { lines: string[]; origin: Origin; signal: AbortSignal }[] = []
  const led = { onImport: async () => {} }
  const recordImport: RecordImport = {
    async import(chunks, origin, signal) {
      const bytes = []
      for await (const chunk of chunks) bytes.push(chunk)
      imports.push({ lines: Buffer.concat(bytes).toString().split('\n').slice(0, -1), origin, signal })
      await led.onImport()
      return { imported: 1, refusedTotal: 0, refused: [] }
    },
  }
  const tiers = { webhead: { hosts: ['web-9'] } }
  const options = { tiers, site: 'eu', recordImport, clock, log, metrics: noMetrics, ...fields }
  const service = createHealthService(options)
  const say = (host = 'web-1', site = 'eu') =>
    service.take(someReport({ host, sentAtMs: clock.nowMs() }), { site, sender: 'c1' })
  const stateOf = (host: string) => service.hosts().find((one) => one.host === host)?.state
  const told = () =>
    imports.flatMap(({ lines }) => lines).map((line) => (JSON.parse(line) as { message: string }).message)
  service.start()
  return { clock, log, imports, led, service, say, stateOf, told }
}

test('a host that stops is silent within 4 s, and records say so, also when it is back', async () => {
  const { clock, imports, say, stateOf, told } = underTest({ tiers: {} })
  for (let second = 0; second < 5; second++) {
    say()
    await clock.advance(1_000)
  }
  expect(stateOf('web-1')).toBe('ok')
  await clock.advance(3_000)
  expect(stateOf('web-1')).toBe('silent')
  await clock.advance(6_000)
  say()
  await clock.advance(250)
  expect(told()).toEqual([
    'host web-1 is silent: nothing heard for 3.8 s',
    'host web-1 is back: it was not heard for 10.0 s, its checks are ok',
  ])
  expect(imports[0]?.origin.site).toBe('eu')
  const context = { site: 'eu', ingestedMs: clock.nowMs(), id: 'x' }
  expect(enrichImported(imports[0]?.lines[0] ?? '', context)).toMatchObject({
    timeMs: clock.nowMs() - 6_500,
    level: 'error',
    service: 'noctule',
    host: 'web-1',
    tier: 'webhead',
    attrs: { 'event.kind': 'state', 'event.what': 'host', 'event.name': 'web-1', 'event.state': 'silent' },
  })
  expect(enrichImported(imports[1]?.lines[0] ?? '', context)).toMatchObject({ level: 'info' })
})

test('an expected host that was never heard is told as missing, once', async () => {
  const { clock, told, stateOf } = underTest()
  await clock.advance(9_000)
  expect([stateOf('web-9'), told()]).toEqual(['missing', []])
  await clock.advance(60_000)
  expect(told()).toEqual(['host web-9 is missing: it is expected and was never heard'])
})

test('a loop of ours that stood still calls nobody silent', async () => {
  const { clock, say, service } = underTest({ tiers: {} })
  let standing = false
  // Timers run late: what was due while the loop stood still runs at its end.
  const late = createHealthService({
    tiers: {},
    site: 'eu',
    recordImport: null,
    log: createLineLog(),
    metrics: noMetrics,
    clock: {
      ...clock,
      after: (ms, run) => clock.after(ms, () => (standing ? void clock.after(6_000, run) : run())),
    },
  })
  late.start()
  late.take(someReport({ sentAtMs: clock.nowMs() }), { site: 'eu', sender: 'c1' })
  say()
  await clock.advance(1_000)
  standing = true
  await clock.advance(500)
  standing = false
  await clock.advance(6_000)
  expect(service.hosts()[0]?.state).toBe('silent')
  expect(late.hosts()[0]?.state).toBe('ok')
  await clock.advance(4_000)
  expect(late.hosts()[0]?.state).toBe('silent')
})

test('while nothing of a site can reach us its hosts are not called silent at once, but not for ever', async () => {
  const { clock, say, service, stateOf } = underTest({ tiers: {} })
  say('web-1', 'eu')
  say('db-1', 'us')
  service.hearing('us', false)
  await clock.advance(10_000)
  expect([stateOf('web-1'), stateOf('db-1')]).toEqual(['silent', 'ok'])
  service.hearing('us', true)
  await clock.advance(3_000)
  expect(stateOf('db-1')).toBe('ok')
  say('db-1', 'us')
  service.hearing('us', false)
  await clock.advance(19_000)
  expect(stateOf('db-1')).toBe('silent')
})

test('changes that the store does not take are told later, and reports are taken meanwhile', async () => {
  const { clock, led, say, told, imports, log, stateOf } = underTest({ tiers: {} })
  led.onImport = () => Promise.reject(new Error('the store is away'))
  say('web-1', 'eu')
  say('db-1', 'us')
  await clock.advance(60_000)
  expect(imports.length).toBeGreaterThan(3)
  expect(imports.length).toBeLessThan(20)
  expect(log.lines[0]).toContain('the store is away')
  led.onImport = async () => {}
  imports.length = 0
  say('web-1', 'eu')
  expect(stateOf('web-1')).toBe('ok')
  await clock.advance(6_000)
  expect(imports.map(({ origin }) => origin.site)).toEqual(['eu', 'us'])
  expect(told()).toHaveLength(4)
  await clock.advance(60_000)
  expect(told()).toHaveLength(4)
})

test('a store that hangs holds up neither the board nor the stop', async () => {
  const { clock, led, say, imports, service, stateOf } = underTest({ tiers: {} })
  led.onImport = () => new Promise(() => {})
  say()
  await clock.advance(4_000)
  expect([stateOf('web-1'), imports.length]).toEqual(['silent', 1])
  await clock.advance(20_000)
  expect(imports.length).toBe(2)
  expect(imports[0]?.signal.aborted).toBe(true)
  const stop = new AbortController()
  const stopping = service.stop(stop.signal)
  stop.abort()
  await stopping
  // Of the second import only its deadline is left.
  await clock.advance(60_000)
  expect(clock.timers).toBe(0)
})

test('what waits for the store is bounded, and what is dropped is logged', async () => {
  const { clock, led, say, log, service } = underTest({ tiers: {} })
  led.onImport = () => Promise.reject(new Error('away'))
  for (let host = 0; host < TOLD_WAITING_MAX + 10; host++) say(`web-${host}`)
  await clock.advance(4_000)
  expect(log.lines.some((line) => line.includes('"dropped":10'))).toBe(true)
  await service.stop(never())
})

test('of processes that hear the same one tells; another one that takes its place tells what is new', async () => {
  let leads = false
  const { clock, say, told } = underTest({ tiers: {}, tells: (site) => leads || site === 'us' })
  say('web-1', 'eu')
  say('db-1', 'us')
  await clock.advance(5_000)
  expect(told()).toEqual([expect.stringContaining('db-1')])
  await clock.advance(60_000)
  leads = true
  await clock.advance(1_000)
  // Somebody else told it long ago.
  expect(told()).toHaveLength(1)
  leads = false
  say('web-1', 'eu')
  await clock.advance(10_000)
  leads = true
  await clock.advance(1_000)
  expect(told().slice(1)).toEqual([
    expect.stringContaining('web-1 is back'),
    expect.stringContaining('web-1 is silent'),
  ])
})
