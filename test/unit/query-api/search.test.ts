import { expect, test } from 'vitest'
import { ServiceError } from '../../../core/errors.ts'
import type { Store } from '../../../core/ports.ts'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
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

test('paging goes on in the order of the first page, whatever the later ones say', async () => {
  const { app, store } = await createNode()
  await fill(store, numbered(10))
  const seen: string[] = []
  let query: Record<string, string> = { order: 'oldest', limit: '4' }
  for (;;) {
    const { records, meta } = (await app.inject({ url: '/v1/search', query, headers })).json<Answer>()
    seen.push(...records.map(({ message }) => message))
    if (meta.cursor === undefined) break
    query = { order: 'newest', limit: '4', cursor: meta.cursor }
  }
  expect(seen).toEqual(numbered(10).map(({ message }) => message))
})

test('grep finds across words, only among what the query finds', async () => {
  const { app, store } = await createNode()
  await fill(store, [
    { message: 'disk is full' },
    { message: 'disk is not full' },
    { message: 'tank is full' },
  ])
  const query = { q: 'disk', grep: 'is (not )?full$', order: 'oldest' }
  const { records, meta } = (await app.inject({ url: '/v1/search', query, headers })).json<Answer>()
  expect(records.map(({ message }) => message)).toEqual(['disk is full', 'disk is not full'])
  expect(meta.returned).toBe(2)
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
        order: 'newest',
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
  { query: { order: 'random' }, code: 'BAD_REQUEST', detail: /^order: / },
  { query: { grep: '(' }, code: 'QUERY_SYNTAX', detail: /^grep: / },
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
