import { expect, onTestFinished, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { systemClock } from '../../../core/clock.ts'
import type { Role } from '../../../core/config.ts'
import type { Store } from '../../../core/ports.ts'
import type { App } from '../../../query-api/schema.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { NOW_MS, askable, bearer, createNode, until } from './node.ts'

interface Listed {
  readonly id: string
  readonly kind: string
  readonly user: string
  readonly [name: string]: unknown
}

const headers = bearer('search')

/** A store whose queries end only when their signal aborts. */
function stuckStore() {
  const signals: AbortSignal[] = []
  const hang = (_request: unknown, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signals.push(signal)
      signal.addEventListener('abort', () => reject(new Error('stopped')))
    })
  const stuck = { search: hang, exportPage: hang, histogram: hang, top: hang, explain: hang }
  const store: Store = { ...createMemoryStore(), ...stuck }
  return { store, signals }
}

async function listed(app: App, role: Role = 'search'): Promise<readonly Listed[]> {
  const response = await app.inject({ url: '/v1/queries', headers: bearer(role) })
  return response.json<{ queries: Listed[] }>().queries
}

function needed(kind: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(askable(`/v1/${kind}`).split('?')[1] ?? ''))
}

const cancel = (app: App, id: string, role: Role = 'search') =>
  app.inject({ method: 'DELETE', url: `/v1/queries/${id}`, headers: bearer(role) })

test('a query that runs or waits is listed until it is answered', async () => {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const { store, signals } = stuckStore()
  const { app } = await createNode({ clock, store }, { concurrencyMax: 1, queueMax: 1 })
  const first = app.inject({ url: '/v1/search?q=one&timeout=5000', headers })
  await until(() => signals.length === 1)
  await clock.advance(1_500)
  const second = app.inject({ url: '/v1/top?q=two&field=host&from=now-1h&timeout=5000', headers })
  await until(() => clock.timers === 2)
  expect(await listed(app)).toEqual([
    {
      id: expect.any(String) as string,
      kind: 'search',
      query: 'one',
      user: 'search-name',
      from: '2026-11-21T11:45:00.000Z',
      to: '2026-11-21T12:00:00.000Z',
      startedAt: '2026-11-21T12:00:00.000Z',
      runningMs: 1_500,
      state: 'running',
    },
    {
      id: expect.any(String) as string,
      kind: 'top',
      query: 'two',
      user: 'search-name',
      from: '2026-11-21T11:00:01.500Z',
      to: '2026-11-21T12:00:01.500Z',
      startedAt: '2026-11-21T12:00:01.500Z',
      runningMs: 0,
      state: 'waiting',
    },
  ])
  await clock.advance(5_000)
  await Promise.all([first, second])
  expect(await listed(app)).toEqual([])
})

const KINDS = ['search', 'histogram', 'top', 'fields', 'context', 'patterns', 'explain', 'export']

test.each(KINDS)('a %s that passes its deadline is answered 504, and its work is aborted', async (kind) => {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const { store, signals } = stuckStore()
  const { app } = await createNode({ clock, store })
  const answer = app.inject({ url: `/v1/${kind}`, query: { ...needed(kind), timeout: '250' }, headers })
  await until(() => signals.length > 0)
  await clock.advance(250)
  const response = await answer
  expect(response.statusCode).toBe(504)
  expect(response.json()).toMatchObject({ code: 'DEADLINE', retryable: true, details: { timeoutMs: 250 } })
  expect(signals[0]?.reason).toMatchObject({ code: 'DEADLINE' })
  expect(await listed(app)).toEqual([])
})

test.each(KINDS)('a client of a %s that goes away aborts the work in the store', async (kind) => {
  const { store, signals } = stuckStore()
  const { app } = await createNode({ clock: systemClock, store })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = new AbortController()
  const answer = fetch(`${url}${askable(`/v1/${kind}`)}`, { headers, signal: client.signal })
  await until(() => signals.length > 0)
  client.abort()
  await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  await until(() => signals[0]?.aborted === true)
  expect(signals[0]?.reason).toMatchObject({ code: 'CANCELLED', message: 'the client went away' })
  await expect.poll(() => listed(app), { interval: 5 }).toEqual([])
})

test.each(KINDS)(
  'a running %s is cancelled by its id: it is answered CANCELLED, and by whom',
  async (kind) => {
    const { store, signals } = stuckStore()
    const { app } = await createNode({ store })
    const answer = app.inject({ url: askable(`/v1/${kind}`), headers })
    await until(() => signals.length > 0)
    const [query] = await listed(app)
    expect(query?.kind).toBe(kind)
    expect((await cancel(app, query?.id ?? '', 'admin')).statusCode).toBe(204)
    const response = await answer
    expect(response.statusCode).toBe(499)
    expect(response.headers['x-query-id']).toBe(query?.id)
    expect(response.json()).toMatchObject({
      code: 'CANCELLED',
      detail: 'the query was cancelled by admin-name',
      retryable: false,
    })
    expect(signals[0]?.reason).toMatchObject({ code: 'CANCELLED' })
    expect(await listed(app)).toEqual([])
  },
)

test('a waiting query is cancelled before it ever runs', async () => {
  const { store, signals } = stuckStore()
  const { app } = await createNode({ store }, { concurrencyMax: 1, queueMax: 1 })
  const running = app.inject({ url: '/v1/search', headers })
  await until(() => signals.length === 1)
  const waiting = app.inject({ url: '/v1/histogram', headers })
  await expect.poll(async () => (await listed(app)).length, { interval: 1 }).toBe(2)
  const [first, second] = await listed(app)
  await cancel(app, second?.id ?? '')
  expect((await waiting).json()).toMatchObject({ detail: 'the query was cancelled by search-name' })
  await cancel(app, first?.id ?? '')
  expect((await running).statusCode).toBe(499)
  expect(signals).toHaveLength(1)
})

test('people see and cancel their own queries, an administrator those of everybody', async () => {
  const { store, signals } = stuckStore()
  const { app } = await createNode({ store })
  const own = app.inject({ url: '/v1/search?q=own', headers })
  await until(() => signals.length === 1)
  const other = app.inject({ url: '/v1/search?q=other', headers: bearer('admin') })
  await until(() => signals.length === 2)
  expect((await listed(app)).map(({ user }) => user)).toEqual(['search-name'])
  const [ofSearch, ofAdmin] = await listed(app, 'admin')
  expect([ofSearch?.user, ofAdmin?.user]).toEqual(['search-name', 'admin-name'])

  const refused = await cancel(app, ofAdmin?.id ?? '')
  expect(refused.statusCode).toBe(404)
  expect(refused.json()).toEqual((await cancel(app, ofAdmin?.id ?? '')).json())
  expect(await listed(app, 'admin')).toHaveLength(2)
  expect((await cancel(app, ofSearch?.id ?? '', 'search')).statusCode).toBe(204)
  expect((await cancel(app, ofAdmin?.id ?? '', 'admin')).statusCode).toBe(204)
  expect([(await own).statusCode, (await other).statusCode]).toEqual([499, 499])
  expect((await cancel(app, ofAdmin?.id ?? '', 'admin')).statusCode).toBe(404)
})

test('the id of a query is in its answer and in a header', async () => {
  const { app } = await createNode()
  const ids = new Set<unknown>()
  for (let count = 0; count < 3; count++) {
    const response = await app.inject({ url: '/v1/search', headers })
    const { meta } = response.json<{ meta: { id: string } }>()
    expect(response.headers['x-query-id']).toBe(meta.id)
    ids.add(meta.id)
  }
  expect(ids.size).toBe(3)
})

test('a tail is listed without a range, and ends with CANCELLED', async () => {
  const { app } = await createNode({ clock: systemClock })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = new AbortController()
  onTestFinished(() => client.abort())
  const response = await fetch(`${url}/v1/tail?q=host:a`, { headers, signal: client.signal })
  const [tail] = await listed(app)
  expect(tail).toMatchObject({ kind: 'tail', query: 'host:a', from: null, to: null, state: 'running' })
  expect(response.headers.get('x-query-id')).toBe(tail?.id)
  await cancel(app, tail?.id ?? '', 'admin')
  const text = await response.text()
  expect(text).toMatch(/event: end\ndata: .*"code":"CANCELLED".*cancelled by admin-name/)
  expect(await listed(app)).toEqual([])
})

test('an export that is under way is cut with CANCELLED as its last word', async () => {
  const { store } = stuckStore()
  const ndjson = new Uint8Array(Buffer.from('{"message":"one"}\n'))
  let pages = 0
  const { app } = await createNode({
    clock: systemClock,
    store: {
      ...store,
      exportPage: async (request, signal) => {
        pages += 1
        if (pages > 1) return await store.exportPage(request, signal)
        return { ndjson, records: 1, next: { timeMs: NOW_MS, id: 'x' }, scanned: 1 }
      },
    },
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const response = await fetch(`${url}/v1/export`, { headers })
  await until(() => pages === 2)
  await cancel(app, response.headers.get('x-query-id') ?? '')
  let text = ''
  const reading = async () => {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk
  }
  await expect(reading()).rejects.toThrow('terminated')
  expect(JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
    error: { code: 'CANCELLED', detail: 'the query was cancelled by search-name' },
  })
})
