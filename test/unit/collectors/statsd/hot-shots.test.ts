import { StatsD, type ClientOptions, type TimerContext } from 'hot-shots'
import { beforeAll, expect, test } from 'vitest'
import { createDistribution } from '../../../../core/sketch/distribution.ts'
import { createMembers } from '../../../../core/sketch/members.ts'
import { startStatsd, type StatsdResult } from '../../../support/statsd.ts'

/**
 * The real client, over real sockets: what it sends is what is made of it. All tests share a server: they send before the first of them
 * looks, under names of their own.
 */
const sends: (() => Promise<void>)[] = []
let port = 0
let result: StatsdResult | null = null

beforeAll(async () => {
  const statsd = await startStatsd('collector: { tier: webhead, statsd: { tags: { rack: r7 } } }')
  port = statsd.port
  for (const send of sends) await send()
  result = await statsd.finish()
})

/** Lets a client send before the tests begin. */
function sent(options: ClientOptions, send: (client: StatsD) => unknown): void {
  sends.push(async () => {
    const failures: Error[] = []
    const client = new StatsD({ port, errorHandler: (error) => void failures.push(error), ...options })
    await send(client)
    // Calls back when everything is with the kernel.
    await new Promise((closed) => client.close(closed))
    if (failures[0] !== undefined) throw failures[0]
  })
}

/** What was made of all that was sent. */
function received(): StatsdResult {
  if (result === null) throw new Error('nothing was received')
  return result
}

/** Stamped on every series. */
const HOST = { host: 'web-1', tier: 'webhead', rack: 'r7' }
const quantiles = (sketch: Uint8Array | null) => {
  const distribution = createDistribution(sketch ?? undefined)
  return [0.01, 0.5, 1].map((p) => distribution.quantile(p))
}

sent({}, (client) => {
  client.increment('a')
  client.increment('a', 41)
  client.decrement('b')
  client.decrement('b', 2)
  client.increment(['c', 'd'], 2.5)
  client.increment('tags.only', { env: 'prod' })
  client.increment('with.tags', 3, ['env:prod', 'bare'])
})
test('increment and decrement, with and without values, of one name and of several', () => {
  const { point } = received()
  expect(point('a')).toMatchObject({
    series: { kind: 'counter', tags: HOST },
    count: 2,
    sum: 42,
    min: 1,
    max: 41,
  })
  expect(point('b')).toMatchObject({ count: 2, sum: -3 })
  expect(point('c').sum).toBe(2.5)
  expect(point('d').sum).toBe(2.5)
  expect(point('tags.only')).toMatchObject({ series: { tags: { ...HOST, env: 'prod' } }, sum: 1 })
  expect(point('with.tags').series.tags).toEqual({ ...HOST, env: 'prod', bare: '' })
})

sent({}, (client) => {
  client.gauge('depth', 10)
  client.gaugeDelta('depth', 5)
  client.gaugeDelta('depth', -7)
  client.gauge('negative', -3.25)
})
test('gauge and gaugeDelta', () => {
  const { point } = received()
  expect(point('depth')).toMatchObject({ series: { kind: 'gauge' }, last: 8, min: 8, max: 15, count: 3 })
})

sent({}, (client) => {
  for (const user of ['mia', 'tom', 'mia']) client.set('users', user)
  for (const id of [1, 2, 3, 2]) client.unique('ids', id)
})
test('set and unique count different values', () => {
  const { point } = received()
  expect(point('users').series.kind).toBe('set')
  expect(createMembers(point('users').sketch ?? undefined).estimate()).toBe(2)
  expect(createMembers(point('ids').sketch ?? undefined).estimate()).toBe(3)
})

sent({}, (client) => {
  for (let value = 1; value <= 100; value += 1) {
    client.timing('v.t', value)
    client.histogram('v.h', value)
    client.distribution('v.d', value, { env: 'prod' })
  }
  client.timing('since', new Date(Date.now() - 1_000))
})
test('timing, histogram and distribution are distributions', () => {
  const { point } = received()
  for (const name of ['v.t', 'v.h', 'v.d']) {
    const { series, count, sum, min, max, sketch } = point(name)
    expect({ kind: series.kind, count, sum, min, max }, name).toEqual({
      kind: 'distribution',
      count: 100,
      sum: 5_050,
      min: 1,
      max: 100,
    })
    const [low = 0, middle = 0, high = 0] = quantiles(sketch)
    expect(low).toBeCloseTo(1, 1)
    expect(Math.abs((middle ?? 0) - 50)).toBeLessThanOrEqual(1.5)
    expect(Math.abs((high ?? 0) - 100)).toBeLessThanOrEqual(1)
  }
  expect(point('v.d').series.tags).toEqual({ ...HOST, env: 'prod' })
  expect(point('since').min).toBeGreaterThanOrEqual(1_000)
})

sent({}, async (client) => {
  const work = client.timer(
    (base: number, context: TimerContext) => {
      context.addTags({ result: 'fine' })
      return base + 1
    },
    'timer.sync',
    1,
    { env: 'prod' },
  )
  work(1)
  const slow = (value: number, _context: TimerContext) => Promise.resolve(value)
  await client.asyncTimer(slow, 'timer.async')(3)
  await client.asyncDistTimer(slow, 'timer.dist')(4)
})
test('timer, asyncTimer and asyncDistTimer measure functions and take tags from inside', () => {
  const { point } = received()
  expect(point('timer.sync').series).toEqual({
    name: 'timer.sync',
    kind: 'distribution',
    tags: { ...HOST, env: 'prod', result: 'fine' },
  })
  for (const name of ['timer.sync', 'timer.async', 'timer.dist']) {
    expect(point(name).count, name).toBe(1)
    expect(point(name).sum, name).toBeGreaterThan(0)
  }
})

sent({}, (client) => {
  for (let index = 0; index < 4_000; index += 1) {
    client.increment('sampled', 2, 0.5)
    client.timing('sampled.time', 10, { sampleRate: 0.25 })
  }
  for (let index = 0; index < 100; index += 1) client.gauge('sampled.gauge', 3, 0.5)
})
test('sampling is made good', () => {
  const { point } = received()
  // Ten standard deviations around 8,000 and 4,000.
  expect(Math.abs(point('sampled').sum - 8_000)).toBeLessThan(1_265)
  expect(point('sampled').sum % 4).toBe(0)
  expect(Math.abs(point('sampled.time').count - 4_000)).toBeLessThan(1_100)
  expect(point('sampled.time').sum).toBeCloseTo(point('sampled.time').count * 10)
  expect(point('sampled.gauge')).toMatchObject({ last: 3, min: 3, max: 3 })
})

sent({ prefix: 'shop', suffix: 'v2', globalTags: { env: 'prod', region: 'eu' } }, (client) => {
  client.increment('orders')
  client.increment('orders', 1, { region: 'us', host: 'mine' })
  client.childClient({ prefix: 'cart', suffix: 'x', globalTags: { team: 'a' } }).increment('items')
})
test('global tags, prefix, suffix and children; a stamped tag is not taken from a client', () => {
  const { points } = received()
  const series = [...points.values()].map(({ series: { name, tags } }) => ({ name, tags }))
  expect(series).toContainEqual({ name: 'shop.orders.v2', tags: { ...HOST, env: 'prod', region: 'eu' } })
  expect(series).toContainEqual({
    name: 'shop.orders.v2',
    tags: { ...HOST, env: 'prod', region: 'us', exported_host: 'mine' },
  })
  expect(series).toContainEqual({
    name: 'cart.shop.items.v2.x',
    tags: { ...HOST, env: 'prod', region: 'eu', team: 'a' },
  })
})

sent({}, (client) => {
  client.increment('letters', 1, {
    url: 'http://a.b:80/c',
    größe: 'ß',
    empty: '',
    'odd|,@#key': 'odd|,@#value',
  })
  client.increment('letters', 1, ['just', 'k:v', 'x:y:z'])
})
test('tags as objects and lists, with colons, URLs and letters of all kinds', () => {
  const { points } = received()
  const all = [...points.values()].filter(({ series }) => series.name === 'letters')
  expect(all.map(({ series }) => series.tags)).toEqual([
    { ...HOST, url: 'http://a.b:80/c', größe: 'ß', empty: '', odd____key: 'odd____value' },
    { ...HOST, just: '', k: 'v', x: 'y:z' },
  ])
})

sent({ telegraf: true, globalTags: { env: 'prod' } }, (client) => {
  client.increment('t.count', 2, { region: 'eu' })
  client.timing('t.time', 12, ['path:/a b'])
  client.gauge('t.bare', 7)
})
test('telegraf puts tags into the name', () => {
  const { point } = received()
  expect(point('t.count')).toMatchObject({
    series: { tags: { ...HOST, env: 'prod', region: 'eu' } },
    sum: 2,
  })
  expect(point('t.time').series.tags).toEqual({ ...HOST, env: 'prod', path: '/a b' })
  expect(point('t.bare')).toMatchObject({ series: { tags: { ...HOST, env: 'prod' } }, last: 7 })
})

sent({ maxBufferSize: 1_400 }, (client) => {
  for (let index = 0; index < 1_000; index += 1) client.increment('packed')
  client.timing('packed.time', 5)
})
test('a buffering client packs many metrics into a packet', () => {
  const { point } = received()
  expect(point('packed').sum).toBe(1_000)
  expect(point('packed.time').count).toBe(1)
})

sent({ aggregation: true }, (client) => {
  for (let index = 0; index < 100; index += 1) client.increment('summed', 2)
  for (const user of ['a', 'b', 'a']) client.set('members', user)
  client.gauge('level', 3)
})
test('a client that adds up before it sends', () => {
  const { point } = received()
  expect(point('summed').sum).toBe(200)
  expect(point('level').last).toBe(3)
  expect(createMembers(point('members').sketch ?? undefined).estimate()).toBe(2)
})

const atS = Math.floor(Date.now() / 10_000) * 10 - 60

sent({}, (client) => {
  client.increment('late', 5, { timestamp: atS })
  client.gauge('late.gauge', 6, { timestamp: new Date(atS * 1_000 + 3_000) })
  client.increment('too.late', 1, { timestamp: atS - 3_600 })
})
test('metrics that bring a time go to that time', () => {
  const { point } = received()
  expect(point('late')).toMatchObject({ startMs: atS * 1_000, stepMs: 10_000, sum: 5 })
  expect(point('late.gauge')).toMatchObject({ startMs: atS * 1_000, last: 6 })
  expect(point('noctule.statsd.lost')).toMatchObject({
    series: { tags: { ...HOST, reason: 'late' } },
    sum: 1,
  })
})

const DATADOG = {
  datadog: true,
  containerID: 'ci-1234',
  cardinality: 'low',
  includeDatadogTelemetry: false,
} as const

sent(DATADOG, (client) => {
  client.increment('datadog.plain', 1, { env: 'prod' })
  client.timing('datadog.timed', 3)
})
test("Datadog's own fields are no tags", () => {
  const { point } = received()
  expect(point('datadog.plain').series.tags).toEqual({ ...HOST, env: 'prod' })
  expect(point('datadog.timed').count).toBe(1)
})

sent({ includeDatadogTelemetry: true }, (client) => {
  client.increment('plain')
})
test("the client's telemetry is taken like every metric", () => {
  const { point } = received()
  expect(point('plain').sum).toBe(1)
})

sent({ globalTags: { test: 'events' } }, (client) => {
  client.event('deployed', 'version 7\nby mia', {
    alert_type: 'error',
    priority: 'low',
    aggregation_key: 'deploys',
    source_type_name: 'ci',
    hostname: 'web-9',
    date_happened: new Date(Date.UTC(2026, 0, 2)),
  })
  client.event('only a title', undefined, {}, { service: 'shop' })
})
test('events become records', () => {
  const { records } = received()
  const events = records.filter(({ tags }) => (tags as Record<string, string>)['test'] === 'events')
  expect(events).toEqual([
    {
      time: '2026-01-02T00:00:00.000Z',
      service: 'statsd',
      level: 'error',
      message: 'deployed: version 7\nby mia',
      event: {
        kind: 'event',
        title: 'deployed',
        alert_type: 'error',
        priority: 'low',
        hostname: 'web-9',
        aggregation_key: 'deploys',
        source_type: 'ci',
      },
      tags: { test: 'events' },
    },
    expect.objectContaining({
      service: 'shop',
      level: 'info',
      message: 'only a title: only a title',
      tags: { test: 'events', service: 'shop' },
    }),
  ])
})

sent({}, (client) => {
  client.event('größer', 'über alles', { alert_type: 'warning' })
})
test('an event whose client counts letters instead of bytes is read, too', () => {
  const { records } = received()
  expect(records).toContainEqual(expect.objectContaining({ level: 'warn', message: 'größer: über alles' }))
})

sent({}, (client) => {
  client.check('db.up', client.CHECKS.CRITICAL, { message: 'no answer', hostname: 'db-1' }, { service: 'db' })
  client.check('db.up', client.CHECKS.OK)
  client.check('db.up', client.CHECKS.WARNING)
  client.check('db.up', client.CHECKS.UNKNOWN)
})
test('service checks become records', () => {
  const { records } = received()
  const checks = records.filter(({ message }) => String(message).startsWith('service check'))
  expect(checks.map(({ level, message }) => [level, message])).toEqual([
    ['error', 'service check db.up is critical: no answer'],
    ['info', 'service check db.up is ok'],
    ['warn', 'service check db.up is warning'],
    ['warn', 'service check db.up is unknown'],
  ])
  expect(checks[0]).toMatchObject({
    service: 'db',
    event: { kind: 'service_check', name: 'db.up', state: 'critical', hostname: 'db-1' },
  })
})

sent({}, (client) => client.increment('stamped', 1, { tier: 'mine', rack: 'mine' }))
test('the tier and the tags of the configuration are stamped on every series', () => {
  const { point } = received()
  expect(point('stamped').series.tags).toEqual({
    ...HOST,
    exported_tier: 'mine',
    exported_rack: 'mine',
  })
})
