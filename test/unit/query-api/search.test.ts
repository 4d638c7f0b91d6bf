import { expect, test } from 'vitest'
import { ServiceError } from '../../../core/errors.ts'
import type { Store } from '../../../core/ports.ts'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { systemClock } from '../../../core/clock.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { COVERED, NOW_MS, SITE, bearer, createCompleteness, createNode, fill, until } from './node.ts'

interface Answer {
  records: { id: string; time: string; message: string }[]
  meta: {
    cursor?: string
    truncated: boolean
    complete: boolean
    from: string
    to: string
    returned: number
    sites: object
  }
}

const headers = bearer('search')
const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ message: `m${index}` }))

/** A store whose queries end only when their signal aborts. */
function stuckStore() {
  const signals: AbortSignal[] = []
  const hang = (_request: unknown, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signals.push(signal)
      signal.addEventListener('abort', () => reject(new Error('stopped')))
    })
  const store: Store = { ...createMemoryStore(), search: hang, histogram: hang }
  return { store, signals }
}

test('a search gives the newest records first, and the ledger’s word from before it ran', async () => {
  const asked: string[] = []
  const store = createMemoryStore()
  await fill(store, numbered(3))
  const { app } = await createNode({
    store: { ...store, search: (request, signal) => (asked.push('search'), store.search(request, signal)) },
    completeness: { ...createCompleteness(), judge: () => (asked.push('judge'), COVERED) },
  })
  const answer = (await app.inject({ url: '/v1/search?q=', headers })).json<Answer>()
  expect(answer.records.map(({ message }) => message)).toEqual(['m2', 'm1', 'm0'])
  expect(asked).toEqual(['judge', 'search'])
  expect(answer.meta).toMatchObject({
    query: '',
    from: '2026-11-21T11:45:00.000Z',
    to: '2026-11-21T12:00:00.000Z',
    truncated: false,
    returned: 3,
    scanned: 3,
    complete: true,
    completeTo: '2026-11-21T12:00:00.000Z',
    sites: { [SITE]: { status: 'ok', holder: SITE, returned: 3, gaps: [], gapsTotal: 0 } },
  })
})

test('gaps of the ledger stand in the answer, which is then not complete', async () => {
  const gap = { reason: 'silent', fromMs: NOW_MS - 2_000, toMs: NOW_MS, host: 'web-3' } as const
  const { app } = await createNode({
    completeness: createCompleteness({
      complete: false,
      completeToMs: NOW_MS - 2_000,
      gaps: [gap],
      gapsTotal: 1,
    }),
  })
  const { meta } = (await app.inject({ url: '/v1/search', headers })).json<Answer>()
  expect(meta.complete).toBe(false)
  expect(meta.sites).toMatchObject({
    [SITE]: {
      complete: false,
      gapsTotal: 1,
      gaps: [
        { reason: 'silent', host: 'web-3', from: '2026-11-21T11:59:58.000Z', to: '2026-11-21T12:00:00.000Z' },
      ],
    },
  })
})

test('paging by cursor gives each record once, also when time passes and records arrive meanwhile', async () => {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const { app, store } = await createNode({ clock })
  await fill(store, numbered(25), 0)
  await fill(store, numbered(25), 36_000)
  const seen: string[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const query = { q: 'time:>now-15m', limit: '7', ...(cursor === undefined ? {} : { cursor }) }
    const { records, meta } = (await app.inject({ url: '/v1/search', query, headers })).json<Answer>()
    expect(meta).toMatchObject({ from: '2026-11-21T11:45:00.000Z', to: '2026-11-21T12:00:00.000Z' })
    expect(meta.truncated).toBe(meta.cursor !== undefined)
    seen.push(...records.map(({ id }) => id))
    cursor = meta.cursor
    pages += 1
    await clock.advance(60_000)
    await fill(store, [{ timeMs: NOW_MS + 1 }])
  } while (cursor !== undefined)
  expect(seen).toHaveLength(new Set(seen).size)
  // Of the second batch 24 lie inside the 15 minutes; of the first, all are at NOW_MS: outside, as `to` is not included.
  expect(seen).toHaveLength(24)
  expect(pages).toBe(4)
})

test('NDJSON starts with the plan, ends with the meta, and has a record a line between', async () => {
  const { app, store } = await createNode()
  await fill(store, numbered(450), 10)
  for (const ask of [
    { query: { limit: '450', format: 'ndjson' }, headers },
    { query: { limit: '450' }, headers: { ...headers, accept: 'application/x-ndjson' } },
  ]) {
    const response = await app.inject({ url: '/v1/search', ...ask })
    expect(response.headers['content-type']).toBe('application/x-ndjson')
    const lines = response.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toHaveLength(452)
    expect(lines[0]).toEqual({
      plan: {
        query: '',
        from: '2026-11-21T11:45:00.000Z',
        to: '2026-11-21T12:00:00.000Z',
        limit: 450,
        sites: [SITE],
      },
    })
    expect(lines[1]).toMatchObject({ message: 'm449' })
    expect(lines.at(-1)).toMatchObject({ meta: { returned: 450, complete: true } })
  }
})

test.each([
  { query: { limit: '0' }, code: 'BAD_REQUEST', detail: /^limit: / },
  { query: { limit: '10001' }, code: 'BAD_REQUEST', detail: /^limit: / },
  { query: { timeout: '60001' }, code: 'BAD_REQUEST', detail: /^timeout: / },
  { query: { form: 'ndjson' }, code: 'BAD_REQUEST', detail: /form/ },
  { query: { from: 'yesterday' }, code: 'BAD_REQUEST', detail: /^from: / },
  { query: { to: 'soon' }, code: 'BAD_REQUEST', detail: /^to: / },
  { query: { from: 'now', to: 'now-1h' }, code: 'BAD_REQUEST', detail: /^from: / },
  { query: { cursor: 'nonsense' }, code: 'BAD_REQUEST', detail: /^cursor: / },
  { query: { sites: `${SITE},mars` }, code: 'UNKNOWN_SITE', detail: /mars/ },
  { query: { q: 'a AND (' }, code: 'QUERY_SYNTAX', detail: /column 8/ },
])('search?$query is refused with $code', async ({ query, code, detail }) => {
  const { app } = await createNode()
  const response = await app.inject({ url: '/v1/search', query: query as Record<string, string>, headers })
  expect(response.statusCode).toBe(400)
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(response.json()).toMatchObject({ code, status: 400, retryable: false, type: `/reference#${code}` })
  expect(response.json<{ detail: string }>().detail).toMatch(detail)
})

test('a syntax error points at its column', async () => {
  const { app } = await createNode()
  expect((await app.inject({ url: '/v1/search', query: { q: 'a AND (' }, headers })).json()).toMatchObject({
    column: 8,
  })
})

test('a query that passes its deadline is answered 504, and its work is aborted', async () => {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const { store, signals } = stuckStore()
  const { app } = await createNode({ clock, store })
  const answer = app.inject({ url: '/v1/search?timeout=250', headers })
  await until(() => signals.length === 1)
  await clock.advance(250)
  const response = await answer
  expect(response.statusCode).toBe(504)
  expect(response.json()).toMatchObject({ code: 'DEADLINE', retryable: true, details: { timeoutMs: 250 } })
  expect(signals[0]?.reason).toMatchObject({ code: 'DEADLINE' })
})

test('more queries than may run and wait are answered 429 with Retry-After; the others are served in turn', async () => {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const { store, signals } = stuckStore()
  const { app } = await createNode({ clock, store }, { concurrencyMax: 1, queueMax: 1 })
  const first = app.inject({ url: '/v1/search?timeout=100', headers })
  await until(() => signals.length === 1)
  const second = app.inject({ url: '/v1/histogram?timeout=500', headers })
  await until(() => clock.timers === 2)
  const third = await app.inject({ url: '/v1/search', headers })
  expect(third.statusCode).toBe(429)
  expect(third.headers['retry-after']).toBe('1')
  expect(third.json()).toMatchObject({ code: 'OVERLOADED', retryable: true })

  await clock.advance(100)
  expect((await first).statusCode).toBe(504)
  await until(() => signals.length === 2)
  await clock.advance(400)
  expect((await second).statusCode).toBe(504)
})

test('a client that goes away aborts the work in the store', async () => {
  const { store, signals } = stuckStore()
  const { app } = await createNode({ clock: systemClock, store })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = new AbortController()
  const answer = fetch(`${url}/v1/search`, { headers, signal: client.signal })
  await until(() => signals.length === 1)
  client.abort()
  await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  await until(() => signals[0]?.aborted === true)
  expect(signals[0]?.reason).toMatchObject({ code: 'CANCELLED' })
})

async function fail(error: unknown): Promise<never> {
  throw error
}

test('a store that cannot answer now is 503 with Retry-After; a fault of ours is 500 and tells nothing', async () => {
  const failing = (error: unknown): Store => ({ ...createMemoryStore(), search: () => fail(error) })
  const away = await createNode({
    store: failing(new ServiceError('STORE_UNAVAILABLE', 'away', { retryAfterMs: 2_500 })),
  })
  const unavailable = await away.app.inject({ url: '/v1/search', headers })
  expect(unavailable.statusCode).toBe(503)
  expect(unavailable.headers['retry-after']).toBe('3')

  const broken = await createNode({ store: failing(new Error('secret path /srv/x')) })
  const fault = await broken.app.inject({ url: '/v1/search', headers })
  expect(fault.statusCode).toBe(500)
  expect(fault.body).not.toContain('secret')
  const { details } = fault.json<{ details: { errorId: string } }>()
  expect(broken.logged).toContainEqual({
    level: 'error',
    message: 'request failed',
    fields: expect.objectContaining({
      errorId: details.errorId,
      error: new Error('secret path /srv/x'),
    }) as object,
  })
})
