import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { systemClock } from '../../../core/clock.ts'
import { ServiceError } from '../../../core/errors.ts'
import type { ExportPage, SearchRequest, Store } from '../../../core/ports.ts'
import { EXPORTS_MAX, EXPORT_PAGE_RECORDS } from '../../../query-api/routes/export.ts'
import type { App } from '../../../query-api/schema.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { NOW_MS, SITE, bearer, createNode, fill, tokenOf, until } from './node.ts'

type Line = Readonly<Record<string, unknown>>

const headers = bearer('search')
const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ message: `m${index}` }))
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

/** A store whose pages hold at most `records` records. */
function paged(store: Store, records: number, asked: SearchRequest[] = []): Store {
  const exportPage: Store['exportPage'] = (request, signal) => {
    asked.push(request)
    return store.exportPage({ ...request, limit: Math.min(records, request.limit) }, signal)
  }
  return { ...store, exportPage }
}

/** Pages of a megabyte, without end; the signal of each is kept. */
function endless(): { store: Store; signals: AbortSignal[] } {
  const signals: AbortSignal[] = []
  const line = Buffer.from(`${JSON.stringify({ message: 'x'.repeat(1_000) })}\n`)
  const ndjson = new Uint8Array(Buffer.concat(Array<Buffer>(1_000).fill(line)))
  const next = { timeMs: NOW_MS, id: 'x' }
  const exportPage = async (_: SearchRequest, signal: AbortSignal): Promise<ExportPage> => {
    signal.throwIfAborted()
    signals.push(signal)
    return { ndjson, records: 1_000, next, scanned: 1_000 }
  }
  return { store: { ...createMemoryStore(), exportPage }, signals }
}

async function listen(app: App): Promise<string> {
  return await app.listen({ host: '127.0.0.1', port: 0 })
}

/** Everything that came of an answer, and whether it came to its proper end. */
async function received(response: Response): Promise<{ lines: Line[]; cut: boolean }> {
  let text = ''
  try {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk
  } catch {
    return { lines: linesOf(text), cut: true }
  }
  return { lines: linesOf(text), cut: false }
}

test('an export has the plan first, a record a line, and the meta last, over many pages', async () => {
  const store = createMemoryStore()
  const asked: SearchRequest[] = []
  await fill(store, numbered(10))
  const { app } = await createNode({ store: paged(store, 4, asked) })
  const response = await app.inject({ url: '/v1/export?q=NOT+m3', headers })
  expect(response.headers['content-type']).toBe('application/x-ndjson')
  const lines = linesOf(response.body)
  expect(lines[0]).toEqual({
    plan: {
      query: 'NOT m3',
      from: '2026-11-21T11:45:00.000Z',
      to: '2026-11-21T12:00:00.000Z',
      order: 'newest',
      limit: null,
      sites: [SITE],
    },
  })
  expect(lines.slice(1, -1).map(({ message }) => message)).toEqual([
    'm9',
    'm8',
    'm7',
    'm6',
    'm5',
    'm4',
    'm2',
    'm1',
    'm0',
  ])
  expect(lines.at(-1)).toMatchObject({
    meta: { returned: 9, truncated: false, complete: true, id: response.headers['x-query-id'] },
  })
  expect(asked.map(({ limit }) => limit)).toEqual([
    EXPORT_PAGE_RECORDS,
    EXPORT_PAGE_RECORDS,
    EXPORT_PAGE_RECORDS,
  ])
})

test('oldest first, filtered, up to a limit, and from there on', async () => {
  const store = createMemoryStore()
  await fill(store, numbered(30))
  const { app } = await createNode({ store: paged(store, 4) })
  const ask = async (more: Record<string, string>) => {
    const query = { order: 'oldest', grep: '^m[12]', limit: '6', ...more }
    return linesOf((await app.inject({ url: '/v1/export', query, headers })).body)
  }
  const first = await ask({})
  expect(first[0]).toMatchObject({ plan: { order: 'oldest', grep: '^m[12]', limit: 6 } })
  expect(first.slice(1, -1).map(({ message }) => message)).toEqual(['m1', 'm2', 'm10', 'm11', 'm12', 'm13'])
  const { meta } = first.at(-1) as { meta: { cursor: string; truncated: boolean } }
  expect(meta.truncated).toBe(true)
  const second = await ask({ cursor: meta.cursor })
  expect(second.slice(1, -1).map(({ message }) => message)).toEqual([
    'm14',
    'm15',
    'm16',
    'm17',
    'm18',
    'm19',
  ])
})

test('nothing found is a plan and a meta', async () => {
  const { app } = await createNode()
  const lines = linesOf((await app.inject({ url: '/v1/export', headers })).body)
  expect(lines.map((line) => Object.keys(line))).toEqual([['plan'], ['meta']])
})

test('what fails before the first byte is answered as a problem', async () => {
  const exportPage = () => Promise.reject(new ServiceError('STORE_UNAVAILABLE', 'away'))
  const { app } = await createNode({ store: { ...createMemoryStore(), exportPage } })
  expect((await app.inject({ url: '/v1/export', headers })).statusCode).toBe(503)
  for (const query of [{ q: 'a AND (' }, { grep: '(' }, { limit: '0' }, { cursor: 'x' }, { sites: 'mars' }]) {
    const response = await app.inject({ url: '/v1/export', query: query as Record<string, string>, headers })
    expect(response.statusCode).toBe(400)
  }
  expect((await app.inject({ url: '/v1/queries', headers })).json()).toEqual({ queries: [] })
})

test.each([
  { error: new ServiceError('DISK_FULL', 'no space'), code: 'DISK_FULL' },
  { error: new Error('bug in /srv/x'), code: 'INTERNAL' },
])(
  'what fails later with $code ends the stream with the error, no meta, and a cut',
  async ({ error, code }) => {
    const store = createMemoryStore()
    await fill(store, numbered(10))
    let pages = 0
    const failing: Store = {
      ...store,
      exportPage: async (request, signal) => {
        pages += 1
        if (pages > 1) throw error
        return store.exportPage({ ...request, limit: 4 }, signal)
      },
    }
    const { app } = await createNode({ store: failing })
    const { lines, cut } = await received(await fetch(`${await listen(app)}/v1/export`, { headers }))
    expect(cut).toBe(true)
    expect(lines).toHaveLength(6)
    expect(lines.at(-1)).toMatchObject({ error: { code } })
    expect(JSON.stringify(lines)).not.toContain('/srv/x')
  },
)

test('the deadline bounds each page, not the export', async () => {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const store = createMemoryStore()
  await fill(store, numbered(10))
  let pages = 0
  const slow: Store = {
    ...store,
    exportPage: async (request, signal) => {
      pages += 1
      if (pages === 4) return await new Promise<never>(() => {})
      await clock.sleep(200)
      return store.exportPage({ ...request, limit: 2 }, signal)
    },
  }
  const { app } = await createNode({ clock, store: slow })
  const response = fetch(`${await listen(app)}/v1/export?timeout=250`, { headers })
  for (let page = 1; page <= 3; page++) {
    await until(() => pages === page && clock.timers === 2)
    await clock.advance(200)
  }
  await until(() => pages === 4 && clock.timers === 1)
  await clock.advance(250)
  const { lines, cut } = await received(await response)
  expect(cut).toBe(true)
  expect(lines).toHaveLength(1 + 6 + 1)
  expect(lines.at(-1)).toMatchObject({ error: { code: 'DEADLINE', details: { timeoutMs: 250 } } })
})

/** Opens an export on a socket that reads nothing. */
async function openStandingReader(): Promise<{
  app: App
  socket: ReturnType<typeof connect>
  signals: AbortSignal[]
}> {
  const { store, signals } = endless()
  const { app } = await createNode({ clock: systemClock, store })
  await listen(app)
  const socket = connect(Number(new URL(app.listeningOrigin).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.pause()
  socket.write(`GET /v1/export HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokenOf('search')}\r\n\r\n`)
  await until(() => signals.length > 1)
  return { app, socket, signals }
}

test('a reader that stands still stops the reading of the store; closing the socket ends it', async () => {
  const { app, socket, signals } = await openStandingReader()
  await new Promise((resolve) => setTimeout(resolve, 300)) // That nothing happens can only be seen by waiting.
  const standing = signals.length
  expect(standing).toBeLessThan(40)
  let bytes = 0
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
  socket.resume()
  await until(() => signals.length > standing + 20 && bytes > 20_000_000)
  socket.destroy()
  const list = async () =>
    (await app.inject({ url: '/v1/queries', headers })).json<{ queries: object[] }>().queries
  await expect.poll(list, { interval: 5 }).toEqual([])
  const ended = signals.length
  await new Promise((resolve) => setImmediate(resolve))
  expect(signals).toHaveLength(ended)
})

test('a client that goes away aborts the page that is being read', async () => {
  const signals: AbortSignal[] = []
  const exportPage = (_: SearchRequest, signal: AbortSignal) =>
    new Promise<never>(() => void signals.push(signal))
  const { app } = await createNode({ clock: systemClock, store: { ...createMemoryStore(), exportPage } })
  const client = new AbortController()
  const answer = fetch(`${await listen(app)}/v1/export`, { headers, signal: client.signal })
  await until(() => signals.length === 1)
  client.abort()
  await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  await until(() => signals[0]?.aborted === true)
  expect(signals[0]?.reason).toMatchObject({ code: 'CANCELLED' })
})

test('an export is cut when the program stops, also when its reader stands still', async () => {
  const { app, socket } = await openStandingReader()
  const startedMs = performance.now()
  await app.close()
  expect(performance.now() - startedMs).toBeLessThan(3_000)
  socket.destroy()
})

test('few exports run at once, and queries go on beside them', async () => {
  const gate = Promise.withResolvers<void>()
  const store = createMemoryStore()
  let running = 0
  const held: Store = {
    ...store,
    exportPage: async (request, signal) => {
      running += 1
      await gate.promise
      return store.exportPage(request, signal)
    },
  }
  const { app } = await createNode({ store: held }, { concurrencyMax: 1, queueMax: 0 })
  const exports = Array.from({ length: EXPORTS_MAX }, () => app.inject({ url: '/v1/export', headers }))
  await until(() => running === EXPORTS_MAX)
  const refused = await app.inject({ url: '/v1/export', headers })
  expect(refused.statusCode).toBe(429)
  expect(refused.headers['retry-after']).toBe('1')
  expect(refused.json()).toMatchObject({ code: 'OVERLOADED', retryable: true })
  expect((await app.inject({ url: '/v1/search', headers })).statusCode).toBe(200)
  const { body } = await app.inject({ url: '/metrics', headers })
  expect(body).toMatch(/^noctule_exports 2$/m)

  gate.resolve()
  expect((await Promise.all(exports)).map(({ statusCode }) => statusCode)).toEqual([200, 200])
  expect((await app.inject({ url: '/v1/export', headers })).statusCode).toBe(200)
})
