import { expect, test } from 'vitest'
import type { ElasticRequest } from '../../../adapters/store-elastic/elastic.ts'
import { ElasticFailure } from '../../../adapters/store-elastic/failures.ts'
import { createNames } from '../../../adapters/store-elastic/names.ts'
import { createElasticQueries } from '../../../adapters/store-elastic/queries.ts'
import type { ElasticQueries } from '../../../adapters/store-elastic/queries.ts'
import { systemClock } from '../../../core/clock.ts'
import { EVER, never, query } from '../../support/store-under-test.ts'

interface Asked extends ElasticQueries {
  readonly requests: ElasticRequest[]
  /** An entry for each pause. */
  readonly slept: readonly number[]
}

const NOTHING = { timed_out: false, _shards: { failed: 0 }, hits: { total: { value: 0 } } }
const request = { plan: query(''), range: EVER, limit: 10 }
const refusal = (status: number, reason: string) =>
  new ElasticFailure(status, 'search_phase_execution_exception', reason)

/** Queries of an Elasticsearch that answers its searches with these, the last one again and again. */
function asking(...answers: readonly unknown[]): Asked {
  const left = [...answers]
  const requests: ElasticRequest[] = []
  const slept: number[] = []
  const queries = createElasticQueries({
    elastic: {
      async request<T>(asked: ElasticRequest): Promise<T> {
        asked.signal?.throwIfAborted()
        requests.push(asked)
        if (asked.path.endsWith('/_pit')) return { id: 'moment' } as T
        const answer = left.length > 1 ? left.shift() : left[0]
        if (answer instanceof Error) throw answer
        return answer as T
      },
    },
    names: createNames('p'),
    clock: { ...systemClock, sleep: async () => void slept.push(1) },
    horizon: () => 100,
    hidden: () => ['p-logs-old'],
  })
  return { ...queries, requests, slept }
}

const searches = ({ requests }: Asked) => requests.filter(({ path }) => path.endsWith('/_search'))

test.each([
  { name: 'a part that failed', answer: { ...NOTHING, _shards: { failed: 1 } } },
  { name: 'a part that was too slow', answer: { ...NOTHING, timed_out: true } },
])('$name fails the query whole, whatever is asked', async ({ answer }) => {
  const store = asking(answer)
  const questions = [
    store.search(request, never),
    store.search({ ...request, grep: 'a' }, never),
    store.exportPage({ ...request, limit: 50_000 }, never),
    store.histogram({ ...request, intervalMs: 1 }, never),
    store.top({ ...request, field: 'host' }, never),
    store.arrivals({ ...request, after: 0 }, never),
    store.explain(request, never),
  ]
  for (const question of questions)
    await expect(question).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  for (const { query: asked } of searches(store)) expect(asked?.['allow_partial_search_results']).toBe(false)
})

test('an index that has just been made is waited for, but not for ever', async () => {
  const soon = asking(refusal(503, 'missing shards'), refusal(503, 'missing shards'), NOTHING)
  expect(await soon.search(request, never)).toMatchObject({ records: [] })
  expect(soon.slept).toHaveLength(2)
  const gone = asking(refusal(503, 'missing shards'))
  await expect(gone.search(request, never)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(gone.slept).toHaveLength(20)
})

test('hidden indices are left out of every search', async () => {
  const store = asking(NOTHING)
  await store.search(request, never)
  await store.top({ ...request, field: 'user' }, never)
  await store.arrivals({ ...request, after: 0 }, never)
  for (const { body } of searches(store)) expect(JSON.stringify(body)).toContain('{"_index":["p-logs-old"]}')
})

test('a moment that was opened is closed, also after a failure', async () => {
  for (const answer of [NOTHING, refusal(504, 'no')]) {
    const store = asking(answer)
    await store.top({ ...request, field: 'host' }, never).catch(() => undefined)
    const moments = store.requests.filter(({ path }) => path.endsWith('/_pit'))
    expect(moments.map(({ method }) => method)).toEqual(['POST', 'DELETE'])
  }
})

test('a small page without a matcher takes one request', async () => {
  const store = asking(NOTHING)
  await store.search({ ...request, plan: query('web* level:error') }, never)
  expect(store.requests).toHaveLength(1)
})

test('a pattern that is too much for Elasticsearch is asked for in another way', async () => {
  const store = asking(refusal(500, 'too many terms'), refusal(400, 'too complex'), NOTHING)
  expect(await store.search({ ...request, plan: query('web-a?b') }, never)).toMatchObject({ records: [] })
  expect(searches(store)).toHaveLength(3)
  const plain = asking(refusal(500, 'a fault'))
  await expect(plain.search({ ...request, plan: query('web') }, never)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  })
  expect(searches(plain)).toHaveLength(1)
})

test('an index that goes while it is searched is no failure, unless it happens again and again', async () => {
  const gone = new ElasticFailure(404, 'index_not_found_exception', 'no such index')
  expect(await asking(gone, NOTHING).search(request, never)).toMatchObject({ records: [] })
  const store = asking(gone)
  await expect(store.search(request, never)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(searches(store)).toHaveLength(4)
})

test('too many clauses are the fault of the query', async () => {
  const store = asking(refusal(400, 'Query contains too many nested clauses; maxClauseCount is set to 1024'))
  await expect(store.search({ ...request, plan: query('a OR b') }, never)).rejects.toMatchObject({
    code: 'QUERY_TOO_BROAD',
  })
})
