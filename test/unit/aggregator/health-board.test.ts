import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createBoard,
  FORGET_AFTER_MS,
  SILENT_AFTER_MS,
  START_GRACE_MS,
  worstOf,
  type BoardOptions,
} from '../../../aggregator/health/board.ts'
import { CHECK_STATES, HOST_STATES, type HealthReport } from '../../../core/health.ts'
import { someCheck, someReport } from '../../contracts/transport.ts'
import { seededRandom } from '../../support/random.ts'

const WALL_MS = Date.UTC(2026, 10, 21, 12)
const at = (ms: number) => ({ monotonicMs: ms, wallMs: WALL_MS + ms })

/** A board whose clock is the argument of each call, in ms since its start. */
function underTest(tiers: Readonly<Record<string, string>> = {}, fields: Partial<BoardOptions> = {}) {
  const expected = new Map(Object.entries(tiers))
  const board = createBoard({ expected, site: 'eu', startedAt: at(0), ...fields })
  const say = (ms: number, report: Partial<HealthReport> = {}, site = 'eu') =>
    board.take(site, someReport({ sentAtMs: WALL_MS + ms, ...report }), at(ms))
  const states = () => board.hosts().map(({ host, state }) => `${host} ${state}`)
  const told = () => board.changes().map(({ host, before, state }) => `${host}: ${before} → ${state}`)
  return { board, say, states, told }
}

describe('the state of a host', () => {
  test('is the worst of its checks', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...CHECK_STATES)), (states) => {
        const worst = HOST_STATES.find((state) => states.some((one) => one === state)) ?? 'ok'
        expect(worstOf({ checks: states.map((state) => someCheck({ state })) })).toBe(worst)
      }),
    )
  })

  test('holds since it changed, and comes with what was reported', () => {
    const { board, say } = underTest()
    say(0)
    say(1_000, { checks: [someCheck({ state: 'fail' })] })
    say(2_000, { checks: [someCheck({ state: 'fail' })], sentAtMs: WALL_MS + 2_000 + 250 })
    const [host] = board.hosts()
    expect(host).toMatchObject({ site: 'eu', host: 'web-1', tier: 'webhead', state: 'fail', expected: false })
    expect(host).toMatchObject({ sinceMs: WALL_MS + 1_000, reportedAtMs: WALL_MS + 2_000, skewMs: 250 })
    expect(host?.report?.checks).toHaveLength(1)
    expect(board.changes()).toEqual([])
  })

  test('is silent after the limit, told once, and back with the next word', () => {
    const { board, say, states, told } = underTest()
    say(0)
    board.look(at(SILENT_AFTER_MS))
    expect(states()).toEqual(['web-1 ok'])
    board.look(at(SILENT_AFTER_MS + 1))
    board.look(at(SILENT_AFTER_MS + 500))
    expect(states()).toEqual(['web-1 silent'])
    expect(told()).toEqual(['web-1: ok → silent'])
    say(9_000, { checks: [someCheck({ state: 'warn' })] })
    expect(board.changes()).toMatchObject([
      { before: 'silent', state: 'warn', unheardMs: 9_000, tier: 'webhead' },
    ])
    expect(states()).toEqual(['web-1 warn'])
  })

  test.each([
    { intervalMs: 200, silentAfterMs: 3_500 },
    { intervalMs: 1_000, silentAfterMs: 3_500 },
    { intervalMs: 10_000, silentAfterMs: 35_000 },
    { intervalMs: 1e15, silentAfterMs: 3_600_000 },
  ])(
    'is silent after $silentAfterMs ms with reports each $intervalMs ms',
    ({ intervalMs, silentAfterMs }) => {
      const { board, say, states } = underTest()
      say(0, { intervalMs })
      board.look(at(silentAfterMs))
      expect(states()).toEqual(['web-1 ok'])
      board.look(at(silentAfterMs + 1))
      expect(states()).toEqual(['web-1 silent'])
    },
  )

  test('two hosts of one name in two sites are two hosts', () => {
    const { say, states } = underTest()
    say(0)
    say(0, { checks: [someCheck({ state: 'fail' })] }, 'us')
    expect(states()).toEqual(['web-1 ok', 'web-1 fail'])
  })
})

describe('the order of reports', () => {
  test('an older report of the same run never replaces a newer one', () => {
    const { board, say } = underTest()
    say(5_000, { checks: [someCheck({ state: 'fail' })] })
    expect(say(5_100, { sentAtMs: WALL_MS + 4_000 })).toBe('overtaken')
    expect(board.hosts()).toMatchObject([{ state: 'fail', reportedAtMs: WALL_MS + 5_000 }])
  })

  test('a restarted collector is believed, also when its clock went back', () => {
    const { say, states } = underTest()
    say(5_000, { checks: [someCheck({ state: 'fail' })] })
    const status = { ...someReport().status, startedAtMs: 7 }
    expect(say(6_000, { sentAtMs: 1_000, status })).toBe('taken')
    expect(states()).toEqual(['web-1 ok'])
  })

  test.each([500, 1_900, 2_100, 60_000, 86_400_000])(
    'a running collector whose clock was set back by %i ms is never silent',
    (backMs) => {
      const { board, say, states, told } = underTest()
      for (let ms = 0; ms < 120_000; ms += 500) {
        if (ms % 1_000 === 0) say(ms, { sentAtMs: WALL_MS + ms - (ms > 10_000 ? backMs : 0) })
        board.look(at(ms + 1))
      }
      expect([states(), told()]).toEqual([['web-1 ok'], []])
    },
  )
})

describe('hosts that leave', () => {
  test('one that said goodbye is listed no more, and not silent; it comes back with its next word', () => {
    const { board, say, states, told } = underTest()
    say(0)
    say(1_000, { goodbye: true })
    // Sent before the goodbye, and overtaken by it.
    say(1_050, { sentAtMs: WALL_MS + 900 })
    expect(states()).toEqual([])
    board.look(at(60_000))
    expect([states(), told()]).toEqual([[], []])
    say(61_000, { status: { ...someReport().status, startedAtMs: WALL_MS + 60_500 } })
    expect([states(), told()]).toEqual([['web-1 ok'], []])
  })

  test('one that is expected is silent instead, but has the usual time to come back', () => {
    const { board, say, states, told } = underTest({ 'web-1': 'webhead' })
    say(1_000, { goodbye: true })
    board.look(at(4_000))
    expect(states()).toEqual(['web-1 ok'])
    board.look(at(4_600))
    expect([states(), told()]).toEqual([['web-1 silent'], ['web-1: ok → silent']])
  })

  test('one that is silent for a day is forgotten, unless it is expected', () => {
    const { board, say, states } = underTest({ 'web-2': 'webhead' })
    say(0)
    say(0, { host: 'web-2' })
    board.look(at(FORGET_AFTER_MS))
    expect(states()).toEqual(['web-1 silent', 'web-2 silent'])
    board.look(at(FORGET_AFTER_MS + 1))
    expect(states()).toEqual(['web-2 silent'])
  })
})

describe('hosts that are expected', () => {
  test('one that was never heard is missing, and told so after the grace of the start', () => {
    const { board, say, states, told } = underTest({ 'web-1': 'webhead', 'db-1': 'database' })
    expect(board.hosts()).toMatchObject([
      { site: 'eu', host: 'db-1', tier: 'database', state: 'missing', expected: true, report: null },
      { host: 'web-1', tier: 'webhead', reportedAtMs: null, sinceMs: WALL_MS },
    ])
    board.look(at(START_GRACE_MS - 1))
    expect(told()).toEqual([])
    say(START_GRACE_MS - 1, { host: 'db-1', tier: '' })
    board.look(at(START_GRACE_MS))
    board.look(at(START_GRACE_MS + 1))
    expect(told()).toEqual(['web-1: missing → missing'])
    expect(states()).toEqual(['db-1 ok', 'web-1 missing'])
    expect(board.hosts()[0]).toMatchObject({ tier: 'database', expected: true })
    say(START_GRACE_MS + 2)
    expect(told()).toEqual(['web-1: missing → ok'])
  })
})

describe('doubt', () => {
  test('after a time in which we could not hear, silence counts anew', () => {
    const { board, say, states } = underTest()
    say(0)
    board.doubt(at(5_000))
    board.look(at(5_000 + SILENT_AFTER_MS))
    expect(states()).toEqual(['web-1 ok'])
    board.look(at(5_001 + SILENT_AFTER_MS))
    expect(states()).toEqual(['web-1 silent'])
  })

  test('of one site leaves the others as they are', () => {
    const { board, say, states } = underTest()
    say(0)
    say(0, { host: 'db-1' }, 'us')
    board.doubt(at(3_000), 'us')
    board.look(at(4_000))
    expect(states()).toEqual(['web-1 silent', 'db-1 ok'])
  })
})

describe('bounds', () => {
  test('a flood of names takes no more than its share, and costs no host that lives or is expected', () => {
    const { board, say } = underTest({ expected: 'webhead' }, { hostsMax: 100 })
    const alive = Array.from({ length: 40 }, (_, index) => `web-${index}`)
    const results = new Set<string>()
    const ofAlive = new Set<string>()
    say(0, { host: 'expected' })
    for (let ms = 0; ms < 60_000; ms += 100) {
      if (ms % 1_000 === 0) for (const host of alive) ofAlive.add(say(ms, { host }))
      for (let name = 0; name < 20; name++) results.add(say(ms, { host: `flood-${ms}-${name}` }))
      board.look(at(ms + 50))
      expect(board.hosts().length).toBeLessThanOrEqual(100)
      board.changes()
    }
    expect(ofAlive).toEqual(new Set(['taken']))
    expect(results).toEqual(new Set(['taken', 'refused']))
    const names = new Map(board.hosts().map(({ host, state }) => [host, state]))
    for (const host of alive) expect(names.get(host)).toBe('ok')
    expect(names.get('expected')).toBe('silent')
    // An expected one always has room.
    expect(say(60_000, { host: 'expected' })).toBe('taken')
  })

  test('reports that are too large together keep their states and lose their details', () => {
    const { board, say } = underTest({}, { reportBytesMax: 20_000 })
    const checks = Array.from({ length: 50 }, () => someCheck({ state: 'fail' }))
    for (let host = 0; host < 10; host++) say(0, { host: `web-${host}`, checks })
    const hosts = board.hosts()
    expect(hosts.every(({ state }) => state === 'fail')).toBe(true)
    const whole = hosts.filter(({ report }) => report?.checks.length === 50)
    expect(whole.length).toBeGreaterThan(0)
    expect(hosts.reduce((sum, { report }) => sum + JSON.stringify(report).length, 0)).toBeLessThan(30_000)
    // Once there is room again they are kept whole.
    for (let ms = 1_000; ms < 20_000; ms += 1_000) for (const { host } of hosts) say(ms, { host, checks: [] })
    say(21_000, { host: 'web-9', checks })
    expect(board.hosts().at(-1)?.report?.checks).toHaveLength(50)
  })
})

test('500 hosts over a network that loses 2 %: only those that stopped are silent, within 5 s', () => {
  // Three reports lost in a row look like a stop: at 2 % that is one in 125,000 seconds of a host, and none in this run.
  const random = seededRandom(1)
  const { board, say } = underTest()
  const hosts = Array.from({ length: 500 }, (_, index) => ({
    host: `web-${index}`,
    nextMs: random() * 1_000,
    stopsAtMs: index < 100 ? 15_000 + random() * 20_000 : Infinity,
  }))
  const stopsAtMs = new Map(hosts.map(({ host, stopsAtMs }) => [host, stopsAtMs]))
  const late: number[] = []
  let onTheWay: { host: string; sentMs: number; arrivesMs: number }[] = []
  for (let ms = 0; ms < 45_000; ms += 250) {
    for (const one of hosts) {
      for (; one.nextMs < Math.min(ms, one.stopsAtMs); one.nextMs += 980 + random() * 40)
        if (random() >= 0.02)
          onTheWay.push({ host: one.host, sentMs: one.nextMs, arrivesMs: one.nextMs + random() * 300 })
    }
    // Our own loop stands still for 2 s: nothing is taken, nothing is judged.
    if (ms > 10_000 && ms < 12_000) continue
    if (ms === 12_000) board.doubt(at(ms))
    for (const { host, sentMs } of onTheWay.filter(({ arrivesMs }) => arrivesMs <= ms))
      say(ms, { host, sentAtMs: WALL_MS + sentMs })
    onTheWay = onTheWay.filter(({ arrivesMs }) => arrivesMs > ms)
    board.look(at(ms))
    for (const { host, state } of board.changes()) {
      expect(state).toBe('silent')
      late.push(ms - (stopsAtMs.get(host) ?? Infinity))
    }
  }
  late.sort((a, b) => a - b)
  expect(late).toHaveLength(100)
  expect(late[0]).toBeGreaterThan(0)
  expect(late[98]).toBeLessThanOrEqual(5_000)
  expect(HOST_STATES.map((state) => board.count(state))).toEqual([100, 0, 0, 0, 0, 400])
})
