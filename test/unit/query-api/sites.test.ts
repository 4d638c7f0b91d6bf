import { describe, expect, test } from 'vitest'
import type { PurgedRange } from '../../../core/ports.ts'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { COVERED, NOW_MS, bearer, createCompleteness, createNode, fill } from './node.ts'

/** A node that stands in one place and holds the records of two others. */
async function createCentral(purged: readonly PurgedRange[] = []) {
  const store = createMemoryStore()
  const behind = { ...COVERED, complete: false, completeToMs: NOW_MS - 60_000, gapsTotal: 1 }
  const node = await createNode({
    site: 'central',
    holds: ['eu', 'us'],
    store: { ...store, purged: async () => purged },
    completeness: { ...createCompleteness(), judge: (_range, site) => (site === 'eu' ? COVERED : behind) },
  })
  await fill(node.store, [{ site: 'eu' }, { site: 'eu' }, { site: 'us' }])
  const get = async (url: string, query: Record<string, string> = {}) =>
    (await node.app.inject({ url, query, headers: bearer('search') })).json<Record<string, unknown>>()
  return { ...node, get }
}

describe('a node that holds several sites', () => {
  test('names each of them in every answer, with its own completeness and share', async () => {
    const { get } = await createCentral()
    expect(await get('/v1/search')).toMatchObject({
      meta: {
        returned: 3,
        complete: false,
        completeTo: new Date(NOW_MS - 60_000).toISOString(),
        sites: {
          eu: { holder: 'central', returned: 2, complete: true },
          us: { holder: 'central', returned: 1, complete: false },
        },
      },
    })
  })

  test('does not tell apart what it only counted', async () => {
    const { get } = await createCentral()
    const { meta } = await get('/v1/histogram')
    expect(meta).toMatchObject({ returned: 3, sites: { eu: { complete: true }, us: { complete: false } } })
    expect(meta).not.toHaveProperty('sites.eu.returned')
  })

  test.each([
    ['sites', { sites: 'eu' }],
    ['the query', { q: 'site:eu' }],
  ])('asks only the sites that %s names', async (_, query) => {
    const { get } = await createCentral()
    const { meta } = await get('/v1/search', query)
    expect(meta).toMatchObject({ returned: 2, complete: true })
    expect(Object.keys((meta as { sites: object }).sites)).toEqual(['eu'])
  })

  test('is never complete about a site that it does not hold', async () => {
    const { get } = await createCentral()
    expect(await get('/v1/search', { q: 'site:mars' })).toMatchObject({
      meta: { complete: false, sites: {} },
    })
  })

  test('what was purged of one site is missing from that one only', async () => {
    const range = { fromMs: NOW_MS - 50_000, toMs: NOW_MS - 40_000, records: 5, atMs: NOW_MS }
    const { get } = await createCentral([{ ...range, site: 'eu', class: 'logs', reason: 'age' }])
    const { meta } = await get('/v1/search')
    expect(meta).toMatchObject({
      sites: {
        eu: { complete: false, gaps: [{ reason: 'purged' }], gapsTotal: 1 },
        us: { gaps: [], gapsTotal: 1 },
      },
    })
  })

  test('tells of all of them on the sites page and in its heartbeat', async () => {
    const { get } = await createCentral()
    expect(await get('/v1/sites')).toMatchObject({
      sites: { eu: { complete: true }, us: { complete: false } },
    })
    expect(await get('/__heartbeat__')).toMatchObject({
      details: { completeness: 'eu: complete; us: incomplete, 1 gaps' },
    })
  })
})

describe('a process that does only one thing', () => {
  test('takes no batches where it only answers', async () => {
    const { app } = await createNode({ intake: null, recordImport: null })
    const routes = app.routeFacts.map(({ url }) => url)
    expect(routes).toContain('/v1/search')
    expect(routes.filter((url) => ['/v1/batches', '/v1/marks', '/v1/import'].includes(url))).toEqual([])
  })

  test('answers nothing where it only takes batches', async () => {
    const { app } = await createNode({ answers: false })
    const routes = app.routeFacts.map(({ url }) => url)
    expect(routes).toContain('/v1/batches')
    expect(routes.filter((url) => ['/v1/search', '/v1/tail', '/v1/export', '/'].includes(url))).toEqual([])
  })

  test('its heartbeat fails with an outside system that it stands on', async () => {
    const check = { name: 'kafka eu', ok: false, detail: 'no broker answers' }
    const { app } = await createNode({ checks: () => [check] })
    const answer = await app.inject('/__heartbeat__')
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({
      status: 'error',
      checks: { store: 'ok', 'kafka eu': 'error' },
      details: { 'kafka eu': 'no broker answers' },
    })
  })
})
