import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InjectOptions } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ROLES } from '../../../core/config.ts'
import { nodeFs } from '../../../core/fs.ts'
import { SESSION_MS, SIGN_IN_CODE_MS, createAccess } from '../../../query-api/access/access.ts'
import { loadAdminToken } from '../../../query-api/access/admin-token.ts'
import { permits } from '../../../query-api/access/roles.ts'
import type { RouteFacts } from '../../../query-api/openapi.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { askable, bearer, createNode, sha256 } from './node.ts'

/** The whole list: a route that is added to it is reachable by everybody. */
const PUBLIC = [
  'GET /',
  'GET /__heartbeat__',
  'GET /__lbheartbeat__',
  'GET /__version__',
  'GET /boards',
  'GET /boards/:name',
  'GET /charts',
  'GET /collectors',
  'GET /hosts',
  'POST /v1/session',
]

const nameOf = ({ method, url }: Pick<RouteFacts, 'method' | 'url'>) => `${method} ${url}`

/** A request that would go through, were it only for its form. */
function requestFor({ method, url }: RouteFacts): InjectOptions {
  const bodies: Readonly<Record<string, InjectOptions>> = {
    '/v1/batches': { payload: Buffer.from('frame'), headers: { 'content-type': 'application/octet-stream' } },
    '/v1/marks': { payload: mark },
    '/v1/health': { payload: report },
    '/v1/import': { payload: '{}\n', headers: { 'content-type': 'application/x-ndjson' } },
  }
  return {
    method: method,
    url: askable(url).replace(':collector', 'c1').replace(':id', 'q1'),
    ...bodies[url],
  }
}

/** Status of a request that is let through. */
function passes({ url, responses }: RouteFacts): string {
  if (url === '/v1/tail') return '429'
  const isAbout = url === '/v1/context' || url === '/v1/queries/:id'
  return isAbout ? '404' : (Object.keys(responses)[0] ?? '')
}

const mark = {
  v: 1,
  collector: 'c1',
  host: 'h',
  epoch: '0'.repeat(32),
  sentAtMs: 1,
  readAgeMs: null,
  epochs: [{ epoch: '0'.repeat(32), lastSeq: 0, spoolLow: 1, pending: [] }],
}

const report = {
  v: 1,
  collector: 'c1',
  host: 'h',
  tier: '',
  sentAtMs: 1,
  intervalMs: 1_000,
  facts: null,
  checks: [],
  status: {
    id: 'c1',
    version: '1',
    startedAtMs: 1,
    rssBytes: 1,
    cpuBusy: 0,
    spoolBytes: 0,
    spoolBytesMax: 1,
    spoolBatches: 0,
    behindBytes: 0,
    files: 0,
    held: null,
    drops: {},
    destinations: [],
    statsd: null,
  },
}

describe('the route table', () => {
  test('every route declares a role, and only the listed ones are public', async () => {
    const { app } = await createNode()
    expect(app.routeFacts.filter(({ role }) => role === undefined).map(nameOf)).toEqual([])
    expect(
      app.routeFacts
        .filter(({ role }) => role === 'public')
        .map(nameOf)
        .toSorted(),
    ).toEqual(PUBLIC)
  })

  test('every route answers every role as it declares', async () => {
    const { app } = await createNode({}, { tailsMax: 0 }) // An open tail would never end here.
    const answered: string[] = []
    const declared: string[] = []
    for (const route of app.routeFacts) {
      if (route.role === 'public' || route.role === undefined) continue
      const request = requestFor(route)
      const without = await app.inject(request)
      answered.push(`${nameOf(route)} without a credential: ${without.statusCode}`)
      declared.push(`${nameOf(route)} without a credential: 401`)
      for (const role of ROLES) {
        const response = await app.inject({ ...request, headers: { ...request.headers, ...bearer(role) } })
        answered.push(`${nameOf(route)} as ${role}: ${response.statusCode}`)
        declared.push(`${nameOf(route)} as ${role}: ${permits(role, route.role) ? passes(route) : 403}`)
      }
    }
    expect(answered).toEqual(declared)
    expect(answered.length).toBeGreaterThan(110)
  })

  test('a route without a role is open to nobody, not even to the administrator', async () => {
    const { app } = await createNode()
    app.get('/forgotten', async () => 'secret')
    expect((await app.inject({ url: '/forgotten', headers: bearer('admin') })).statusCode).toBe(403)
  })
})

describe('roles', () => {
  test.each([
    { needed: 'dashboard', holders: ['dashboard', 'search', 'admin'] },
    { needed: 'search', holders: ['search', 'admin'] },
    { needed: 'admin', holders: ['admin'] },
    { needed: 'collector', holders: ['admin', 'collector'] },
  ] as const)('$needed is open to $holders', ({ needed, holders }) => {
    expect(ROLES.filter((role) => permits(role, needed))).toEqual(holders)
  })
})

describe('credentials', () => {
  test('what is refused never shows the credential, and is not told apart', async () => {
    const { app, logged } = await createNode()
    for (const authorization of ['Bearer wrong-secret', 'Basic wrong-secret', 'wrong-secret']) {
      const response = await app.inject({ url: '/v1/store', headers: { authorization } })
      expect(response.statusCode).toBe(401)
      expect(response.headers['www-authenticate']).toBe('Bearer')
      expect(response.body).not.toContain('wrong-secret')
    }
    expect(JSON.stringify(logged)).not.toContain('wrong-secret')
    expect(logged.length).toBe(3)
  })

  test('an address that is refused too often is answered 429 and no longer logged; a good token still works', async () => {
    const clock = createFakeClock()
    const { app, logged } = await createNode({ clock })
    const guess = () => app.inject({ url: '/v1/store', headers: { authorization: 'Bearer guess' } })
    for (let tries = 0; tries < 30; tries++) expect((await guess()).statusCode).toBe(401)
    const limited = await guess()
    expect(limited.statusCode).toBe(429)
    expect(limited.headers['retry-after']).toBe('60')
    expect(logged.length).toBe(30)
    expect((await app.inject({ url: '/v1/store', headers: bearer('admin') })).statusCode).toBe(200)
    await clock.advance(60_000)
    expect((await guess()).statusCode).toBe(401)
  })
})

describe('sessions', () => {
  const cookieOf = (response: { headers: Record<string, unknown> }) => String(response.headers['set-cookie'])
  const signInWith = (code: string) => ({ method: 'POST', url: '/v1/session', payload: { code } }) as const

  test('a code signs one browser in, once', async () => {
    const { app, access } = await createNode()
    const code = access.newSignInCode()
    const signedIn = await app.inject(signInWith(code))
    expect(signedIn.json()).toEqual({ name: 'admin', role: 'admin' })
    expect(cookieOf(signedIn)).toMatch(
      /^noctule_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/,
    )
    const cookie = cookieOf(signedIn).split(';')[0] ?? ''
    expect((await app.inject({ url: '/v1/session', headers: { cookie } })).json()).toEqual({
      name: 'admin',
      role: 'admin',
    })
    expect((await app.inject(signInWith(code))).statusCode).toBe(401)
  })

  test('a person may sign in with a token and has its role; a collector may not', async () => {
    const { app } = await createNode()
    expect((await app.inject(signInWith('search-token'))).json()).toEqual({
      name: 'search-name',
      role: 'search',
    })
    expect((await app.inject(signInWith('collector-token'))).statusCode).toBe(401)
  })

  test('behind TLS the cookie goes over TLS only', async () => {
    const { app, access } = await createNode()
    const headers = { 'x-forwarded-proto': 'https' }
    const signedIn = await app.inject({ ...signInWith(access.newSignInCode()), headers })
    expect(cookieOf(signedIn)).toContain('Secure')
  })

  test.each([
    { name: 'from this site, by Sec-Fetch-Site', headers: { 'sec-fetch-site': 'same-origin' }, status: 204 },
    {
      name: 'from this site, by Origin',
      headers: { origin: 'http://noc.example', host: 'noc.example' },
      status: 204,
    },
    { name: 'from another site', headers: { 'sec-fetch-site': 'cross-site' }, status: 403 },
    { name: 'from a neighbour', headers: { 'sec-fetch-site': 'same-site' }, status: 403 },
    {
      name: 'from another origin',
      headers: { origin: 'http://evil.example', host: 'noc.example' },
      status: 403,
    },
    { name: 'from a sandboxed page', headers: { origin: 'null', host: 'noc.example' }, status: 403 },
    { name: 'from nowhere', headers: {}, status: 403 },
  ])('a change with a cookie $name is answered $status', async ({ headers, status }) => {
    const { app, access } = await createNode()
    const cookie = `noctule_session=${access.signIn(access.newSignInCode())?.cookie}`
    const request = {
      method: 'POST',
      url: '/v1/collectors/c1/retire',
      headers: { ...headers, cookie },
    } as const
    expect((await app.inject(request)).statusCode).toBe(status)
  })

  test('nobody is signed in from a page of another site', async () => {
    const { app, access } = await createNode()
    const request = { ...signInWith(access.newSignInCode()), headers: { 'sec-fetch-site': 'cross-site' } }
    expect((await app.inject(request)).statusCode).toBe(403)
  })

  test('signing out ends the session', async () => {
    const { app, access } = await createNode()
    const cookie = `noctule_session=${access.signIn(access.newSignInCode())?.cookie}`
    const headers = { cookie, 'sec-fetch-site': 'same-origin' }
    const signedOut = await app.inject({ method: 'DELETE', url: '/v1/session', headers })
    expect(signedOut.statusCode).toBe(204)
    expect(cookieOf(signedOut)).toMatch(/^noctule_session=;/)
    expect((await app.inject({ url: '/v1/session', headers })).statusCode).toBe(401)
  })

  test('codes and sessions expire, and the oldest leave when there are too many', () => {
    let nowMs = 0
    const clock = { monotonicMs: () => nowMs }
    const access = createAccess({ tokens: [], adminToken: 'a', clock, randomBytes })
    const sessions = Array.from({ length: 1_001 }, () => access.signIn('a')?.cookie ?? '')
    expect(access.verifySession(sessions[0] ?? '')).toBeUndefined()
    expect(access.verifySession(sessions[1] ?? '')).toMatchObject({ role: 'admin' })
    const code = access.newSignInCode()
    const cookie = access.signIn('a')?.cookie ?? ''
    nowMs = SIGN_IN_CODE_MS
    expect(access.signIn(code)).toBeUndefined()
    nowMs = SESSION_MS - 1
    expect(access.verifySession(cookie)).toMatchObject({ name: 'admin' })
    nowMs = SESSION_MS
    expect(access.verifySession(cookie)).toBeUndefined()
  })
})

describe('the admin token', () => {
  async function tokenFile() {
    const dir = await mkdtemp(join(tmpdir(), 'noctule-access-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    return join(dir, 'data', 'admin-token')
  }

  test('is made at the first start, 256 bits that only the owner can read, and kept', async () => {
    const path = await tokenFile()
    const token = await loadAdminToken({ fs: nodeFs, path, randomBytes })
    expect(token).toMatch(/^[\w-]{43}$/)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await readFile(path, 'utf8')).trim()).toBe(token)
    expect(await loadAdminToken({ fs: nodeFs, path, randomBytes })).toBe(token)
  })

  test('is refused when the file holds something shorter', async () => {
    const path = await tokenFile()
    await loadAdminToken({ fs: nodeFs, path, randomBytes })
    await writeFile(path, 'admin\n')
    await expect(loadAdminToken({ fs: nodeFs, path, randomBytes })).rejects.toMatchObject({
      code: 'BAD_CONFIG',
    })
  })
})

test('a token stands in the configuration as its hash', () => {
  const tokens = [{ name: 'ci', role: 'search' as const, sha256: sha256('s3cret'), site: 'us-1' }]
  const access = createAccess({ tokens, adminToken: 'a', clock: createFakeClock(), randomBytes })
  expect(access.verifyToken('s3cret')).toEqual({ name: 'ci', role: 'search', site: 'us-1' })
  expect(access.verifyToken(sha256('s3cret'))).toBeUndefined()
})
