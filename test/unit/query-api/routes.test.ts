import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { systemClock } from '../../../core/clock.ts'
import { ServiceError } from '../../../core/errors.ts'
import type { CollectorLedger } from '../../../core/ledger/types.ts'
import type { Intake, Origin, RecordImport } from '../../../core/ports.ts'
import { FRAME_BYTES_MAX } from '../../../core/wire.ts'
import { createAccess } from '../../../query-api/access/access.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { NOW_MS, SITE, bearer, createCompleteness, createNode, fill, sha256, tokenOf, until } from './node.ts'

describe('histogram', () => {
  const headers = bearer('search')

  test('counts by time and by a field, in about 60 buckets unless told otherwise', async () => {
    const { app, store } = await createNode()
    await fill(store, [{ level: 'error' }, { level: 'info' }, { level: 'info' }], 60_000)
    const response = await app.inject({ url: '/v1/histogram?by=level', headers })
    expect(response.json()).toMatchObject({
      intervalMs: 15_000,
      buckets: [
        { start: '2026-11-21T11:57:00.000Z', total: 1, by: { error: 1 } },
        { start: '2026-11-21T11:58:00.000Z', total: 1, by: { info: 1 } },
        { start: '2026-11-21T11:59:00.000Z', total: 1, by: { info: 1 } },
      ],
      meta: { returned: 3, complete: true, truncated: false },
    })
  })

  test.each([
    { interval: '1m', intervalMs: 60_000 },
    { interval: '90000', intervalMs: 90_000 },
  ])('takes $interval as its interval', async ({ interval, intervalMs }) => {
    const { app } = await createNode()
    const response = await app.inject({ url: '/v1/histogram', query: { interval }, headers })
    expect(response.json()).toMatchObject({ intervalMs })
  })

  test.each([
    { name: 'a word', query: { interval: 'wide' }, code: 'BAD_REQUEST' },
    { name: 'nothing', query: { interval: '0' }, code: 'BAD_REQUEST' },
    { name: 'too many buckets', query: { interval: '1ms' }, code: 'BAD_REQUEST' },
    { name: 'an unknown field to count by', query: { by: 'message' }, code: 'BAD_REQUEST' },
    { name: 'an unknown site', query: { sites: 'mars' }, code: 'UNKNOWN_SITE' },
  ])('refuses $name', async ({ query, code }) => {
    const { app } = await createNode()
    const response = await app.inject({
      url: '/v1/histogram',
      query: query as Record<string, string>,
      headers,
    })
    expect(response.statusCode).toBe(400)
    expect(response.json()).toMatchObject({ code })
  })

  test('refuses an answer with more counts than anybody could look at', async () => {
    const by = Object.fromEntries(Array.from({ length: 100_001 }, (_, index) => [`host-${index}`, 1]))
    const histogram = async () => ({ buckets: [{ startMs: NOW_MS, total: 100_001, by }], scanned: 1 })
    const { app } = await createNode({ store: { ...createMemoryStore(), histogram } })
    expect((await app.inject({ url: '/v1/histogram?by=host', headers })).json()).toMatchObject({
      code: 'QUERY_TOO_BROAD',
    })
  })
})

describe('deliveries', () => {
  function recordingIntake() {
    const taken: { what: unknown; origin: Origin }[] = []
    const intake: Intake = {
      batch: async (frame, origin) => {
        taken.push({ what: Buffer.from(frame).toString(), origin })
        return taken.length === 1 ? 'stored' : 'duplicate'
      },
      mark: async (mark, origin) => void taken.push({ what: mark.collector, origin }),
      health: (report, origin) => void taken.push({ what: report.host, origin }),
    }
    return { intake, taken }
  }

  const batch = (payload: Buffer, headers: Record<string, string>) =>
    ({
      method: 'POST',
      url: '/v1/batches',
      payload,
      headers: { 'content-type': 'application/octet-stream', ...headers },
    }) as const

  test('a batch goes to the intake as it came, under the site of the credential', async () => {
    const { intake, taken } = recordingIntake()
    const clock = createFakeClock()
    const tokens = [{ name: 'us', role: 'collector' as const, site: 'us-1', sha256: sha256('us-token') }]
    const access = createAccess({ tokens, adminToken: 'a', clock, randomBytes })
    const { app } = await createNode({ intake, access })
    const first = await app.inject(batch(Buffer.from('one'), { authorization: 'Bearer us-token' }))
    expect(first.json()).toEqual({ status: 'stored' })
    const second = await app.inject(batch(Buffer.from('two'), { authorization: 'Bearer a' }))
    expect(second.json()).toEqual({ status: 'duplicate' })
    expect(taken).toEqual([
      { what: 'one', origin: { site: 'us-1', sender: 'us' } },
      { what: 'two', origin: { site: SITE, sender: 'admin' } },
    ])
  })

  test('a frame above the limit is refused before it is read', async () => {
    const { app } = await createNode()
    const response = await app.inject(batch(Buffer.alloc(FRAME_BYTES_MAX + 1), bearer('collector')))
    expect(response.statusCode).toBe(413)
    expect(response.json()).toMatchObject({ code: 'BATCH_TOO_LARGE', retryable: false })
    expect((await app.inject(batch(Buffer.alloc(FRAME_BYTES_MAX), bearer('collector')))).statusCode).toBe(200)
  })

  test('a batch of another media type, or a mark that is none, is a bad request', async () => {
    const { app } = await createNode()
    const wrong = { method: 'POST', headers: bearer('collector'), payload: { v: 2 } } as const
    for (const url of ['/v1/batches', '/v1/marks']) {
      const response = await app.inject({ ...wrong, url })
      expect(response.json()).toMatchObject({ code: 'BAD_REQUEST', status: 400 })
    }
    const broken = {
      ...wrong,
      payload: '{',
      headers: { ...wrong.headers, 'content-type': 'application/json' },
    }
    expect((await app.inject({ ...broken, url: '/v1/marks' })).json()).toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('a frame whose link died in the middle of it gives its place back', async () => {
    const clock = createFakeClock()
    const { app } = await createNode({ clock })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect(Number(new URL(app.listeningOrigin).port), '127.0.0.1')
    let closed = false
    socket.on('error', () => {}).on('close', () => (closed = true))
    const head = ['POST /v1/batches HTTP/1.1', 'host: x', `authorization: Bearer ${tokenOf('collector')}`]
    const body = ['content-type: application/octet-stream', 'content-length: 1000', '', 'half']
    socket.write([...head, ...body].join('\r\n'))
    await until(() => clock.timers === 1)
    await clock.advance(30_000)
    await until(() => closed)
    expect(clock.timers).toBe(0)
  })

  test('what is being received at once is bounded', async () => {
    const open = Promise.withResolvers<'stored'>()
    const { app } = await createNode({
      intake: { batch: () => open.promise, mark: async () => {}, health: () => {} },
    })
    const frame = batch(Buffer.alloc(FRAME_BYTES_MAX), bearer('collector'))
    const eight = Array.from({ length: 8 }, () => app.inject(frame))
    await new Promise((resolve) => setImmediate(resolve))
    const ninth = await app.inject(frame)
    expect(ninth.statusCode).toBe(429)
    expect(ninth.headers['retry-after']).toBe('1')
    open.resolve('stored')
    expect((await Promise.all(eight)).map(({ statusCode }) => statusCode)).toEqual(Array(8).fill(200))
    expect((await app.inject(frame)).statusCode).toBe(200)
  })
})

describe('import', () => {
  /** Reads lines as they come; refuses those that are not JSON. */
  const recordImport: RecordImport = {
    async import(chunks) {
      const refused: { line: number; problem: string }[] = []
      let text = ''
      for await (const chunk of chunks) text += Buffer.from(chunk).toString()
      const lines = text.trimEnd().split('\n')
      lines.forEach((line, index) => {
        if (!line.startsWith('{')) refused.push({ line: index + 1, problem: 'not a JSON object' })
      })
      return { imported: lines.length - refused.length, refusedTotal: refused.length, refused }
    },
  }

  test.each(['application/x-ndjson', 'application/x-www-form-urlencoded', 'application/json', undefined])(
    'takes NDJSON that is called %s, and names the bad lines',
    async (type) => {
      const { app } = await createNode({ recordImport })
      const url = await app.listen({ host: '127.0.0.1', port: 0 })
      const headers = { ...bearer('admin'), ...(type === undefined ? {} : { 'content-type': type }) }
      const body = new TextEncoder().encode('{"message":"a"}\nnonsense\n{"message":"b"}\n')
      const response = await fetch(`${url}/v1/import`, { method: 'POST', headers, body })
      expect(await response.json()).toEqual({
        imported: 2,
        refusedTotal: 1,
        refused: [{ line: 2, problem: 'not a JSON object' }],
      })
    },
  )

  test('is read as it comes, however large', async () => {
    let bytes = 0
    const counting: RecordImport = {
      async import(chunks) {
        for await (const chunk of chunks) bytes += chunk.length
        return { imported: 0, refusedTotal: 0, refused: [] }
      },
    }
    const { app } = await createNode({ recordImport: counting })
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const chunk = new Uint8Array(1 << 20)
    const body = Readable.toWeb(Readable.from(Array.from({ length: 40 }, () => chunk))) as ReadableStream
    const request = { method: 'POST', headers: bearer('admin'), body, duplex: 'half' } as const
    expect((await fetch(`${url}/v1/import`, request)).status).toBe(200)
    expect(bytes).toBe(40 << 20)
  })
})

describe('ledger, store and quarantine', () => {
  const ledger: CollectorLedger = {
    site: SITE,
    collector: 'c1',
    host: 'web-1',
    epochs: [
      {
        epoch: 'e1',
        previous: null,
        afterMs: 0,
        beforeMs: null,
        checkpoints: [],
        stored: [],
        lastSeq: 9,
        spoolLow: 1,
        pending: [{ seqFrom: 8, seqTo: 9, timeFromMs: 0, timeToMs: 1, records: 12 }],
        digests: [[9, 'secret-digest']],
        seenAtMs: NOW_MS,
      },
    ],
    liveEpoch: 'e1',
    watermarkMs: NOW_MS - 1_000,
    markAtMs: NOW_MS,
    skewMs: 3,
    clock: null,
    live: [],
    kind: 'lines',
    leftAtMs: null,
    clonedAtMs: null,
    conflictAtMs: null,
    tombstones: [],
    drops: [],
  }

  test('sites and collectors say how complete the last 15 minutes are', async () => {
    const asked: unknown[] = []
    const completeness = createCompleteness()
    const { app } = await createNode({
      completeness: {
        ...completeness,
        judge: (range, site) => (asked.push(range), completeness.judge(range, site)),
        collectors: () => [ledger],
      },
    })
    const headers = bearer('dashboard')
    expect((await app.inject({ url: '/v1/sites', headers })).json()).toEqual({
      sites: { [SITE]: { complete: true, completeTo: '2026-11-21T12:00:00.000Z', gaps: [], gapsTotal: 0 } },
    })
    expect(asked).toEqual([{ fromMs: NOW_MS - 900_000, toMs: NOW_MS }])
    expect((await app.inject({ url: '/v1/collectors', headers })).json()).toEqual({
      collectors: [
        {
          site: SITE,
          collector: 'c1',
          host: 'web-1',
          kind: 'lines',
          watermark: '2026-11-21T11:59:59.000Z',
          markAt: '2026-11-21T12:00:00.000Z',
          skewMs: 3,
          leftAt: null,
          clonedAt: null,
          epochs: 1,
          lastSeq: 9,
          pendingRecords: 12,
        },
      ],
    })
  })

  test('an unknown collector cannot be retired', async () => {
    const retire = async (name: string) => {
      throw new ServiceError('NOT_FOUND', 'no such collector', { collector: name })
    }
    const { app } = await createNode({ completeness: { ...createCompleteness(), retire } })
    const request = {
      method: 'POST',
      url: '/v1/collectors/web%2F9/retire',
      headers: bearer('admin'),
    } as const
    const response = await app.inject(request)
    expect(response.statusCode).toBe(404)
    expect(response.json()).toMatchObject({ code: 'NOT_FOUND', details: { collector: 'web/9' } })
  })

  test('the quarantine is listed with public records, and replayed', async () => {
    const entry = { id: 'q1', atMs: NOW_MS, reason: 'refused', site: SITE, sender: 'c', text: '{' }
    const { app } = await createNode({
      quarantine: {
        put: async () => {},
        list: async (limit) => ({ total: limit, entries: [entry] }),
        replay: async () => ({ stored: 1, refused: 2 }),
      },
    })
    const headers = bearer('admin')
    const { atMs: _, ...rest } = entry
    expect((await app.inject({ url: '/v1/quarantine?limit=5', headers })).json()).toEqual({
      total: 5,
      entries: [{ ...rest, at: '2026-11-21T12:00:00.000Z' }],
    })
    const replay = { method: 'POST', url: '/v1/quarantine/replay', headers } as const
    expect((await app.inject(replay)).json()).toEqual({ stored: 1, refused: 2 })
  })

  test('the store tells what it holds', async () => {
    const { app, store } = await createNode()
    await fill(store, [{}, {}])
    expect((await app.inject({ url: '/v1/store', headers: bearer('dashboard') })).json()).toMatchObject({
      records: 2,
    })
  })
})

describe('Dockerflow', () => {
  test('the version is the build', async () => {
    const { app, version } = await createNode()
    expect((await app.inject('/__version__')).json()).toEqual(version)
  })

  test('the heartbeat looks at the store and the ledger', async () => {
    const { app } = await createNode()
    const response = await app.inject('/__heartbeat__')
    expect(response.statusCode).toBe(200)
    expect(response.json()).toEqual({
      status: 'ok',
      checks: { store: 'ok', completeness: 'ok' },
      details: { store: '0 records, 0 files set aside', completeness: 'eu-1: complete' },
    })
  })

  test.each([
    { name: 'fails', stats: () => Promise.reject(new Error('secret')) },
    { name: 'does not answer in two seconds', stats: () => new Promise<never>(() => {}) },
  ])('the heartbeat is 500 when the store $name', async ({ stats }) => {
    const clock = createFakeClock()
    const { app } = await createNode({ clock, store: { ...createMemoryStore(), stats } })
    const heartbeat = app.inject('/__heartbeat__')
    let answered = false
    void heartbeat.then(() => (answered = true))
    await until(() => answered || clock.timers > 0)
    await clock.advance(2_000)
    const response = await heartbeat
    expect(response.statusCode).toBe(500)
    expect(response.json()).toMatchObject({ status: 'error', checks: { store: 'error', completeness: 'ok' } })
    expect(response.body).not.toContain('secret')
  })

  test('a node that drains tells load balancers first, and goes on answering', async () => {
    const { app } = await createNode()
    expect((await app.inject('/__lbheartbeat__')).statusCode).toBe(200)
    app.drain()
    const response = await app.inject('/__lbheartbeat__')
    expect(response.statusCode).toBe(503)
    expect(response.headers['retry-after']).toBe('1')
    expect((await app.inject({ url: '/v1/search', headers: bearer('search') })).statusCode).toBe(200)
  })
})

describe('static files', () => {
  async function dashboards() {
    const dir = await mkdtemp(join(tmpdir(), 'noctule-dist-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    await mkdir(join(dir, 'assets'))
    await writeFile(join(dir, 'index.html'), '<title>app</title>')
    await writeFile(join(dir, 'assets', 'index-abc.js'), 'run()')
    await writeFile(join(dir, 'secret.txt'), 'secret')
    return dir
  }

  test('the page is always asked for anew, its assets never again', async () => {
    const { app } = await createNode({ dashboardsDir: await dashboards() })
    const page = await app.inject('/')
    expect(page.body).toBe('<title>app</title>')
    expect(page.headers['cache-control']).toBe('no-cache')
    expect(page.headers['content-security-policy']).toMatch(/default-src 'self';/)
    const asset = await app.inject('/assets/index-abc.js')
    expect(asset.headers['content-type']).toMatch(/javascript/)
    expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  })

  test.each(['/assets/missing.js', '/assets/../secret.txt', '/assets/%2e%2e/secret.txt', '/secret.txt'])(
    '%s is not served',
    async (url) => {
      const { app } = await createNode({ dashboardsDir: await dashboards() })
      const response = await app.inject(url)
      expect([403, 404]).toContain(response.statusCode)
      expect(response.body).not.toContain('<title>')
    },
  )

  test('a page says how to build the dashboards while they are missing', async () => {
    const { app } = await createNode()
    const page = await app.inject('/')
    expect(page.statusCode).toBe(200)
    expect(page.body).toContain('npm install')
  })
})

describe('the server', () => {
  test('what is not there is a 404 problem, with the headers of every answer', async () => {
    const { app } = await createNode()
    const response = await app.inject('/v1/nothing?token=secret')
    expect(response.statusCode).toBe(404)
    expect(response.json()).toMatchObject({ code: 'NOT_FOUND', details: { path: '/v1/nothing' } })
    expect(response.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
  })

  test('a path that cannot be decoded is a bad request', async () => {
    const { app } = await createNode()
    const response = await app.inject('/v1/%zz')
    expect(response.statusCode).toBe(400)
    expect(response.json()).toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('requests are counted by route as declared, never by path', async () => {
    const { app } = await createNode()
    await app.inject({ method: 'POST', url: '/v1/collectors/secret-name/retire', headers: bearer('admin') })
    await app.inject('/v1/some-path')
    const { body, headers } = await app.inject({ url: '/metrics', headers: bearer('dashboard') })
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(body).toContain(
      'noctule_http_requests_total{method="POST",route="/v1/collectors/:collector/retire",status="204"} 1',
    )
    expect(body).toMatch(/noctule_http_requests_total\{method="GET",route="none",status="404"\} 1/)
    expect(body).toMatch(/noctule_http_request_seconds_count\{route="none"\} 1/)
    expect(body).toMatch(/^noctule_queries_running 0$/m)
    expect(body).not.toContain('secret-name')
  })

  test('a request that is running when the program stops is answered, later ones are told', async () => {
    const open = Promise.withResolvers<void>()
    const memory = createMemoryStore()
    let asked = false
    const { app } = await createNode({
      clock: systemClock,
      store: {
        ...memory,
        search: async (request, signal) => {
          asked = true
          await open.promise
          return memory.search(request, signal)
        },
      },
    })
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const running = fetch(`${url}/v1/search`, { headers: bearer('search') })
    await until(() => asked)
    const closed = app.close()
    open.resolve()
    expect((await running).status).toBe(200)
    await closed
  })
})
