import { expect, test, vi } from 'vitest'
import { createChecks, type StateChange } from '../../../../collectors/checks/runner.ts'
import { CHANGES_MAX, createStateLines } from '../../../../collectors/checks/state-lines.ts'
import type { Outcome, Probe } from '../../../../collectors/checks/probe.ts'
import { checkSchema } from '../../../../core/config-checks.ts'
import { healthReportSchema, type CheckState } from '../../../../core/health.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { quietLog } from '../../../support/quiet-log.ts'

const reportsSchema = healthReportSchema.shape.checks

function setUp(probe: Probe, config: object = {}) {
  const clock = createFakeClock({ nowMs: 1_000_000 })
  const changes: StateChange[] = []
  const error = vi.fn<(fields: object, message: string) => void>()
  const check = checkSchema.parse({ name: 'a', kind: 'load', ...config })
  const checks = createChecks({
    checks: [
      {
        config: check,
        probe,
      },
    ],
    clock,
    random: () => 0,
    log: {
      ...quietLog,
      error,
    },
    onChange: (change) => changes.push(change),
  })
  return { clock, checks, changes, error }
}

const now = (state: CheckState, message: string = state): Outcome => ({ state, message })

test('a check is made at its beat, however long each takes', async () => {
  const atMs: number[] = []
  const { clock, checks } = setUp(async (signal) => {
    atMs.push(clock.monotonicMs())
    await clock.sleep(300, signal)
    return { ...now('ok'), value: 5 }
  })
  checks.start()
  await clock.advance(3_400)
  expect(atMs).toEqual([0, 1_000, 2_000, 3_000])
  expect(checks.reports()).toEqual([
    {
      name: 'a',
      kind: 'load',
      state: 'ok',
      message: 'ok',
      value: 5,
      sinceMs: 0xf436c,
      atMs: 0xf4f24,
      tookMs: 300,
    },
  ])
  expect(reportsSchema.parse(checks.reports())).toEqual(checks.reports())
  await checks.stop()
})

test('no beat lies in the past, also while time passes: Node warns of such timers', async () => {
  const fake = createFakeClock()
  const delays: number[] = []
  let passed = 0
  const clock = {
    ...fake,
    monotonicMs: () => fake.monotonicMs() + (passed += 0.01),
    sleep: async (delayMs: number, signal?: AbortSignal) => {
      delays.push(delayMs)
      await fake.sleep(delayMs, signal)
    },
  }
  const config = checkSchema.parse({ name: 'a', kind: 'load' })
  const probe = () => Promise.resolve(now('ok'))
  const options = { clock, log: quietLog, random: () => 0, onChange: () => undefined }
  const checks = createChecks({ checks: [{ config, probe }], ...options })
  checks.start()
  await fake.advance(3_000)
  await checks.stop()
  expect(delays.length).toBeGreaterThan(3)
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
})

test('checks start spread over a second, and are unknown before they are made', async () => {
  const clock = createFakeClock()
  let random = 0
  const atMs: number[] = []
  const checks = createChecks({
    checks: ['a', 'b'].map((name) => ({
      config: checkSchema.parse({
        name,
        kind: 'load',
        every: '1m',
      }),
      probe: () => {
        atMs.push(clock.monotonicMs())
        return Promise.resolve(now('ok'))
      },
    })),
    clock,
    log: quietLog,
    random: () => (random += 0.4),
    onChange: () => undefined,
  })
  checks.start()
  await clock.advance(500)
  expect(checks.reports()).toMatchObject([
    { name: 'a', state: 'ok' },
    { name: 'b', state: 'unknown', message: 'not made yet' },
  ])
  expect(checks.metrics()).toHaveLength(2)
  await clock.advance(500)
  expect(atMs).toEqual([400, 800])
  await checks.stop()
})

test('one that takes too long is called back, and looks again at the next beat', async () => {
  let aborted = 0
  const { clock, checks } = setUp(
    async (signal) => {
      signal.addEventListener('abort', () => aborted++)
      await clock.sleep(60_000, signal)
      return now('ok')
    },
    { timeout: '1s', every: '2s' },
  )
  checks.start()
  await clock.advance(1_000)
  expect(checks.reports()).toMatchObject([
    { state: 'unknown', message: 'no answer within 1000 ms', tookMs: 1_000 },
  ])
  await clock.advance(2_000)
  expect(aborted).toBe(2)
  await checks.stop()
})

test.each([
  { kind: { kind: 'tcp', host: 'h', port: 1 }, state: 'fail' },
  { kind: { kind: 'command', command: ['x'] }, state: 'unknown' },
])('too late means $state for $kind.kind', async ({ kind, state }) => {
  const { clock, checks } = setUp(() => new Promise(() => undefined), kind)
  checks.start()
  await clock.advance(2_000)
  expect(checks.reports()[0]?.state).toBe(state)
  await checks.stop()
})

test('one that heeds no signal is never made twice at once; it says for how long it hangs, and recovers', async () => {
  const hanging: (() => void)[] = []
  const { clock, checks } = setUp(async () => {
    await new Promise<void>((resolve) => {
      hanging.push(resolve)
    })
    return now('ok')
  })
  checks.start()
  await clock.advance(10_500)
  expect(hanging).toHaveLength(1)
  expect(checks.reports()).toMatchObject([
    { state: 'unknown', message: 'it hangs since 10 s and cannot be called back' },
  ])
  hanging[0]?.()
  await clock.advance(600)
  hanging[1]?.()
  await clock.advance(10)
  expect(checks.reports()[0]?.state).toBe('ok')
  await checks.stop()
})

test('a broken check is unknown, and told in the log once', async () => {
  const { clock, checks, error } = setUp(() => Promise.reject(new TypeError('x is not a function')))
  checks.start()
  await clock.advance(5_000)
  expect(checks.reports()).toMatchObject([{ state: 'unknown', message: 'x is not a function' }])
  expect(error).toHaveBeenCalledTimes(1)
  await checks.stop()
})

test('`for` is measured by the monotonic clock: one that jumps changes nothing but the shown times', async () => {
  let state: CheckState = 'ok'
  const { clock, checks, changes } = setUp(() => Promise.resolve(now(state)), { for: '3s' })
  checks.start()
  await clock.advance(1_500)
  state = 'fail'
  await clock.advance(1_000)
  clock.jump(3_600_000)
  await clock.advance(2_000)
  expect(checks.reports()).toMatchObject([{ state: 'ok', sinceMs: 4_600_000 }])
  clock.jump(-7_200_000)
  await clock.advance(1_000)
  expect(changes).toMatchObject([
    { before: 'ok', state: 'fail', sinceMs: 2_000, atMs: 5_000, lastedMs: 5_000 },
  ])
  expect(checks.reports()).toMatchObject([{ state: 'fail', sinceMs: clock.nowMs() - 500 }])
  await checks.stop()
})

test('a stop calls back what runs, and nothing changes afterwards', async () => {
  const { clock, checks, changes } = setUp(async (signal) => {
    await clock.sleep(500, signal)
    return now('fail')
  })
  checks.start()
  await clock.advance(100)
  await checks.stop()
  await clock.advance(5_000)
  expect(changes).toEqual([])
  expect(clock.timers).toBe(0)
})

test('messages are harmless and short', async () => {
  const { clock, checks } = setUp(() => Promise.resolve(now('ok', `\u001b[2J${'x'.repeat(9_000)}`)))
  checks.start()
  await clock.advance(10)
  expect(checks.reports()[0]?.message).toMatch(/^\[2Jx{496}…$/)
  expect(reportsSchema.safeParse(checks.reports()).success).toBe(true)
  await checks.stop()
})

test('metrics: the state as a number, how long it took, and the numbers of a command', async () => {
  const perfValues = [{ label: 'used|space', value: -1.5, unit: '%' }]
  const { clock, checks } = setUp(() => Promise.resolve({ ...now('fail'), perfValues }), { name: 'a,b' })
  checks.start()
  await clock.advance(10)
  expect(checks.metrics()).toEqual([
    'check.state:2|g|#check:a_b',
    'check.took_ms:0|g|#check:a_b',
    'check.used_space:0|g|#check:a_b,unit:%',
    'check.used_space:-1.5|g|#check:a_b,unit:%',
  ])
  await checks.stop()
})

function linesOf(tier: string) {
  const clock = createFakeClock({ nowMs: Date.UTC(2025, 5, 1) })
  const given: string[] = []
  const lines = createStateLines({ host: 'web-1', tier, clock, give: (line) => given.push(line) })
  const config = checkSchema.parse({ name: 'shop', kind: 'http', url: 'http://a/' })
  const change = (state: CheckState, before: CheckState, message: string) =>
    lines.changed({
      config,
      state,
      before,
      message,
      sinceMs: clock.monotonicMs() - 2_000,
      lastedMs: 90_000.4,
      atMs: 0,
    })
  const parsed = () => given.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { clock, lines, change, parsed }
}

test('a change of state is a line that is found by event.kind:state', async () => {
  const { clock, change, parsed } = linesOf('webhead')
  await clock.advance(10_000)
  change('fail', 'ok', 'HTTP 503 after 12 ms')
  expect(parsed()).toEqual([
    {
      time: '2025-06-01T00:00:10.000Z',
      level: 'error',
      service: 'noctule',
      message: 'check shop of web-1 failed: HTTP 503 after 12 ms',
      event: {
        kind: 'state',
        what: 'check',
        name: 'shop',
        check_kind: 'http',
        state: 'fail',
        before: 'ok',
        tier: 'webhead',
        since: '2025-06-01T00:00:08.000Z',
        before_lasted_ms: 9e4,
      },
    },
  ])
})

test.each([
  { state: 'ok', level: 'info', message: 'check shop of web-1 is ok again: x' },
  { state: 'warn', level: 'warn', message: 'check shop of web-1 warns: x' },
  { state: 'unknown', level: 'warn', message: 'check shop of web-1 could not be made: x' },
] as const)('a line about $state is of level $level', ({ state, level, message }) => {
  const { change, parsed } = linesOf('')
  change(state, 'fail', 'x')
  expect(parsed()).toMatchObject([{ level, message }])
  expect(parsed()[0]?.['event']).not.toHaveProperty('tier')
})

test('a check that flaps is summed up once a minute, and nothing of it is hidden', async () => {
  const { clock, lines, change, parsed } = linesOf('')
  const flap = async (times: number) => {
    for (let at = 0; at < times; at++) {
      if (at % 2 === 0) change('fail', 'ok', 'down')
      else change('ok', 'fail', 'up')
      await clock.advance(1_000)
    }
  }
  await flap(25)
  expect(parsed()).toHaveLength(CHANGES_MAX)
  await clock.advance(60_000)
  expect(parsed()).toHaveLength(CHANGES_MAX + 1)
  expect(parsed().at(-1)).toMatchObject({
    level: 'error',
    message: 'check shop of web-1 flaps: 19 more changes within a minute; now it failed: down',
    event: { kind: 'state', state: 'fail', held_back: 19 },
  })
  await flap(8)
  lines.close()
  expect(parsed().at(-1)).toMatchObject({ event: { state: 'ok', held_back: 2 } })
  expect(clock.timers).toBe(0)
})
