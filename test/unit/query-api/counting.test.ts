import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import type { HistogramRequest } from '../../../core/ports.ts'
import { EXAMPLE_CHARS_MAX, FIELDS_LISTED_MAX, summariseFields } from '../../../query-api/fields.ts'
import { NOW_MS, SITE, askable, bearer, createNode, fill } from './node.ts'

const headers = bearer('search')

describe('every question that counts', () => {
  const urls = ['/v1/histogram', '/v1/top', '/v1/fields', '/v1/patterns', '/v1/explain']

  test.each(urls)(
    '%s refuses grep, says so for the query, its range and its sites, and has an id',
    async (url) => {
      const { app } = await createNode()
      const needed: Record<string, string> = url === '/v1/top' ? { field: 'host' } : {}
      const asking = async (query: Record<string, string>) =>
        (await app.inject({ url, query: { ...needed, ...query }, headers })).json<object>()
      expect(await asking({ grep: 'a.*b' })).toMatchObject({ code: 'UNSUPPORTED', status: 400 })
      expect(await asking({ q: 'a AND (' })).toMatchObject({ code: 'QUERY_SYNTAX', column: 8 })
      expect(await asking({ from: 'now', to: 'now-1h' })).toMatchObject({ code: 'BAD_REQUEST' })
      expect(await asking({ sites: 'mars' })).toMatchObject({ code: 'UNKNOWN_SITE' })
      expect(await asking({ timeout: '0' })).toMatchObject({ code: 'BAD_REQUEST' })
      expect(await asking({ q: 'x', from: 'now-1h' })).toMatchObject({
        meta: {
          query: 'x',
          from: '2026-11-21T11:00:00.000Z',
          complete: true,
          id: expect.any(String) as string,
        },
      })
    },
  )
})

describe('histogram', () => {
  test('gives a quantile per bucket, and per value with `by`', async () => {
    const { app, store } = await createNode()
    const slow = Array.from({ length: 100 }, (_, index) => ({ latencyMs: index + 1, host: 'a' }))
    await fill(store, [...slow, { latencyMs: 7, host: 'b' }, { host: 'c' }], 1)
    const ask = async (query: Record<string, string>) =>
      (await app.inject({ url: '/v1/histogram', query: { interval: '1h', ...query }, headers })).json<{
        buckets: { quantiles?: object }[]
      }>()
    expect((await ask({ quantile: 'p99' })).buckets).toMatchObject([{ quantiles: { '': 99 } }])
    expect((await ask({ quantile: 'p99', by: 'host' })).buckets[0]?.quantiles).toEqual({ a: 99, b: 7 })
    expect((await ask({ quantile: 'p50', of: 'status' })).buckets[0]?.quantiles).toEqual({})
    expect((await ask({})).buckets[0]).not.toHaveProperty('quantiles')
  })

  test.each([
    { quantile: 'p1', p: 0.01 },
    { quantile: 'p29', p: 0.29 },
    { quantile: 'p99', p: 0.99 },
    { quantile: 'p99.9', p: 0.999 },
  ])('$quantile is $p, exactly', async ({ quantile, p }) => {
    const asked: HistogramRequest[] = []
    const store = createMemoryStore()
    const { app } = await createNode({
      store: {
        ...store,
        histogram: (request, signal) => (asked.push(request), store.histogram(request, signal)),
      },
    })
    await app.inject({ url: '/v1/histogram', query: { quantile, of: 'bytes' }, headers })
    expect(asked).toMatchObject([{ quantile: { of: 'bytes', p } }])
  })

  test.each([
    { quantile: 'p0' },
    { quantile: 'p100' },
    { quantile: '99' },
    { quantile: 'p50.5' },
    { of: 'bytes' },
    { quantile: 'p50', of: 'time' },
  ])('refuses %o', async (query) => {
    const { app } = await createNode()
    const response = await app.inject({
      url: '/v1/histogram',
      query: query as Record<string, string>,
      headers,
    })
    expect(response.json()).toMatchObject({ code: 'BAD_REQUEST' })
  })
})

describe('top', () => {
  test('gives the most frequent values with their share, and when they were seen first and last', async () => {
    const { app, store } = await createNode()
    await fill(store, [{ host: 'a' }, { host: 'b' }, { host: 'a' }, { host: '' }], 60_000)
    const response = await app.inject({ url: '/v1/top?field=host&limit=1', headers })
    expect(response.json()).toMatchObject({
      field: 'host',
      values: [
        {
          value: 'a',
          count: 2,
          share: 2 / 3,
          first: '2026-11-21T11:56:00.000Z',
          last: '2026-11-21T11:58:00.000Z',
        },
      ],
      matched: 4,
      having: 3,
      distinct: 2,
      approximate: false,
      meta: { returned: 4, scanned: 4 },
    })
  })

  test('counts numbers and attrs too', async () => {
    const { app, store } = await createNode()
    await fill(store, [{ status: 200, attrs: { 'http.method': 'GET' } }, { status: 500 }])
    for (const [field, value] of [
      ['http.method', 'GET'],
      ['status', '200'],
    ]) {
      const response = await app.inject({ url: '/v1/top', query: { field: field ?? '' }, headers })
      expect(response.json()).toMatchObject({
        values: expect.arrayContaining([expect.objectContaining({ value })]) as object,
      })
    }
  })

  test.each([
    { query: {}, code: 'BAD_REQUEST' },
    { query: { field: '' }, code: 'BAD_REQUEST' },
    { query: { field: 'x'.repeat(1_025) }, code: 'BAD_REQUEST' },
    { query: { field: 'host', limit: '1001' }, code: 'BAD_REQUEST' },
    { query: { field: 'message' }, code: 'UNSUPPORTED' },
    { query: { field: 'time' }, code: 'UNSUPPORTED' },
    { query: { field: 'id' }, code: 'UNSUPPORTED' },
  ])('refuses $query with $code', async ({ query, code }) => {
    const { app } = await createNode()
    const response = await app.inject({ url: '/v1/top', query: query as Record<string, string>, headers })
    expect(response.json()).toMatchObject({ code, status: 400 })
  })
})

describe('fields', () => {
  interface Answer {
    fields: { name: string; types: string[]; share: number; distinct: number; examples: unknown[] }[]
    sampled: number
    of?: number
  }

  test('describes the fields of the newest records, and says how many it looked at', async () => {
    const { app, store } = await createNode()
    await fill(store, [
      { attrs: { old: true } },
      { host: 'a', attrs: { size: 1, tags: ['x', 'y', 'x'] } },
      { host: 'b', attrs: { size: 'big' } },
      { host: 'a', attrs: { size: 1 } },
    ])
    const ask = async (query: Record<string, string>) =>
      (await app.inject({ url: '/v1/fields', query, headers })).json<Answer>()
    const three = await ask({ sample: '3' })
    expect(three).toMatchObject({ sampled: 3 })
    expect(three).not.toHaveProperty('of')
    const named = (name: string) => three.fields.find((field) => field.name === name)
    expect(named('old')).toBeUndefined()
    expect(named('host')).toEqual({
      name: 'host',
      types: ['string'],
      share: 1,
      distinct: 2,
      examples: ['a', 'b'],
    })
    expect(named('size')).toMatchObject({ types: ['string', 'number'], distinct: 2, examples: [1, 'big'] })
    expect(named('tags')).toMatchObject({ types: ['list'], share: 1 / 3, distinct: 2, examples: ['x', 'y'] })
    const shares = three.fields.map(({ share }) => share)
    expect(shares).toEqual(shares.toSorted((a, b) => b - a))

    expect(await ask({})).toMatchObject({ sampled: 4, of: 4 })
    expect(await ask({ sample: '10001' })).toMatchObject({ code: 'BAD_REQUEST' })
    expect(await ask({ q: 'nothing' })).toMatchObject({ fields: [], sampled: 0, of: 0 })
  })

  test('cuts long examples, tells an attr from the record field of its name, and bounds its list', async () => {
    const store = createMemoryStore()
    const attrs = Object.fromEntries(
      Array.from({ length: FIELDS_LISTED_MAX }, (_, index) => [`key${index}`, 1]),
    )
    const records = await fill(store, [{ message: 'm'.repeat(300), attrs: { host: 'mine', ...attrs } }])
    const { fields, total } = await summariseFields(records, new AbortController().signal)
    expect(fields.find(({ name }) => name === 'message')?.examples).toEqual([
      `${'m'.repeat(EXAMPLE_CHARS_MAX)}…`,
    ])
    expect(fields.find(({ name }) => name === 'attrs.host')?.examples).toEqual(['mine'])
    expect(fields).toHaveLength(FIELDS_LISTED_MAX)
    expect(total).toBeGreaterThan(FIELDS_LISTED_MAX)
  })

  test('stops when nobody waits for it any more', async () => {
    const records = await fill(
      createMemoryStore(),
      Array.from({ length: 1_000 }, () => ({})),
    )
    const gone = new AbortController()
    const summary = summariseFields(records, gone.signal)
    gone.abort(new Error('gone'))
    await expect(summary).rejects.toThrow('gone')
  })
})

test('explain gives the parsed tree and what would be read', async () => {
  const explanation = {
    partitions: 9,
    partitionsRead: 2,
    blocks: { total: 12, outOfRange: 5, excludedByValues: 3, excludedByWords: 2, read: 2 },
    records: 20_000,
    bytes: 123_456,
    exact: true,
  }
  const { app } = await createNode({ store: { ...createMemoryStore(), explain: async () => explanation } })
  const response = await app.inject({ url: '/v1/explain', query: { q: 'host:a level:error' }, headers })
  expect(response.json()).toMatchObject({
    ...explanation,
    plan: {
      type: 'and',
      nodes: [
        { type: 'equals', field: 'host', value: 'a' },
        { type: 'equals', field: 'level', value: 'error' },
      ],
    },
    meta: { returned: 0, scanned: 0, truncated: false },
  })
})

test('what was purged of the range stands in every answer, which is then not complete', async () => {
  const range = { fromMs: NOW_MS - 60_000, toMs: NOW_MS - 30_000 }
  const purged = async () => [
    { ...range, class: 'debug', reason: 'age', records: 1_024, atMs: NOW_MS } as const,
  ]
  const memory = createMemoryStore()
  const [record] = await fill(memory, [{}], 60_000)
  const { app } = await createNode({ store: { ...memory, purged } })
  const urls = app.routeFacts
    .filter(({ method, role }) => method === 'GET' && role === 'search')
    .map(({ url }) => url)
  const without = new Set(['/v1/tail', '/v1/queries', '/v1/complete'])
  for (const url of urls.filter((url) => !without.has(url))) {
    const response = await app.inject({ url: askable(url, record?.id), headers })
    const last = response.body.trimEnd().split('\n').at(-1) ?? ''
    const { meta } = JSON.parse(last) as { meta: object }
    expect({ url, meta }).toMatchObject({
      url,
      meta: {
        complete: false,
        completeTo: '2026-11-21T11:59:00.000Z',
        sites: {
          [SITE]: {
            gapsTotal: 1,
            gaps: [
              {
                reason: 'purged',
                from: '2026-11-21T11:59:00.000Z',
                to: '2026-11-21T11:59:30.000Z',
                records: 1_024,
                detail: 'debug: 1,024 records purged by age',
              },
            ],
          },
        },
      },
    })
  }
  expect(urls.length).toBeGreaterThan(9)
})

test.each([
  { q: '', cursor: undefined, typed: '', kind: 'field' },
  { q: 'lev', cursor: undefined, typed: 'lev', kind: 'field' },
  { q: 'lev host:a', cursor: '3', typed: 'lev', kind: 'field' },
])('complete says what may stand at $cursor of "$q"', async ({ q, cursor, typed, kind }) => {
  const { app } = await createNode()
  const query = { q, ...(cursor === undefined ? {} : { cursor }) }
  const response = await app.inject({ url: '/v1/complete', query, headers })
  expect(response.json()).toMatchObject({ typed, kinds: expect.arrayContaining([kind]) as string[] })
  const level = expect.objectContaining({ text: 'level:' }) as object
  expect(response.json()).toMatchObject({ candidates: expect.arrayContaining([level]) as object[] })
})

test('the store tells of its partitions and purges; one that is never purged has no date for it', async () => {
  const partition = { class: 'all', fromMs: 0, toMs: 60_000, segments: 1, records: 2, bytes: 3 }
  const memory = createMemoryStore()
  const stats = async () => ({
    ...(await memory.stats()),
    partitions: [
      { ...partition, purgeAtMs: 90_000 },
      { ...partition, purgeAtMs: Infinity },
    ],
    purged: { partitions: 4, records: 5, bytes: 6 },
  })
  const { app } = await createNode({ store: { ...memory, stats } })
  const response = await app.inject({ url: '/v1/store', headers: bearer('dashboard') })
  expect(response.json()).toMatchObject({
    partitions: [
      { ...partition, purgeAtMs: 90_000 },
      { ...partition, purgeAtMs: null },
    ],
    purged: { partitions: 4, records: 5, bytes: 6 },
  })
})
