import { expect, test } from 'vitest'
import { coalesced, createCasDocuments } from '../../../../adapters/store-elastic/cas-documents.ts'
import type { ElasticRequest } from '../../../../adapters/store-elastic/elastic.ts'
import { ElasticFailure } from '../../../../adapters/store-elastic/failures.ts'
import { systemClock } from '../../../../core/clock.ts'
import { createFakeElastic, linesOf } from '../../../support/fake-elastic.ts'
import { quietLog } from '../../../support/quiet-log.ts'

interface Kept {
  readonly seqNo: number
  readonly source: object
}

interface Action {
  readonly create?: { readonly _id?: string }
  readonly index?: { readonly _id?: string; readonly if_seq_no: number }
}

/** As much of Elasticsearch as documents need that are compared and set. */
function createIndex() {
  const documents = new Map<string, Kept>()
  let seqNo = 0

  function get({ body, query }: ElasticRequest): object {
    const { ids } = body as { ids: string[] }
    const docs = ids.map((id) => {
      const kept = documents.get(id)
      const source = query?.['_source'] === true ? { _source: kept?.source } : {}
      return { _id: id, found: kept !== undefined, _seq_no: kept?.seqNo, _primary_term: 1, ...source }
    })
    return { docs }
  }

  function put(request: ElasticRequest): object {
    const lines = linesOf(request)
    const items: object[] = []
    for (let at = 0; at < lines.length; at += 2) {
      const { create, index } = lines[at] as Action
      const { _id: id = '' } = create ?? index ?? {}
      if (documents.get(id)?.seqNo === index?.if_seq_no) {
        documents.set(id, { seqNo: ++seqNo, source: lines[at + 1] as object })
        items.push({ index: { status: 200, _seq_no: seqNo, _primary_term: 1 } })
      } else items.push({ index: { status: 409, error: { type: 'version_conflict', reason: '' } } })
    }
    return { items }
  }

  return {
    documents,
    answer: (request: ElasticRequest) => (request.path.endsWith('_mget') ? get(request) : put(request)),
  }
}

interface Count {
  readonly count: number
}

function open(answer: (request: ElasticRequest, at: number) => unknown) {
  const elastic = createFakeElastic(answer)
  const documents = createCasDocuments<Count>({
    elastic,
    index: 'i',
    ids: ['a', 'b'],
    empty: { count: 0 },
    prepare: async () => {},
    clock: { ...systemClock, sleep: async () => {} },
    log: quietLog,
  })
  return { elastic, documents }
}

const add = (by: number) => (before: Count) => ({
  content: { count: before.count + by },
  result: before.count,
})

test('changes that come together are written together, each on what the one before made', async () => {
  const index = createIndex()
  const { elastic, documents } = open(index.answer)
  const before = await Promise.all([1, 10, 100, 1_000].map((by) => documents.change(0, add(by))))
  expect(before).toEqual([0, 1, 11, 111])
  expect(documents.content(0)).toEqual({ count: 1_111 })
  const writes = elastic.requests.filter(({ path }) => path.endsWith('_bulk'))
  expect(writes.length).toBeLessThanOrEqual(2)
})

test('a change that changes nothing is not written', async () => {
  const index = createIndex()
  const { elastic, documents } = open(index.answer)
  expect(await documents.change(0, (content) => ({ content, result: 'same' }))).toBe('same')
  expect(elastic.requests.filter(({ path }) => path.endsWith('_bulk'))).toEqual([])
})

test('two processes that change the same document lose nothing', async () => {
  const index = createIndex()
  const [one, other] = [open(index.answer).documents, open(index.answer).documents]
  await Promise.all(
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : other).change(i % 3 === 0 ? 1 : 0, add(1))),
  )
  await Promise.all([one.sync(), other.sync()])
  expect(one.contents()).toEqual(other.contents())
  expect(one.contents()).toEqual([{ count: 26 }, { count: 14 }])
})

test('only what has changed is read again', async () => {
  const index = createIndex()
  const [one, other] = [open(index.answer), open(index.answer)]
  await one.documents.change(0, add(1))
  await other.documents.sync()
  await one.documents.change(1, add(5))
  const before = other.elastic.requests.length
  await other.documents.sync()
  const asked = other.elastic.requests.slice(before).map(({ query, body }) => [query, body])
  expect(asked).toEqual([
    [{ _source: false }, { ids: ['a', 'b'] }],
    [{ _source: true }, { ids: ['b'] }],
  ])
  await other.documents.sync()
  expect(other.elastic.requests).toHaveLength(before + 3)
  expect(other.documents.contents()).toEqual([{ count: 1 }, { count: 5 }])
})

test('a document that somebody deleted is written again', async () => {
  const index = createIndex()
  const { documents } = open(index.answer)
  await documents.change(0, add(3))
  index.documents.delete('a')
  await documents.sync()
  expect(documents.content(0)).toEqual({ count: 3 })
  await expect.poll(() => index.documents.has('a')).toBe(true)
  index.documents.delete('a')
  await documents.change(0, add(4))
  const other = open(index.answer).documents
  await other.sync()
  expect(other.content(0)).toEqual({ count: 7 })
})

test('a write whose answer was lost is looked at before the change is made again', async () => {
  const index = createIndex()
  let lost = 0
  const { documents } = open((request) => {
    const answered = index.answer(request)
    if (request.path.endsWith('_bulk') && lost++ === 0) throw new ElasticFailure(0, 'unreachable', 'lost')
    return answered
  })
  const once = (before: Count) => ({ content: before.count === 0 ? { count: 1 } : before, result: null })
  await documents.change(0, once)
  expect(documents.content(0)).toEqual({ count: 1 })
  expect(index.documents.size).toBe(1)
})

test('what cannot pass fails its callers, and the next change reads again', async () => {
  const index = createIndex()
  let broken = true
  const { documents } = open((request) => {
    if (broken) throw new ElasticFailure(400, 'wrong', 'because')
    return index.answer(request)
  })
  await expect(documents.change(0, add(1))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(documents.sync()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  broken = false
  expect(await documents.change(0, add(1))).toBe(0)
})

test('after close nothing is asked any more', async () => {
  const { documents } = open(({ signal }) => {
    signal?.throwIfAborted()
    return { docs: [] }
  })
  documents.close()
  await expect(documents.change(0, add(1))).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
})

test('calls share the next run that begins after them', async () => {
  const runs: (() => void)[] = []
  const call = coalesced(() => new Promise<void>((resolve) => runs.push(resolve)))
  const first = call()
  const [second, third] = [call(), call()]
  expect(second).toBe(third)
  runs[0]?.()
  await first
  await expect.poll(() => runs.length).toBe(2)
  runs[1]?.()
  await Promise.all([second, third])
  expect(runs).toHaveLength(2)
})
