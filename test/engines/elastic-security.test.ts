import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openElasticStore } from '../../adapters/store-elastic.ts'
import type { ElasticOptions } from '../../adapters/store-elastic.ts'
import { elasticOptions, removeIndices } from '../support/elastic-under-test.ts'
import { describeWithElasticsearch, elasticsearchUrl } from '../support/engines/under-test.ts'
import { createLineLog } from '../support/kafka-memory.ts'
import { storedBatch } from '../support/records.ts'
import { all, never } from '../support/store-under-test.ts'

const PASSWORD = 'elastic-secret'
const API_KEY = 'YS1rZXk6c2VjcmV0'
const BASIC = `Basic ${Buffer.from(`noctule:${PASSWORD}`).toString('base64')}`

/** The real Elasticsearch behind TLS, for those who sign in. */
async function startGuarded() {
  const dir = mkdtempSync(join(tmpdir(), 'noctule-tls-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', ...kind, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const ca = readFileSync(cert, 'utf8')
  const server = createServer({ key: readFileSync(key), cert: ca }, (incoming, outgoing) => {
    const { authorization } = incoming.headers
    if (authorization === BASIC || authorization === `ApiKey ${API_KEY}`) forward(incoming, outgoing)
    else refuse(outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(dir, { recursive: true })
    },
  }
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url, headers } = incoming
  const asked = request(`${elasticsearchUrl}${url}`, { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(outgoing)
  })
  incoming.pipe(asked)
}

function refuse(outgoing: ServerResponse): void {
  const reason = 'unable to authenticate user'
  const error = { type: 'security_exception', reason, root_cause: [{ type: 'security_exception', reason }] }
  outgoing.writeHead(401, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' })
  outgoing.end(JSON.stringify({ error, status: 401 }))
}

const asUser = (password: string): ElasticOptions['auth'] => ({ username: 'noctule', password })

describeWithElasticsearch('Elasticsearch with security', () => {
  test.each<[string, ElasticOptions['auth'], (url: string) => string[]]>([
    ['a password', asUser(PASSWORD), (url) => [url]],
    ['an API key', { apiKey: API_KEY }, (url) => [url]],
    [
      'a node that is away before the one that is there',
      { apiKey: API_KEY },
      (url) => ['https://127.0.0.1:9', url],
    ],
  ])('a store works with %s, over TLS with our CA', async (_, auth, nodes) => {
    await using guarded = await startGuarded()
    const options = elasticOptions({ nodes: nodes(guarded.url), ca: guarded.ca, auth })
    const store = await openElasticStore(options)
    try {
      await store.append(storedBatch([{ message: 'kept' }]), never)
      expect(await all(store)).toMatchObject([{ message: 'kept' }])
    } finally {
      await store.close()
      await removeIndices(options.prefix)
    }
  })

  test.each<[string, ElasticOptions['auth'], boolean, RegExp]>([
    ['a wrong password', asUser('wrong'), true, /unable to authenticate user/],
    ['no credentials', null, true, /unable to authenticate user/],
    ['a wrong CA', asUser(PASSWORD), false, /self-signed certificate|unable to verify/],
  ])('%s is told in one clear line, without the secret', async (_, auth, trusted, problem) => {
    await using guarded = await startGuarded()
    const log = createLineLog()
    const ca = trusted ? guarded.ca : null
    const store = await openElasticStore(elasticOptions({ nodes: [guarded.url], ca, auth, log }))
    try {
      expect(log.lines).toHaveLength(1)
      expect(log.lines[0]).toMatch(problem)
      expect(log.lines.join('')).not.toMatch(new RegExp(`${PASSWORD}|${API_KEY}`))
      expect(store.status()).toMatchObject({ ok: false, detail: expect.stringMatching(problem) as string })
      await expect(store.stats()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    } finally {
      await store.close()
    }
  })
})
