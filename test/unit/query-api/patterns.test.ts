import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import type { SearchRequest, Store } from '../../../core/ports.ts'
import { mapBounded } from '../../../query-api/bounded.ts'
import { bearer, createNode, fill, until } from './node.ts'

interface Answer {
  patterns: {
    pattern: string
    template: string
    count: number
    share: number
    first: string
    last: string
    trend: { start: string; count: number }[]
    example: { message: string }
  }[]
  distinct: number
  matched: number
  intervalMs: number
}

const headers = bearer('search')

async function askFor(store: Store, query: Record<string, string> = {}) {
  const { app } = await createNode({ store })
  const response = await app.inject({ url: '/v1/patterns', query, headers })
  return { status: response.statusCode, answer: response.json<Answer>() }
}

describe('patterns', () => {
  test('each has its count, share, times, trend, template and newest example', async () => {
    const store = createMemoryStore()
    await fill(
      store,
      [
        { pattern: 'p1', message: 'took 1 ms' },
        { pattern: 'p1', message: 'took 2 ms' },
        { pattern: 'p2', message: 'started' },
        { pattern: 'p1', message: 'took 3 ms' },
      ],
      60_000,
    )
    const { answer } = await askFor(store, { interval: '2m' })
    expect(answer).toMatchObject({
      distinct: 2,
      matched: 4,
      intervalMs: 120_000,
      meta: { returned: 4, complete: true },
    })
    expect(answer.patterns).toMatchObject([
      {
        pattern: 'p1',
        count: 3,
        share: 0.75,
        first: '2026-11-21T11:56:00.000Z',
        last: '2026-11-21T11:59:00.000Z',
        trend: [
          { start: '2026-11-21T11:56:00.000Z', count: 2 },
          { start: '2026-11-21T11:58:00.000Z', count: 1 },
        ],
        example: { message: 'took 3 ms' },
      },
      { pattern: 'p2', template: 'started', count: 1, share: 0.25 },
    ])
    expect(answer.patterns[0]?.template).toMatch(/^took .+ ms$/)
  })

  test('only matching records count, and the example is one of them', async () => {
    const store = createMemoryStore()
    await fill(store, [
      { pattern: 'p1', message: 'took 1 ms', host: 'a' },
      { pattern: 'p1', message: 'took 2 ms', host: 'b' },
    ])
    const { answer } = await askFor(store, { q: 'host:a' })
    expect(answer.patterns).toMatchObject([{ count: 1, example: { message: 'took 1 ms' } }])
  })

  test('records without a pattern are one of the list, in its order', async () => {
    const store = createMemoryStore()
    await fill(store, [{}, { pattern: 'p1' }, { message: 'newest' }])
    const { answer } = await askFor(store)
    expect(answer.patterns).toMatchObject([
      {
        pattern: '',
        count: 2,
        first: '2026-11-21T11:59:57.000Z',
        last: '2026-11-21T11:59:59.000Z',
        example: { message: 'newest' },
        trend: [{ count: 2 }],
      },
      { pattern: 'p1', count: 1 },
    ])
    expect(answer.distinct).toBe(2)
    const one = await askFor(store, { limit: '1' })
    expect(one.answer.patterns).toMatchObject([{ pattern: '' }])
  })

  test('nothing that matches is no pattern', async () => {
    const { answer } = await askFor(createMemoryStore())
    expect(answer).toMatchObject({ patterns: [], distinct: 0, matched: 0 })
  })

  test('a pattern that is purged while it is looked at is left out', async () => {
    const store = createMemoryStore()
    await fill(store, [{ pattern: 'p1' }])
    const search = async () => ({ records: [], more: false, scanned: 0 })
    expect((await askFor({ ...store, search })).answer.patterns).toEqual([])
  })

  test('few searches for examples run at once, and all of them end with the query', async () => {
    const store = createMemoryStore()
    await fill(
      store,
      Array.from({ length: 30 }, (_, index) => ({ pattern: `p${index}` })),
    )
    let running = 0
    let most = 0
    const search = async (request: SearchRequest, signal: AbortSignal) => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      return store.search(request, signal)
    }
    const { answer } = await askFor({ ...store, search }, { limit: '30' })
    expect(answer.patterns).toHaveLength(30)
    expect(most).toBe(4)
  })

  test.each([{ limit: '201' }, { interval: '1ms' }])('%o is refused', async (query) => {
    const { status } = await askFor(createMemoryStore(), query)
    expect(status).toBe(400)
  })
})

describe('mapBounded', () => {
  test('results stand in the order of their items', async () => {
    const gates = [1, 2, 3].map(() => Promise.withResolvers<void>())
    const results = mapBounded([0, 1, 2], 2, async (item) => {
      await gates[item]?.promise
      return item * 10
    })
    for (const gate of gates.toReversed()) gate.resolve()
    expect(await results).toEqual([0, 10, 20])
    expect(await mapBounded([], 2, async () => 1)).toEqual([])
  })

  test('after a failure nothing new is started', async () => {
    const started: number[] = []
    const slow = Promise.withResolvers<void>()
    const mapped = mapBounded([0, 1, 2, 3], 2, async (item) => {
      started.push(item)
      if (item === 1) throw new Error('broken')
      await slow.promise
    })
    await expect(mapped).rejects.toThrow('broken')
    slow.resolve()
    await until(() => started.length === 2)
    await new Promise((resolve) => setImmediate(resolve))
    expect(started).toEqual([0, 1])
  })
})
