import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, integer, property, record } from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { statsdName } from '../../../adapters/metrics-statsd.ts'
import { parseConfig } from '../../../core/config.ts'
import type { SiteCompleteness } from '../../../core/ledger/types.ts'
import { createDistribution } from '../../../core/sketch/distribution.ts'
import { LOST_METRIC } from '../../../core/metrics/types.ts'
import type { MetricAnswer, TagFilter } from '../../../core/metrics/types.ts'
import type { TimeRange } from '../../../core/ports.ts'
import { boardsOf } from '../../../query-api/boards.ts'
import { lostOf } from '../../../query-api/lost.ts'
import { nearNames } from '../../../query-api/near-names.ts'
import { METRIC_VALUES_MAX, assertValues, pleasantStepMs, readStep } from '../../../query-api/step.ts'
import { entriesOf, readTagFilters } from '../../../query-api/tag-filters.ts'
import { NOW_MS, bearer, createCompleteness, createNode, fillMetrics, metricPoint, until } from './node.ts'

const headers = bearer('dashboard')
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NEEDS = {
  nowMs: NOW_MS,
  flushMs: 10 * SECOND,
  retention: { raw: 2 * DAY, minute: 14 * DAY, hour: 30 * DAY },
}

/** Name of every metric of the program, with the text that registers it. */
function ownMetrics(): { name: string; text: string }[] {
  const root = join(import.meta.dirname, '..', '..', '..')
  const files = ['adapters', 'aggregator', 'collectors', 'query-api'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(root, folder, file), 'utf8')),
  )
  return files.flatMap((text) =>
    [...text.matchAll(/'(noctule_[a-z_\d]+)'[^)]*\)/g)].map(([text, name = '']) => ({ name, text })),
  )
}

interface Answer {
  lines: { tags: Record<string, string>; kind: string; points: (number | null)[][] }[]
  linesTotal: number
  step: number
  aggregates: string[]
  resolution: string
  lost: { total: number; byReason: object; byHost: object }
  hint?: { detail: string; names: string[] }
  meta: { complete: boolean; completeTo: string | null; sites: Record<string, { gaps: object[] }> }
}

async function createShop(changes: Parameters<typeof createNode>[0] = {}) {
  const node = await createNode(changes)
  const ask = async (query: Record<string, string | string[]>, url = '/v1/metrics/query') => {
    const response = await node.app.inject({ url, query, headers })
    return response.json<Answer & { code?: string; detail: string; details: object }>()
  }
  return { ...node, ask }
}

describe('the step', () => {
  const last = (ms: number) => ({ fromMs: NOW_MS - ms, toMs: NOW_MS })

  test.each([
    { what: 'a minute', range: last(MINUTE), stepMs: 10 * SECOND },
    { what: 'an hour', range: last(HOUR), stepMs: 30 * SECOND },
    { what: 'a day', range: last(DAY), stepMs: 5 * MINUTE },
    { what: 'a week', range: last(7 * DAY), stepMs: HOUR },
    { what: 'a year', range: last(365 * DAY), stepMs: 2 * DAY },
    {
      what: 'five minutes, of which raw points are gone',
      range: { fromMs: NOW_MS - 3 * DAY, toMs: NOW_MS - 3 * DAY + 5 * MINUTE },
      stepMs: MINUTE,
    },
    {
      what: 'five minutes, of which minutes are gone',
      range: { fromMs: NOW_MS - 20 * DAY, toMs: NOW_MS - 20 * DAY + 5 * MINUTE },
      stepMs: HOUR,
    },
  ])('of $what is pleasant', ({ range, stepMs }) => {
    expect(pleasantStepMs(range, NEEDS)).toBe(stepMs)
  })

  test('is no narrower than the points', () => {
    expect(pleasantStepMs(last(MINUTE), { ...NEEDS, flushMs: SECOND })).toBe(SECOND)
    expect(pleasantStepMs(last(MINUTE), { ...NEEDS, flushMs: MINUTE })).toBe(MINUTE)
  })

  test.each([
    { text: '1m', stepMs: MINUTE },
    { text: '90s', stepMs: 90 * SECOND },
    { text: '10000', stepMs: 10 * SECOND },
  ])('is read: $text', ({ text, stepMs }) => {
    expect(readStep(text, last(HOUR), NEEDS)).toBe(stepMs)
  })

  test.each([
    { text: 'wide', message: 'step: ' },
    { text: '500ms', message: 'whole seconds' },
    { text: '1s', message: 'take step=30s' },
  ])('is refused: $text', ({ text, message }) => {
    expect(() => readStep(text, last(2 * DAY), NEEDS)).toThrow(message)
  })

  test('a step that a refusal names is taken', () => {
    const widths = {
      fromMs: integer({ min: 0, max: NOW_MS }),
      widthMs: integer({ min: 1, max: 2_000 * DAY }),
    }
    const range = record(widths).map(({ fromMs, widthMs }) => ({ fromMs, toMs: fromMs + widthMs }))
    const refusal = (text: string, asked: TimeRange) => {
      try {
        readStep(text, asked, NEEDS)
        return null
      } catch (error) {
        return /take step=(\w+)/.exec(String(error))?.[1] ?? 'nothing'
      }
    }
    assert(
      property(range, (asked) => {
        const named = refusal('1s', asked)
        expect(named === null ? null : refusal(named, asked)).toBe(null)
        const steps = (asked.toMs - asked.fromMs) / pleasantStepMs(asked, NEEDS)
        expect(steps).toBeLessThanOrEqual(300)
      }),
    )
  })

  test('of too many lines is refused with one that will do', () => {
    const lineOf = (steps: number) => ({
      tags: {},
      kind: 'gauge' as const,
      steps: Array.from({ length: steps }, (_, at) => ({ startMs: at, values: [1] })),
    })
    const lines = (count: number, steps: number) => Array.from({ length: count }, () => lineOf(steps))
    const asked = { range: last(DAY), aggregates: 1 }
    expect(() => assertValues({ lines: lines(100, 3_000) }, asked)).not.toThrow()
    expect(() => assertValues({ lines: lines(100, 3_001) }, asked)).toThrow(
      'step: 100 lines of 3001 steps are too many for one answer; take step=30s, or fewer lines',
    )
    expect(Math.ceil(DAY / (30 * SECOND)) * 100).toBeLessThanOrEqual(METRIC_VALUES_MAX)
    expect(() => assertValues({ lines: lines(100, 3_000) }, { ...asked, aggregates: 13 })).toThrow('step=10m')
  })
})

describe('tag filters', () => {
  test.each<[string, readonly TagFilter[]]>([
    ['env:prod', [{ tag: 'env', values: ['prod'], exclude: false }]],
    ['env:prod,env:stage', [{ tag: 'env', values: ['prod', 'stage'], exclude: false }]],
    ['!host:web-1, !host:web-2', [{ tag: 'host', values: ['web-1', 'web-2'], exclude: true }]],
    [
      'env:p*,!env:preview',
      [
        { tag: 'env', values: ['p*'], exclude: false },
        { tag: 'env', values: ['preview'], exclude: true },
      ],
    ],
    ['url:http://a:80/', [{ tag: 'url', values: ['http://a:80/'], exclude: false }]],
    ['env:', [{ tag: 'env', values: [''], exclude: false }]],
    ['', []],
  ])('%s', (text, filters) => {
    expect(readTagFilters(entriesOf('tags', text))).toEqual(filters)
  })

  test.each([
    ['canary', 'such as canary:* or canary:prod; found "canary"'],
    [':prod', 'such as env:prod; found ":prod"'],
    ['!', 'such as env:prod; found "!"'],
  ])('%s is refused', (text, message) => {
    expect(() => readTagFilters(entriesOf('tags', text))).toThrow(message)
  })

  test('a parameter may be repeated, and has at most 64 entries', () => {
    expect(entriesOf('tags', ['a:1,b:2', 'a:1', 'c:3'])).toEqual(['a:1', 'b:2', 'c:3'])
    const many = Array.from({ length: 65 }, (_, at) => `a:${at}`).join()
    expect(() => entriesOf('tags', many)).toThrow('tags: more than 64 entries')
  })
})

describe('values', () => {
  test('of a counter are a rate by default, split by tags', async () => {
    const { ask, metricStore } = await createShop()
    await fillMetrics(metricStore, [
      metricPoint('shop.orders', { sum: 50, tags: { env: 'prod' } }),
      metricPoint('shop.orders', { sum: 20, tags: { env: 'prod', host: 'web-2' } }),
      metricPoint('shop.orders', { sum: 7, tags: { env: 'test' } }),
      metricPoint('shop.orders', { sum: 1, tags: { env: 'prod' }, startMs: NOW_MS - 20_000 }),
    ])
    const prod = await ask({ name: 'shop.orders', tags: 'env:prod', by: 'host' })
    expect(prod).toMatchObject({
      lines: [
        {
          tags: { host: 'web-1' },
          kind: 'counter',
          points: [
            [NOW_MS - 20_000, 0.1],
            [NOW_MS - 10_000, 5],
          ],
        },
        { tags: { host: 'web-2' }, points: [[NOW_MS - 10_000, 2]] },
      ],
      linesTotal: 2,
      step: 10_000,
      resolution: 'raw',
      aggregates: ['rate'],
      lost: { total: 0, byReason: {}, byHost: {} },
      meta: { query: 'shop.orders env:prod by host', returned: 3, scanned: 3, complete: true },
    })
    const all = await ask({
      name: 'shop.orders',
      tags: ['!env:test', 'host:web-*'],
      agg: 'sum,count',
      step: '1m',
    })
    expect(all.lines).toEqual([{ tags: {}, kind: 'counter', points: [[NOW_MS - MINUTE, 71, 3]] }])
    expect(all.resolution).toBe('minute')
  })

  test('of each kind have an aggregate of their own by default', async () => {
    const { ask, metricStore } = await createShop()
    const sketch = createDistribution()
    for (let at = 1; at <= 100; at += 1) sketch.add(at)
    const latency = { count: 100, sum: 5_050, max: 100, sketch: sketch.encode() }
    await fillMetrics(metricStore, [
      metricPoint('shop.queue', { kind: 'gauge', sum: 6, count: 2 }),
      metricPoint('shop.latency', { kind: 'distribution', ...latency }),
    ])
    expect(await ask({ name: 'shop.queue' })).toMatchObject({
      aggregates: ['avg'],
      lines: [{ points: [[0, 3]].map(([, value]) => [NOW_MS - 10_000, value]) }],
    })
    const p95 = await ask({ name: 'shop.latency' })
    expect(p95.aggregates).toEqual(['p95'])
    expect(p95.lines[0]?.points[0]?.[1]).toBeCloseTo(95, -0.5)
    expect((await ask({ name: 'shop.latency', agg: ['p50', 'avg'] })).aggregates).toEqual(['p50', 'avg'])
  })

  test('a name of several kinds needs the kind', async () => {
    const { ask, metricStore } = await createShop()
    await fillMetrics(metricStore, [metricPoint('shop.x'), metricPoint('shop.x', { kind: 'gauge' })])
    expect(await ask({ name: 'shop.x' })).toMatchObject({
      code: 'BAD_REQUEST',
      detail: 'kind: shop.x is the name of several kinds; ask for one of counter, gauge',
    })
    expect(await ask({ name: 'shop.x', kind: 'gauge' })).toMatchObject({ lines: [{ kind: 'gauge' }] })
  })

  test('the first step is a whole one', async () => {
    const { ask, metricStore } = await createShop()
    await fillMetrics(metricStore, [metricPoint('shop.orders', { sum: 5, startMs: NOW_MS - MINUTE })])
    const answer = await ask({ name: 'shop.orders', from: 'now-30s', step: '1m', agg: 'sum' })
    expect(answer.lines[0]?.points).toEqual([[NOW_MS - MINUTE, 5]])
    expect(answer.meta).toMatchObject({ from: '2026-11-21T11:59:00.000Z' })
  })

  test('nothing is answered with why, and with names that may be meant', async () => {
    const { ask, metricStore } = await createShop()
    expect((await ask({ name: 'shop.orders' })).hint).toEqual({
      detail: 'no metric at all has values in the range',
      names: [],
    })
    await fillMetrics(metricStore, [
      metricPoint('shop.orders'),
      metricPoint('shop.orders_failed'),
      metricPoint('cpu'),
    ])
    expect(await ask({ name: 'shop.ordres' })).toMatchObject({
      lines: [],
      linesTotal: 0,
      hint: {
        detail: 'no metric of this name has values in the range',
        names: ['shop.orders', 'shop.orders_failed'],
      },
    })
    expect((await ask({ name: 'shop.orders', tags: 'env:prod' })).hint).toEqual({
      detail: 'the metric has values in the range, but no series with these tags',
      names: [],
    })
    expect((await ask({ name: 'shop.orders', kind: 'gauge' })).hint?.detail).toBe(
      'the metric is a counter, not a gauge',
    )
    expect(await ask({ name: 'shop.orders' })).not.toHaveProperty('hint')
  })

  test.each([
    [{}, 'name'],
    [{ name: 'a', agg: 'p42' }, 'agg: "p42" is none of rate'],
    [{ name: 'shop.orders', agg: 'p95' }, 'a counter has no p95'],
    [{ name: 'a', by: 'a,b,c,d,e' }, 'by: at most 4 tags'],
    [{ name: 'a', tags: 'canary' }, 'tags: '],
    [{ name: 'a', kind: 'timer' }, 'kind'],
    [{ name: 'a', from: 'now', to: 'now-1h' }, 'from: '],
    [{ name: 'a', step: '1s', from: 'now-2d' }, 'take step='],
    [{ name: 'a'.repeat(201) }, 'name'],
  ])('%j is refused', async (query, detail) => {
    const { ask, metricStore } = await createShop()
    await fillMetrics(metricStore, [metricPoint('shop.orders')])
    const problem = await ask(query)
    expect(problem).toMatchObject({ code: 'BAD_REQUEST' })
    expect(problem.detail).toContain(detail)
  })
})

describe('what is missing', () => {
  const judged = (changes: Partial<SiteCompleteness>) =>
    createCompleteness({ complete: true, completeToMs: NOW_MS, gaps: [], gapsTotal: 0, ...changes })

  test('complete is what the ledger says; completeTo is the end of a whole flush that must have come', async () => {
    const judge = ({ toMs }: TimeRange) => ({ complete: true, completeToMs: toMs, gaps: [], gapsTotal: 0 })
    const { ask } = await createShop({ completeness: { ...createCompleteness(), judge } })
    const { meta } = await ask({ name: 'shop.orders' })
    expect(meta).toMatchObject({ complete: true, completeTo: '2026-11-21T11:59:50.000Z' })
    const past = await ask({ name: 'shop.orders', from: 'now-1h', to: 'now-30m' })
    expect(past.meta).toMatchObject({ complete: true, completeTo: '2026-11-21T11:30:00.000Z' })
    const short = await ask({ name: 'shop.orders', from: 'now-5s' })
    expect(short.meta).toMatchObject({ complete: true, completeTo: null })
  })

  test('gaps of the ledger are gaps of metrics; purges of records are none', async () => {
    const gap = { reason: 'silent' as const, fromMs: NOW_MS - 5_000, toMs: NOW_MS }
    const completeness = judged({
      complete: false,
      completeToMs: NOW_MS - 5_001,
      gaps: [gap],
      gapsTotal: 1,
    })
    const { ask, store } = await createShop({ completeness })
    store.purged = async () => {
      throw new Error('nobody asks')
    }
    const { meta } = await ask({ name: 'shop.orders' })
    expect(meta).toMatchObject({
      complete: false,
      completeTo: '2026-11-21T11:59:50.000Z',
      sites: { 'eu-1': { gaps: [{ reason: 'silent' }] } },
    })
  })

  test('points that are not kept any more are a gap', async () => {
    const { ask } = await createShop()
    const { meta } = await ask({ name: 'shop.orders', from: 'now-3d', to: 'now-2d', step: '30s' })
    expect(meta).toMatchObject({
      complete: false,
      completeTo: null,
      sites: {
        'eu-1': {
          gaps: [
            { reason: 'purged', detail: 'points this narrow are kept no longer; a wider step may see more' },
          ],
        },
      },
    })
    expect((await ask({ name: 'shop.orders', from: 'now-3d', to: 'now-2d' })).meta.complete).toBe(true)
  })

  test('points of a damaged file are a gap', async () => {
    const { ask, metricStore } = await createShop({ completeness: judged({}) })
    const query = metricStore.query.bind(metricStore)
    const damaged = [{ fromMs: NOW_MS - 30 * MINUTE, toMs: NOW_MS - 20 * MINUTE }]
    metricStore.query = async (asked, signal) => ({ ...(await query(asked, signal)), damaged })
    const { meta } = await ask({ name: 'shop.orders', from: 'now-1h' })
    expect(meta).toMatchObject({
      complete: false,
      completeTo: '2026-11-21T11:30:00.000Z',
      sites: {
        'eu-1': {
          gaps: [
            {
              reason: 'lost',
              from: '2026-11-21T11:30:00.000Z',
              to: '2026-11-21T11:40:00.000Z',
              detail: 'points lost with a damaged file of the metric store, which was put aside',
            },
          ],
        },
      },
    })
  })

  test('losses of the range and of the asked hosts are told by reason and by host', async () => {
    const { ask, metricStore } = await createShop()
    const lost = (sum: number, reason: string, more: object = {}) =>
      metricPoint('noctule.statsd.lost', { sum, tags: { reason, ...more } })
    await fillMetrics(metricStore, [
      lost(120, 'kernel'),
      lost(3, 'malformed'),
      lost(40, 'kernel', { host: 'web-2' }),
      { ...lost(9, 'kernel'), startMs: NOW_MS - HOUR },
    ])
    expect((await ask({ name: 'shop.orders' })).lost).toEqual({
      total: 163,
      byReason: { kernel: 160, malformed: 3 },
      byHost: { 'web-1': 123, 'web-2': 40 },
    })
    const ofOne = await ask({ name: 'shop.orders', tags: 'host:web-2,env:prod' })
    expect(ofOne.lost).toEqual({ total: 40, byReason: { kernel: 40 }, byHost: { 'web-2': 40 } })
  })

  test('of many hosts the 20 that lost most are named', () => {
    const lines = Array.from({ length: 30 }, (_, at) => ({
      tags: { host: `web-${at}`, reason: 'kernel' },
      kind: 'counter' as const,
      steps: [{ startMs: 0, values: [at] }],
    })) satisfies MetricAnswer['lines']
    const { total, byHost } = lostOf({ lines })
    expect(total).toBe((29 * 30) / 2)
    expect(Object.keys(byHost)).toHaveLength(20)
    expect(Object.keys(byHost)[0]).toBe('web-29')
  })

  test('only the sites that are asked are judged', async () => {
    const { ask, metricStore } = await createShop({ holds: ['eu-1', 'us-1'] })
    await fillMetrics(metricStore, [
      metricPoint('shop.orders', { sum: 1 }),
      metricPoint('shop.orders', { sum: 2, tags: { site: 'us-1' } }),
    ])
    const all = await ask({ name: 'shop.orders', agg: 'sum' })
    expect(Object.keys(all.meta.sites)).toEqual(['eu-1', 'us-1'])
    for (const query of [{ sites: 'us-1' }, { tags: 'site:us-*' }]) {
      const one = await ask({ name: 'shop.orders', agg: 'sum', ...query })
      expect(Object.keys(one.meta.sites)).toEqual(['us-1'])
      expect(one.lines[0]?.points[0]?.[1]).toBe(2)
    }
    expect(await ask({ name: 'shop.orders', sites: 'mars' })).toMatchObject({ code: 'UNKNOWN_SITE' })
    expect(await ask({ name: 'shop.orders', tags: 'site:mars' })).toMatchObject({ code: 'UNKNOWN_SITE' })
  })
})

test('names and tags are found', async () => {
  const { ask, metricStore } = await createShop()
  await fillMetrics(metricStore, [
    metricPoint('shop.orders', { tags: { env: 'prod' } }),
    metricPoint('shop.orders', { tags: { env: 'test', host: 'web-2' } }),
    metricPoint('host.load1', { kind: 'gauge' }),
  ])
  expect(await ask({}, '/v1/metrics/names')).toMatchObject({
    names: [
      { name: 'host.load1', kind: 'gauge', series: 1 },
      { name: 'shop.orders', kind: 'counter', series: 2 },
    ],
    total: 2,
    meta: { complete: true },
  })
  expect(await ask({ prefix: 'orders', limit: '1' }, '/v1/metrics/names')).toMatchObject({
    names: [{ name: 'shop.orders' }],
    total: 1,
  })
  expect(await ask({ name: 'shop.orders', tags: 'env:prod' }, '/v1/metrics/tags')).toMatchObject({
    tags: [
      { tag: 'env', values: [{ value: 'prod', series: 1 }], valuesTotal: 1 },
      { tag: 'host', values: [{ value: 'web-1' }] },
      { tag: 'site', values: [{ value: 'eu-1' }] },
    ],
    series: 1,
  })
  expect(await ask({}, '/v1/metrics/stats')).toMatchObject({ series: 3, resolutions: { raw: { points: 3 } } })
})

test('a query about metrics is listed, counts among the others, and can be cancelled', async () => {
  const { app, metricStore, ask } = await createShop()
  let asked = false
  metricStore.query = (_query, signal) =>
    new Promise((_resolve, reject) => {
      asked = true
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  const answer = ask({ name: 'shop.orders', agg: 'sum' })
  await until(() => asked)
  const list = await app.inject({ url: '/v1/queries', headers: bearer('admin') })
  const [query] = list.json<{ queries: { id: string; kind: string; query: string }[] }>().queries
  expect(query).toMatchObject({ kind: 'metrics', query: 'shop.orders' })
  await app.inject({ method: 'DELETE', url: `/v1/queries/${query?.id}`, headers: bearer('admin') })
  expect(await answer).toMatchObject({ code: 'CANCELLED' })
})

test.each([
  ['shop.ordres', ['shop.orders']],
  ['orders', ['shop.orders']],
  ['x', []],
])('names near %s', (name, near) => {
  expect(nearNames(name, ['shop.orders', 'host.cpu.busy', 'queue'], 5)).toEqual(near)
})

describe('boards', () => {
  test('are the built-in ones and those of the configuration, which may take their places', async () => {
    const config = parseConfig(
      `boards:
        - name: shop
          title: Shop
          charts: [{ title: Orders, metric: shop.orders, by: [env] }]
        - name: host
          title: My hosts
          charts: [{ title: Load, metric: host.load1, aggregate: max }]`,
      {},
    )
    const { app } = await createNode({ config })
    const { boards } = (await app.inject({ url: '/v1/boards', headers })).json<{
      boards: { name: string; builtIn: boolean; title: string; charts: object[] }[]
    }>()
    expect(boards.map(({ name, title, builtIn }) => [name, title, builtIn])).toEqual([
      ['noctule', 'Noctule itself', true],
      ['shop', 'Shop', false],
      ['host', 'My hosts', false],
    ])
    expect(boards[1]?.charts).toEqual([
      { title: 'Orders', metric: 'shop.orders', tags: [], by: ['env'], aggregate: null },
    ])
  })

  test('the built-in one of Noctule shows metrics that it has, by labels that they have', () => {
    const registered = new Map(ownMetrics().map(({ name, text }) => [statsdName(name), text]))
    const charts = boardsOf([]).find(({ name }) => name === 'noctule')?.charts ?? []
    for (const { metric, by } of charts.filter(({ metric }) => metric !== LOST_METRIC)) {
      const text = registered.get(metric) ?? ''
      const labels = by.filter((tag) => !['site', 'host', 'tier'].includes(tag))
      const missing = labels.filter((label) => !text.includes(`'${label}'`))
      expect({ metric, isRegistered: text !== '', missing }).toEqual({
        metric,
        isRegistered: true,
        missing: [],
      })
    }
    expect(charts.length).toBeGreaterThan(5)
  })

  test('need a token, as all of it does', async () => {
    const { app } = await createNode()
    for (const url of ['/v1/boards', '/v1/metrics/names', '/v1/metrics/stats', '/v1/metrics/query?name=a'])
      expect({ url, status: (await app.inject({ url })).statusCode }).toEqual({ url, status: 401 })
  })
})

test('every page of the dashboards is the one page', async () => {
  const dashboardsDir = await mkdtemp(join(tmpdir(), 'noctule-pages-'))
  onTestFinished(() => rm(dashboardsDir, { recursive: true }))
  await mkdir(join(dashboardsDir, 'assets'))
  await writeFile(join(dashboardsDir, 'index.html'), '<p>the page</p>')
  const { app } = await createNode({ dashboardsDir })
  for (const url of [
    '/',
    '/?q=x',
    '/charts',
    '/hosts',
    '/collectors',
    '/boards',
    '/boards/host',
    '/boards/a%20b',
  ]) {
    const { body, headers: sent } = await app.inject({ url })
    expect({ url, body, cache: sent['cache-control'] }).toEqual({
      url,
      body: '<p>the page</p>',
      cache: 'no-cache',
    })
  }
  expect((await app.inject({ url: '/elsewhere' })).statusCode).toBe(404)
})
