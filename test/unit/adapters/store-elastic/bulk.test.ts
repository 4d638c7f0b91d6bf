import { expect, test } from 'vitest'
import { DocumentsRefused, createBulkWriter } from '../../../../adapters/store-elastic/bulk.ts'
import type { BulkJob } from '../../../../adapters/store-elastic/bulk.ts'
import type { ElasticRequest } from '../../../../adapters/store-elastic/elastic.ts'
import { ElasticFailure } from '../../../../adapters/store-elastic/failures.ts'
import { systemClock } from '../../../../core/clock.ts'
import { createFakeElastic, linesOf } from '../../../support/fake-elastic.ts'

/** Waits for nothing, and says that much time went by. */
function createHurriedClock() {
  let passedMs = 0
  return {
    ...systemClock,
    monotonicMs: () => passedMs,
    async sleep(delayMs: number, signal?: AbortSignal) {
      passedMs += delayMs
      await Promise.resolve()
      signal?.throwIfAborted()
    },
  }
}

const ids = (request: ElasticRequest) => linesOf(request).map((line) => (line as { id: number }).id)

function job(count: number, more: Partial<BulkJob> = {}): BulkJob {
  return {
    count,
    lines: (at) => `{"id":${at}}\n`,
    async missing(places) {
      return places
    },
    ...more,
  }
}

const created = { create: { status: 201 } }
const failed = (status: number, type: string) => ({ create: { status, error: { type, reason: 'because' } } })
/** Answers like Elasticsearch; `problems` by id. */
const answer = (request: ElasticRequest, problems: Record<number, object> = {}) => {
  const items = ids(request).map((id) => problems[id] ?? created)
  return { errors: items.some((item) => item !== created), items }
}

const writer = (answers: (request: ElasticRequest, at: number) => unknown) => {
  const elastic = createFakeElastic(answers)
  return { elastic, bulk: createBulkWriter({ elastic, clock: createHurriedClock() }) }
}

test('what is there already counts as written; what was too much comes again, alone', async () => {
  const { elastic, bulk } = writer((request, at) =>
    answer(request, at === 0 ? { 1: failed(409, 'version_conflict'), 2: failed(429, 'rejected') } : {}),
  )
  await bulk.write(job(4))
  expect(elastic.requests.map(ids)).toEqual([[0, 1, 2, 3], [2]])
})

test('jobs that come while requests are on their way go together', async () => {
  const waiting: (() => void)[] = []
  const { elastic, bulk } = writer(async (request) => {
    await new Promise<void>((resolve) => waiting.push(resolve))
    return answer(request)
  })
  const jobs = Array.from({ length: 9 }, () => bulk.write(job(2)))
  await expect.poll(() => waiting.length).toBe(3)
  for (const go of waiting.splice(0)) go()
  await expect.poll(() => waiting.length).toBe(1)
  for (const go of waiting.splice(0)) go()
  await Promise.all(jobs)
  expect(elastic.requests.map((request) => ids(request).length)).toEqual([2, 2, 2, 12])
})

test('a large job is cut into requests', async () => {
  const { elastic, bulk } = writer((request) => answer(request))
  const text = 'x'.repeat(1 << 20)
  await bulk.write(job(7, { lines: (at) => `{"id":${at},"text":"${text}"}\n` }))
  expect(elastic.requests.map(ids)).toEqual([[0, 1], [2, 3], [4, 5], [6]])
})

test('requests that are too much get smaller', async () => {
  const sizes: number[] = []
  const { bulk } = writer((request, at) => {
    sizes.push(request.lines?.length ?? 0)
    if (at < 4) throw new ElasticFailure(429, 'rejected', 'too much')
    return answer(request)
  })
  const text = 'x'.repeat(100_000)
  await bulk.write(job(30, { lines: (at) => `{"id":${at},"text":"${text}"}\n` }))
  expect(sizes[4]).toBeLessThan((sizes[0] ?? 0) / 2)
})

test('a body that is too large is cut; a document that is too large alone is refused', async () => {
  const { bulk } = writer((request) => {
    if ((request.lines?.length ?? 0) > 300_000) throw new ElasticFailure(413, 'too_large', 'too large')
    return answer(request)
  })
  const text = (at: number) => 'x'.repeat(at === 3 ? 400_000 : 100_000)
  const refused = await bulk
    .write(job(6, { lines: (at) => `{"id":${at},"text":"${text(at)}"}\n` }))
    .catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(DocumentsRefused)
  expect(refused).toMatchObject({ at: [3] })
})

test('documents that are refused are named once all others are written', async () => {
  const problems = {
    1: failed(400, 'document_parsing_exception'),
    3: failed(400, 'document_parsing_exception'),
  }
  const { elastic, bulk } = writer((request, at) =>
    answer(request, at === 0 ? { ...problems, 2: failed(503, 'unavailable') } : {}),
  )
  await expect(bulk.write(job(4))).rejects.toMatchObject({ at: [1, 3], message: 'because' })
  expect(elastic.requests.map(ids)).toEqual([[0, 1, 2, 3], [2]])
})

test('documents without an index come again once it is made, without those that are not wanted any more', async () => {
  const asked: (readonly number[])[] = []
  const missing = async (places: readonly number[]) => {
    asked.push(places)
    return places.filter((at) => at !== 2)
  }
  const gone = failed(404, 'index_not_found_exception')
  const { elastic, bulk } = writer((request, at) =>
    answer(request, at === 0 ? { 1: gone, 2: gone, 3: gone } : {}),
  )
  await bulk.write(job(4, { missing }))
  expect(asked).toEqual([[1, 2, 3]])
  expect(elastic.requests.map(ids)).toEqual([
    [0, 1, 2, 3],
    [1, 3],
  ])
})

test.each([
  { status: 429, type: 'rejected', code: 'OVERLOADED' },
  { status: 503, type: 'unavailable', code: 'STORE_UNAVAILABLE' },
  { status: 0, type: 'unreachable', code: 'STORE_UNAVAILABLE' },
])('$type is given up after a while, as $code', async ({ status, type, code }) => {
  const { elastic, bulk } = writer(() => {
    throw new ElasticFailure(status, type, 'because')
  })
  await expect(bulk.write(job(1))).rejects.toMatchObject({ code, details: { retryAfterMs: 1_000 } })
  expect(elastic.requests.length).toBeGreaterThan(3)
})

test('an index that takes nothing sends its documents back at once', async () => {
  const { elastic, bulk } = writer((request) =>
    answer(request, { 0: failed(403, 'cluster_block_exception') }),
  )
  await expect(bulk.write(job(2))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(elastic.requests).toHaveLength(1)
})

test('after close everything is sent back', async () => {
  const { bulk } = writer(
    ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
  )
  const jobs = Array.from({ length: 5 }, () => bulk.write(job(1)))
  bulk.close()
  const ends = await Promise.allSettled(jobs)
  for (const end of ends) expect(end).toMatchObject({ reason: { code: 'SHUTTING_DOWN' } })
})
