import { expect, test } from 'vitest'
import { createElastic } from '../../../../adapters/store-elastic/elastic.ts'
import type { SendRequest } from '../../../../adapters/store-elastic/elastic.ts'
import { ElasticFailure, toServiceError } from '../../../../adapters/store-elastic/failures.ts'

test.each([
  { status: 429, type: 'es_rejected_execution_exception', code: 'OVERLOADED' },
  { status: 429, type: 'cluster_block_exception', code: 'STORE_UNAVAILABLE' },
  { status: 403, type: 'cluster_block_exception', code: 'STORE_UNAVAILABLE' },
  { status: 503, type: 'no_shard_available_action_exception', code: 'STORE_UNAVAILABLE' },
  { status: 0, type: 'unreachable', code: 'STORE_UNAVAILABLE' },
  { status: 401, type: 'security_exception', code: 'STORE_UNAVAILABLE' },
  { status: 400, type: 'too_many_nested_clauses', code: 'QUERY_TOO_BROAD' },
])('$status $type is $code', ({ status, type, code }) => {
  expect(toServiceError(new ElasticFailure(status, type, 'because'))).toMatchObject({
    code,
    details: { elasticsearch: type, reason: 'because' },
  })
})

test('what is no failure of Elasticsearch stays what it is', () => {
  const error = new Error('mine')
  expect(toServiceError(error)).toBe(error)
})

/** An error as the outside client throws it. */
function clientError(name: string, meta: object = {}): Error {
  return Object.assign(new Error('said by the client'), { name, meta })
}

const elasticThat = (send: SendRequest) => createElastic(send, { requestTimeoutMs: 50 })
const request = { method: 'GET', path: '/' }

test.each([
  {
    error: clientError('ResponseError', {
      statusCode: 404,
      body: { error: { type: 'index_not_found_exception', reason: 'no such index' } },
    }),
    expected: { status: 404, type: 'index_not_found_exception', reason: 'no such index' },
  },
  {
    error: clientError('ResponseError', {
      statusCode: 503,
      body: {
        error: {
          type: 'search_phase_execution_exception',
          reason: 'all shards failed',
          root_cause: [{ type: 'x', reason: 'the disk' }],
        },
      },
    }),
    expected: { status: 503, reason: 'all shards failed: the disk' },
  },
  {
    error: clientError('ResponseError', { statusCode: 502, body: '<html>' }),
    expected: { status: 502, type: 'failed', reason: '<html>' },
  },
  { error: clientError('ConnectionError'), expected: { status: 0, type: 'unreachable' } },
  { error: clientError('ProductNotSupportedError'), expected: { code: 'BAD_CONFIG' } },
])('$error.name $error.meta.statusCode', async ({ error, expected }) => {
  const elastic = elasticThat(async () => {
    throw error
  })
  await expect(elastic.request(request)).rejects.toMatchObject(expected)
})

/** Waits until it is told to stop, and then fails as the client does. */
const hanging: SendRequest = (_params, { signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(clientError('RequestAbortedError')))
  })

test('an abort rejects with its reason, too much time with a timeout', async () => {
  const abort = new AbortController()
  const aborted = elasticThat(hanging).request({ ...request, signal: abort.signal, timeoutMs: 10_000 })
  const reason = new Error('gone')
  abort.abort(reason)
  await expect(aborted).rejects.toBe(reason)
  await expect(elasticThat(hanging).request(request)).rejects.toMatchObject({ status: 0, type: 'timeout' })
  await expect(elasticThat(hanging).request({ ...request, signal: abort.signal })).rejects.toBe(reason)
})

test('a bulk goes out as its bytes, a body as JSON', async () => {
  const sent: unknown[] = []
  const elastic = elasticThat(async (params, { headers }) => {
    sent.push([params, headers?.['content-type']])
    return { ok: true }
  })
  expect(await elastic.request({ ...request, lines: Buffer.from('{}\n'), query: { a: 1 } })).toEqual({
    ok: true,
  })
  await elastic.request({ ...request, body: { b: 2 } })
  expect(sent).toEqual([
    [
      { method: 'GET', path: '/', querystring: { a: 1 }, bulkBody: Buffer.from('{}\n') },
      'application/vnd.elasticsearch+x-ndjson; compatible-with=9',
    ],
    [{ method: 'GET', path: '/', querystring: {}, body: { b: 2 } }, undefined],
  ])
})
