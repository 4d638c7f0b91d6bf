import { describe, expect, test } from 'vitest'
import { createHealthService } from '../../../aggregator/health/service.ts'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { createPrometheusMetrics } from '../../../adapters/metrics-prometheus.ts'
import { parseConfig } from '../../../core/config.ts'
import { HEALTH_BYTES_MAX, type HealthReport } from '../../../core/health.ts'
import type { Services } from '../../../query-api/services.ts'
import { someCheck, someReport } from '../../contracts/transport.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { NOW_MS, SITE, bearer, createNode } from './node.ts'

const headers = bearer('dashboard')
const TIERS = `
tiers:
  database: { hosts: [db-1, db-2] }
  webhead: { expected: 3 }
  worker: {}
`

/** A node with a board of its own; the service looks only when the test's clock moves. */
async function createBoardNode(yaml = TIERS, changes: Partial<Services> = {}) {
  const config = parseConfig(yaml, {})
  const clock = createFakeClock({ nowMs: NOW_MS })
  const metrics = createPrometheusMetrics()
  const { tiers } = config
  const board = createHealthService({ tiers, site: SITE, recordImport: null, clock, log: quietLog, metrics })
  board.start()
  const intake = { batch: async () => 'stored' as const, mark: async () => {}, health: board.take }
  const node = await createNode({ config, clock, health: board, intake, metrics, ...changes })
  const deliver = (payload: unknown, role: 'collector' | 'dashboard' = 'collector') =>
    node.app.inject({
      method: 'POST',
      url: '/v1/health',
      headers: { ...bearer(role), 'content-type': 'application/json' },
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    })
  const say = (host: string, report: Partial<HealthReport> = {}) =>
    deliver(someReport({ host, sentAtMs: clock.nowMs(), ...report }))
  const ask = async (query = '') => (await node.app.inject({ url: `/v1/hosts${query}`, headers })).json()
  return { ...node, clock, deliver, say, ask }
}

describe('POST /v1/health', () => {
  test('is for collectors, and answered at once', async () => {
    const { deliver, ask } = await createBoardNode('{}')
    expect((await deliver(someReport())).statusCode).toBe(204)
    expect((await deliver(someReport(), 'dashboard')).statusCode).toBe(403)
    expect(await ask()).toMatchObject({ hosts: [{ host: 'web-1', site: SITE, state: 'ok' }] })
  })

  test.each([
    { name: 'no JSON', payload: '{', code: 'BAD_REQUEST' },
    { name: 'another version', payload: { ...someReport(), v: 2 }, code: 'BAD_REQUEST' },
    { name: 'no host', payload: { ...someReport(), host: '' }, code: 'BAD_REQUEST' },
    {
      name: 'too much',
      payload: { ...someReport(), x: 'x'.repeat(HEALTH_BYTES_MAX) },
      code: 'BATCH_TOO_LARGE',
    },
  ])('$name is refused, and changes nothing', async ({ payload, code }) => {
    const { deliver, say, ask } = await createBoardNode('{}')
    await say('web-1')
    expect((await deliver(payload)).json()).toMatchObject({ code })
    expect(await ask()).toMatchObject({ hostsTotal: 1, hosts: [{ host: 'web-1', state: 'ok' }] })
  })
})

describe('GET /v1/hosts', () => {
  test('lists every host with what it said, and sums tiers up', async () => {
    const { clock, say, ask } = await createBoardNode()
    const failing = someCheck({ state: 'fail', message: 'HTTP 503 after 12 ms', value: 503 })
    await say('web-1', { checks: [failing, someCheck({ name: 'disk' })] })
    await say('web-2')
    await say('db-1', { tier: 'database' })
    await say('stray', { tier: '' })
    await clock.advance(2_000)
    await say('web-1', { checks: [failing] })
    await clock.advance(2_000)
    const answer = await ask()
    expect(answer).toMatchObject({
      at: new Date(NOW_MS + 4_000).toISOString(),
      source: 'deliveries',
      tiers: [
        { name: '', expected: null, hosts: 1, up: 0, states: { silent: 1 } },
        { name: 'database', expected: 2, hosts: 2, up: 0, states: { silent: 1, missing: 1 } },
        { name: 'webhead', expected: 3, hosts: 2, up: 1, states: { fail: 1, silent: 1 } },
        { name: 'worker', expected: 0, hosts: 0, up: 0, states: {} },
      ],
      hostsTotal: 5,
    })
    const since = new Date(NOW_MS).toISOString()
    expect(answer.hosts).toMatchObject([
      { host: 'db-1', tier: 'database', state: 'silent', expected: true },
      {
        host: 'db-2',
        state: 'missing',
        reportedAt: null,
        version: '',
        checks: [],
        facts: null,
        status: null,
      },
      { host: 'stray', tier: '', expected: false },
      {
        host: 'web-1',
        state: 'fail',
        since,
        reportedAt: new Date(NOW_MS + 2_000).toISOString(),
        version: '1.2.3',
        checks: [{ name: 'shop-http', state: 'fail', message: 'HTTP 503 after 12 ms', value: 503 }],
        status: { id: 'c1', startedAt: '2020-09-13T12:26:40.000Z' },
      },
      { host: 'web-2' },
    ])
  })

  test('leaves out what does not match, and facts when nobody needs them', async () => {
    const { say, ask } = await createBoardNode()
    await say('web-1')
    await say('web-2', { checks: [someCheck({ state: 'warn' })] })
    const names = async (query: string) =>
      ((await ask(query)) as { hosts: { host: string }[] }).hosts.map(({ host }) => host)
    expect(await names('?tier=database')).toEqual(['db-1', 'db-2'])
    expect(await names('?state=warn,missing')).toEqual(['db-1', 'db-2', 'web-2'])
    expect(await names('?host=web-1,web-9')).toEqual(['web-1'])
    expect(await names('?tier=webhead&state=ok')).toEqual(['web-1'])
    const [host] = ((await ask('?facts=false&host=web-1')) as { hosts: object[] }).hosts
    expect(host).not.toHaveProperty('facts')
    expect(host).not.toHaveProperty('status')
    expect(host).toHaveProperty('checks')
    expect(await ask('?state=purple')).toMatchObject({ code: 'BAD_REQUEST' })
    expect(await ask('?facts=maybe')).toMatchObject({ code: 'BAD_REQUEST' })
  })

  test.each([
    { intake: 'ours', yaml: '{}', source: 'deliveries' },
    { intake: 'none', yaml: '{}', source: 'none' },
    { intake: 'none', yaml: 'kafka: { clusters: [{ site: eu, brokers: ["k:1"] }] }', source: 'kafka' },
    { intake: 'ours', yaml: 'kafka: { clusters: [{ site: eu, brokers: ["k:1"] }] }', source: 'both' },
  ])('says where reports come from: $source', async ({ intake, yaml, source }) => {
    const { ask } = await createBoardNode(yaml, intake === 'none' ? { intake: null } : {})
    expect(await ask()).toMatchObject({ source })
  })

  test('a clock of a host that says nonsense costs its times alone', async () => {
    const { say, ask } = await createBoardNode('{}')
    const checks = [someCheck({ sinceMs: 1e300, atMs: -1e300 })]
    await say('web-1', { sentAtMs: 1e300, checks })
    expect(await ask()).toMatchObject({ hosts: [{ state: 'ok', checks: [{ since: null, at: null }] }] })
  })

  test('and the heartbeat do not wait for a store that hangs', async () => {
    const store = { ...createMemoryStore(), stats: () => new Promise<never>(() => {}) }
    const { clock, say, app, ask } = await createBoardNode('{}', { store })
    await say('web-1')
    const heartbeat = app.inject({ url: '/__heartbeat__' })
    expect(await ask()).toMatchObject({ hostsTotal: 1 })
    await clock.advance(2_500)
    expect((await heartbeat).json()).toMatchObject({ status: 'error', checks: { store: 'error' } })
  })

  test('10,000 hosts are answered quickly, and bounded in size', async () => {
    const { health, ...node } = await createBoardNode('{}')
    const board = health as ReturnType<typeof createHealthService>
    const checks = Array.from({ length: 8 }, (_, index) => someCheck({ name: `check-${index}` }))
    for (let host = 0; host < 10_000; host++)
      board.take(someReport({ host: `web-${host}`, checks }), { site: SITE, sender: 'c' })
    const before = process.cpuUsage()
    const answer = await node.app.inject({ url: '/v1/hosts?facts=false', headers })
    // Processor time, and loose: others work on this machine, too. It takes some 60 ms.
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(1_500)
    expect(answer.json<{ hosts: object[] }>().hosts).toHaveLength(10_000)
  })
})

test('hosts by state are among the own numbers of the node', async () => {
  const { say, clock, metrics } = await createBoardNode()
  await say('web-1')
  await say('web-2', { checks: [someCheck({ state: 'fail' })] })
  await clock.advance(500)
  const text = await metrics.text()
  expect(text).toContain('noctule_hosts_ok 1\n')
  expect(text).toContain('noctule_hosts_fail 1\n')
  expect(text).toContain('noctule_hosts_missing 2\n')
  expect(text).toContain('noctule_health_reports_total{result="taken"} 2\n')
})
