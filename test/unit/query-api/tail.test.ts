import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { systemClock } from '../../../core/clock.ts'
import type { Store } from '../../../core/ports.ts'
import type { App } from '../../../query-api/schema.ts'
import { SITE, bearer, createNode, fill, tokenOf, until } from './node.ts'

interface Event {
  readonly event: string
  readonly id: string
  readonly data: Record<string, unknown>
}

const headers = bearer('search')
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({ message: `m${from + index}` }))

/** Opens a tail on a real socket and reads it into `events`. */
async function openTail(app: App, query = '', more: Record<string, string> = {}) {
  const url = app.server.listening ? app.listeningOrigin : await listen(app)
  const client = new AbortController()
  onTestFinished(() => client.abort())
  const response = await fetch(`${url}/v1/tail${query}`, {
    headers: { ...headers, ...more },
    signal: client.signal,
  })
  const events: Event[] = []
  const ended = read(response, events)
  const records = () => events.filter(({ event }) => event === 'record')
  return {
    response,
    events,
    records,
    ended,
    messages: () => records().map(({ data }) => data['message']),
    close: () => client.abort(),
  }
}

async function listen(app: App): Promise<string> {
  return await app.listen({ host: '127.0.0.1', port: 0 })
}

async function read(response: Response, events: Event[]): Promise<void> {
  let text = ''
  try {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop() ?? ''
      events.push(...parts.map(parseEvent))
    }
  } catch {
    // Closed by the test.
  }
}

function parseEvent(text: string): Event {
  const lines = new Map(
    text.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  const data = JSON.parse(lines.get('data') ?? '') as Record<string, unknown>
  return { event: lines.get('event') ?? '', id: lines.get('id') ?? '', data }
}

async function createTailNode(store: Store = createMemoryStore(), query = {}) {
  return await createNode({ clock: systemClock, store }, query)
}

test('a tail starts with its plan and gives only what arrives from now on', async () => {
  const { app, store } = await createTailNode()
  await fill(store, numbered(0, 3))
  const tail = await openTail(app, '?q=api')
  expect(tail.response.headers.get('content-type')).toBe('text/event-stream')
  await until(() => tail.events.some(({ event }) => event === 'meta'))
  expect(tail.events[0]).toMatchObject({ event: 'plan', data: { query: 'api', sites: [SITE], position: 3 } })
  expect(tail.events.at(-1)?.data).toMatchObject({ complete: true, gaps: [], gapsTotal: 0, position: 3 })

  await fill(store, [{ message: 'api one' }, { message: 'other' }, { message: 'api two' }])
  await until(() => tail.records().length === 2)
  expect(tail.messages()).toEqual(['api one', 'api two'])
  expect(tail.records().map(({ id }) => id)).toEqual(['4', '6'])
})

test('a tail that resumes by Last-Event-ID or `after` has no hole and no duplicate, whatever arrived meanwhile', async () => {
  const { app, store } = await createTailNode()
  const first = await openTail(app)
  await until(() => first.events.length > 0)
  await fill(store, numbered(0, 1_200))
  await until(() => first.records().length >= 700)
  first.close()
  await first.ended
  await fill(store, numbered(1_200, 1_300))

  const lastId = first.records().at(-1)?.id ?? ''
  const rest = Array.from({ length: 1_300 - Number(lastId) }, (_, index) => `m${Number(lastId) + index}`)
  const byHeader = await openTail(app, '?after=1', { 'last-event-id': lastId })
  const byParameter = await openTail(app, `?after=${lastId}`)
  for (const tail of [byHeader, byParameter]) {
    await until(() => tail.records().length >= rest.length)
    expect(tail.messages()).toEqual(rest)
  }
})

test('a meta event carries the position that was looked at, so that a tail that finds nothing can resume', async () => {
  const { app, store } = await createTailNode()
  const tail = await openTail(app, '?q=nothing')
  await until(() => tail.events.length > 0)
  await fill(store, numbered(0, 10))
  await until(() => tail.events.some(({ event, id }) => event === 'meta' && id === '10'))
  expect(tail.records()).toEqual([])
})

/** A tail of everything whose client reads nothing. */
async function openStandingReader(store: Store) {
  await fill(
    store,
    Array.from({ length: 20_000 }, () => ({ message: 'x'.repeat(1_000) })),
    0,
  )
  let pages = 0
  const { app } = await createTailNode({
    ...store,
    arrivals: (request, signal) => {
      pages += 1
      return store.arrivals(request, signal)
    },
  })
  await listen(app)
  const socket = connect(Number(new URL(app.listeningOrigin).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.pause()
  socket.write(
    `GET /v1/tail?after=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokenOf('search')}\r\n\r\n`,
  )
  await until(() => pages > 0)
  return { app, socket, pages: () => pages }
}

test('a reader that stands still stops the reading of the store', async () => {
  const { socket, pages } = await openStandingReader(createMemoryStore())
  await new Promise((resolve) => setTimeout(resolve, 300)) // That nothing happens can only be seen by waiting.
  expect(pages()).toBeLessThan(40)
  let bytes = 0
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
  socket.resume()
  await until(() => pages() > 40 && bytes > 20_000_000)
})

test('a reader that stands still does not hold up the stop of the program', async () => {
  const { app } = await openStandingReader(createMemoryStore())
  const startedMs = performance.now()
  await app.close()
  expect(performance.now() - startedMs).toBeLessThan(3_000)
})

test('closing the socket ends the work in the store and frees the place', async () => {
  const store = createMemoryStore()
  let listeners = 0
  const counting: Store = {
    ...store,
    onArrival(listener) {
      listeners += 1
      const stop = store.onArrival(listener)
      return () => {
        listeners -= 1
        stop()
      }
    },
  }
  const { app } = await createTailNode(counting, { tailsMax: 1 })
  const tail = await openTail(app)
  await until(() => listeners === 1)
  expect((await openTail(app)).response.status).toBe(429)
  tail.close()
  await until(() => listeners === 0)
  expect((await openTail(app)).response.status).toBe(200)
})

test('a tail ends with an event that says so when the program stops', async () => {
  const { app } = await createTailNode()
  const tail = await openTail(app)
  await until(() => tail.events.length > 0)
  await app.close()
  await tail.ended
  expect(tail.events.at(-1)).toMatchObject({ event: 'end', data: { code: 'SHUTTING_DOWN', retryable: true } })
})

test('a tail says why when the store fails under it', async () => {
  const { app, logged } = await createTailNode({
    ...createMemoryStore(),
    arrivals: () => Promise.reject(new Error('bug')),
  })
  const tail = await openTail(app)
  await tail.ended
  expect(tail.events.at(-1)).toMatchObject({ event: 'end', data: { code: 'INTERNAL', status: 500 } })
  expect(JSON.stringify(tail.events)).not.toContain('bug')
  expect(logged).toContainEqual(expect.objectContaining({ level: 'error', message: 'request failed' }))
})

test('what was purged just now stands in the meta of a tail', async () => {
  const fromMs = Date.now() - 60_000
  const slot = { fromMs, toMs: fromMs + 1_000, class: 'debug', reason: 'size', records: 5, atMs: 0 } as const
  const { app } = await createTailNode({ ...createMemoryStore(), purged: async () => [slot] })
  const tail = await openTail(app)
  await until(() => tail.events.some(({ event }) => event === 'meta'))
  expect(tail.events.find(({ event }) => event === 'meta')?.data).toMatchObject({
    complete: false,
    gaps: [{ reason: 'purged', records: 5 }],
  })
})
