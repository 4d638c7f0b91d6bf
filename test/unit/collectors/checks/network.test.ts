import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { certificateProbe } from '../../../../collectors/checks/certificate.ts'
import { BODY_BYTES_MAX, httpProbe } from '../../../../collectors/checks/http.ts'
import { createLookup } from '../../../../collectors/checks/lookup.ts'
import type { CheckOf } from '../../../../collectors/checks/probe.ts'
import { tcpProbe } from '../../../../collectors/checks/tcp.ts'
import { systemClock as clock } from '../../../../core/clock.ts'
import { checkSchema } from '../../../../core/config-checks.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createWorkspace } from '../../../support/workspace.ts'

const lookup = createLookup()
const workspace = createWorkspace()
const certFile = join(workspace.dir, 'cert.pem')
const keyFile = join(workspace.dir, 'key.pem')

beforeAll(() => {
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '30',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
      '-keyout',
      keyFile,
      '-out',
      certFile,
    ],
    { stdio: 'pipe' },
  )
})
afterAll(() => workspace[Symbol.dispose]())

/** Listens on a free port for the length of a test. */
async function listening<S extends Server>(server: S) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    sockets,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function ask(config: object, signal = AbortSignal.timeout(10_000)) {
  const check = checkSchema.parse({ name: 'a', kind: 'http', ...config }) as CheckOf<'http'>
  return httpProbe(check, { clock, lookup })(signal)
}

async function answered(listener: RequestListener, config: object = {}) {
  using server = await listening(createHttp(listener))
  return await ask({ url: `http://127.0.0.1:${server.port}/x?y=1`, ...config })
}

test.each([
  { name: '200', status: 200, config: {}, state: 'ok' },
  { name: 'a redirect is an answer, and not followed', status: 302, config: {}, state: 'ok' },
  { name: '404', status: 404, config: {}, state: 'fail' },
  { name: '503', status: 503, config: {}, state: 'fail' },
  { name: 'the expected one', status: 401, config: { status: [401, 403] }, state: 'ok' },
  { name: 'not the expected one', status: 200, config: { status: [401, 403] }, state: 'fail' },
])('http: $name', async ({ status, config, state }) => {
  let asked = 0
  const outcome = await answered((_, response) => {
    asked++
    response.writeHead(status, { location: '/elsewhere' }).end()
  }, config)
  expect(outcome).toMatchObject({
    state,
    message: expect.stringMatching(`^HTTP ${status} after \\d+ ms`) as string,
  })
  expect(asked).toBe(1)
})

test('http: method, path, headers and secret headers are sent; what comes back is not told', async () => {
  const secret = join(workspace.dir, 'secret')
  writeFileSync(secret, 'Bearer s3cret\n')
  let seen: unknown
  const config = { method: 'POST', headers: { 'x-a': '1' }, headerFiles: { authorization: secret } }
  const outcome = await answered((request, response) => {
    seen = [request.method, request.url, request.headers['x-a'], request.headers.authorization]
    response.writeHead(500, `no ${request.headers.authorization}`).end(request.headers.authorization)
  }, config)
  expect(seen).toEqual(['POST', '/x?y=1', '1', 'Bearer s3cret'])
  expect(outcome.state).toBe('fail')
  expect(outcome.message).not.toContain('s3cret')
})

test('http: a secret that cannot be a header is not told either, and a file that is not there is unknown', async () => {
  const secret = join(workspace.dir, 'bad-secret')
  writeFileSync(secret, 's3cret\nwith: \u0001 more')
  const outcome = await answered((_, response) => response.end(), { headerFiles: { authorization: secret } })
  expect(outcome.state).not.toBe('ok')
  expect(outcome.message).not.toContain('s3cret')
  expect(await ask({ url: 'http://127.0.0.1:1', headerFiles: { a: '/none' } })).toMatchObject({
    state: 'unknown',
  })
})

test.each([
  { name: 'is there', body: 'all is fine', state: 'ok' },
  { name: 'is not there', body: 'all is lost', state: 'fail' },
  { name: 'comes too late', body: `${'x'.repeat(BODY_BYTES_MAX)}fine`, state: 'fail' },
])('http: the expected text $name', async ({ body, state }) => {
  expect(await answered((_, response) => response.end(body), { contains: 'fine' })).toMatchObject({ state })
})

test('http: a body without an end is read up to a bound', async () => {
  const outcome = await answered((_, response) => {
    const write = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', write)
    write()
  })
  expect(outcome.state).toBe('ok')
})

test('http: a slow answer warns', async () => {
  const ticks = [0, 250]
  using server = await listening(createHttp((_, response) => response.end()))
  const check = checkSchema.parse({
    name: 'a',
    kind: 'http',
    url: `http://127.0.0.1:${server.port}`,
    slowerThan: '200ms',
  }) as CheckOf<'http'>
  const slow = { ...clock, monotonicMs: () => ticks.shift() ?? 250 }
  expect(await httpProbe(check, { clock: slow, lookup })(AbortSignal.timeout(9_000))).toEqual({
    state: 'warn',
    message: 'HTTP 200 after 250 ms, slower than 200ms',
  })
})

test.each([
  { name: 'takes the connection and says nothing', say: '' },
  { name: 'stops in the head', say: 'HTTP/1.1 200 OK\r\nA: ' },
  { name: 'stops in the body', say: 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc' },
])('http: who $name is let go of when the time is up', async ({ say }) => {
  const abort = new AbortController()
  const server = createTcp((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write(say, () => setImmediate(() => abort.abort())))
  })
  using at = await listening(server)
  expect(await ask({ url: `http://127.0.0.1:${at.port}` }, abort.signal)).toMatchObject({ state: 'fail' })
  await vi.waitFor(() => expect([...at.sockets].map(({ closed }) => closed)).toEqual([true]), { interval: 2 })
})

test.each([
  { name: 'before it answers', say: '' },
  { name: 'in the body', say: 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc' },
  { name: 'after nonsense', say: 'SSH-2.0-OpenSSH_9.6\r\n\r\n' },
])('http: who hangs up $name fails', async ({ say }) => {
  using at = await listening(
    createTcp((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(say, () => socket.destroy()))
    }),
  )
  expect(await ask({ url: `http://127.0.0.1:${at.port}` })).toMatchObject({ state: 'fail' })
})

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  using at = await listening(createTcp())
  return at.port
}

test('http and tcp: nobody listens', async () => {
  const port = await closedPort()
  const refused = { state: 'fail', message: expect.stringContaining('ECONNREFUSED') as string }
  expect(await ask({ url: `http://127.0.0.1:${port}` })).toMatchObject(refused)
  // A name with several addresses fails with several errors.
  expect(await ask({ url: `http://localhost:${port}` })).toMatchObject(refused)
  expect(await connect({ host: 'localhost', port })).toMatchObject(refused)
})

function connect(config: object, signal = AbortSignal.timeout(10_000)) {
  const check = checkSchema.parse({ name: 'a', kind: 'tcp', ...config }) as CheckOf<'tcp'>
  return tcpProbe(check, { clock, lookup })(signal)
}

test('tcp: who listens is ok, and is hung up on', async () => {
  using at = await listening(createTcp((socket) => socket.resume()))
  expect(await connect({ host: 'localhost', port: at.port })).toMatchObject({ state: 'ok' })
})

test('tcp: it lets go when the time is up', async () => {
  using at = await listening(createTcp())
  const silent = createLookup(() => undefined)
  const check = checkSchema.parse({
    name: 'a',
    kind: 'tcp',
    host: 'nobody.test',
    port: at.port,
  }) as CheckOf<'tcp'>
  const outcome = await tcpProbe(check, { clock, lookup: silent })(AbortSignal.timeout(20))
  expect(outcome.state).toBe('fail')
  expect(at.sockets.size).toBe(0)
})

const tls = () =>
  createHttps({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (_, response) => response.end())

test('https: only who an authority vouches for; `caFile` names another authority', async () => {
  using at = await listening(tls())
  const url = `https://localhost:${at.port}`
  expect(await ask({ url })).toMatchObject({
    state: 'fail',
    message: expect.stringMatching(/self-signed/) as string,
  })
  expect(await ask({ url, caFile: certFile })).toMatchObject({ state: 'ok' })
  expect(await ask({ url, caFile: '/none' })).toMatchObject({ state: 'unknown' })
})

function daysLeft(config: object, { inDays = 0 } = {}) {
  const check = checkSchema.parse({ name: 'a', kind: 'certificate', ...config }) as CheckOf<'certificate'>
  const later = createFakeClock({ nowMs: Date.now() + inDays * 86_400_000 })
  return certificateProbe(check, { clock: later, lookup })(AbortSignal.timeout(10_000))
}

test.each([
  { inDays: 0, state: 'ok', says: /^valid until \d{4}-\d\d-\d\d, (29|30) days left/ },
  { inDays: 10, state: 'warn', says: /(19|20) days left/ },
  { inDays: 25, state: 'fail', says: /[45] days left/ },
  { inDays: 40, state: 'fail', says: /^expired on/ },
  { inDays: -2, state: 'fail', says: /^valid only from/ },
])('certificate: in $inDays days, of a host and of a file: $state', async ({ inDays, state, says }) => {
  using at = await listening(tls())
  const message = expect.stringMatching(says) as string
  const ofHost = await daysLeft({ host: 'localhost', port: at.port }, { inDays })
  expect(ofHost).toMatchObject({ state, message })
  expect(ofHost.message).toContain('not trusted: ')
  const ofFile = await daysLeft({ file: certFile }, { inDays })
  expect(ofFile).toMatchObject({ state, message })
  expect(ofFile.value).toBeCloseTo(30 - inDays, 0)
})

test('certificate: nobody listens, no TLS is spoken, no file, no certificate in it', async () => {
  expect(await daysLeft({ host: '127.0.0.1', port: await closedPort() })).toMatchObject({ state: 'fail' })
  using plain = await listening(createTcp((socket) => socket.end('no TLS here\r\n')))
  expect(await daysLeft({ host: '127.0.0.1', port: plain.port })).toMatchObject({ state: 'fail' })
  expect(await daysLeft({ file: '/none' })).toMatchObject({ state: 'unknown' })
  expect(await daysLeft({ file: keyFile })).toMatchObject({ state: 'unknown' })
})
