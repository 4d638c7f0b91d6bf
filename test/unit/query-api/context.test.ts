import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check'
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import type { Store, TimeRange } from '../../../core/ports.ts'
import { findContext } from '../../../query-api/context.ts'
import { COVERED, NOW_MS, bearer, createCompleteness, createNode, fill } from './node.ts'

interface Answer {
  before: { message: string }[]
  record: { message: string }
  after: { message: string }[]
  meta: { from: string; to: string; complete: boolean }
}

const headers = bearer('search')
const DAY_MS = 86_400_000
const iso = (ms: number) => new Date(ms).toISOString()
const messages = (records: readonly { message: string }[]) => records.map(({ message }) => message)

async function askFor(store: Store, query: Record<string, string>) {
  const asked: TimeRange[] = []
  const completeness = { ...createCompleteness(), judge: (range: TimeRange) => (asked.push(range), COVERED) }
  const { app } = await createNode({ store, completeness })
  const response = await app.inject({ url: '/v1/context', query, headers })
  return { status: response.statusCode, answer: response.json<Answer>(), asked }
}

/** Ten lines of one file, a second apart, with lines of another file and another host between them. */
async function filled() {
  const store = createMemoryStore()
  const lines = Array.from({ length: 30 }, (_, index) => ({
    message: `m${index}`,
    host: index % 3 === 2 ? 'web-2' : 'web-1',
    path: index % 3 === 0 ? '/a.log' : '/b.log',
  }))
  return { store, records: await fill(store, lines) }
}

test('the lines around a line are those of its file, oldest first', async () => {
  const { store, records } = await filled()
  const line = records[15]
  const query = { id: line?.id ?? '', time: iso(line?.timeMs ?? 0), before: '2', after: '3' }
  const { answer } = await askFor(store, query)
  expect(messages(answer.before)).toEqual(['m9', 'm12'])
  expect(answer.record.message).toBe('m15')
  expect(messages(answer.after)).toEqual(['m18', 'm21', 'm24'])
})

test('or of its host, whatever the file', async () => {
  const { store, records } = await filled()
  const { answer } = await askFor(store, { id: records[15]?.id ?? '', before: '2', after: '0', of: 'host' })
  expect(messages(answer.before)).toEqual(['m12', 'm13'])
  expect(answer.after).toEqual([])
})

test('the ledger is asked about what is looked at, before it is read', async () => {
  const { store, records } = await filled()
  const line = records[15]
  const at = line?.timeMs ?? 0
  const query = { id: line?.id ?? '', before: '2', after: '3' }
  const { answer, asked } = await askFor(store, query)
  expect(asked).toEqual([{ fromMs: at - 6_000, toMs: at + 9_001 }])
  expect(answer.meta).toMatchObject({ from: iso(at - 6_000), to: iso(at + 9_001), complete: true })
})

test('with fewer lines than asked for, everything up to a day away was looked at, but nothing after now', async () => {
  const { store, records } = await filled()
  const { asked } = await askFor(store, { id: records[15]?.id ?? '', before: '6', after: '6' })
  expect(asked).toEqual([{ fromMs: (records[15]?.timeMs ?? 0) - DAY_MS, toMs: NOW_MS }])
})

test('lines that arrive between the two looks do not widen what was judged', async () => {
  const { store, records } = await filled()
  const at = records[15]?.timeMs ?? 0
  const late = { message: 'late', host: 'web-1', path: '/a.log', timeMs: at + 1 }
  const completeness = {
    ...createCompleteness(),
    judge: () => (void fill(store, [late]), COVERED),
  }
  const { app } = await createNode({ store, completeness })
  const query = { id: records[15]?.id ?? '', before: '0', after: '2' }
  const { after, meta } = (await app.inject({ url: '/v1/context', query, headers })).json<Answer>()
  expect(messages(after)).toEqual(['late', 'm18'])
  expect(meta.to).toBe(iso(at + 6_001))
})

test('a line without a file has those of its host without one around it', async () => {
  const store = createMemoryStore()
  const records = await fill(store, [{ message: 'a' }, { message: 'b', path: '/x' }, { message: 'c' }])
  const { answer } = await askFor(store, { id: records[2]?.id ?? '' })
  expect(messages(answer.before)).toEqual(['a'])
})

test.each([
  { name: 'an unknown id', query: {} },
  { name: 'a time that is not the line’s', query: { time: iso(NOW_MS - 1) } },
  { name: 'a range without the line', query: { from: 'now-2d', to: 'now-1d' } },
])('$name is answered 404', async ({ name, query }) => {
  const { store, records } = await filled()
  const id = name === 'an unknown id' ? 'x' : (records[0]?.id ?? '')
  const { status, answer } = await askFor(store, { id, ...(query as Record<string, string>) })
  expect(status).toBe(404)
  expect(answer).toMatchObject({ code: 'NOT_FOUND', details: { id } })
})

test.each([
  { query: {}, detail: /^id: / },
  { query: { id: 'x', before: '501' }, detail: /^before: / },
  { query: { id: 'x', after: '-1' }, detail: /^after: / },
  { query: { id: 'x', time: 'noon' }, detail: /^time: / },
  { query: { id: 'x', of: 'site' }, detail: /^of: / },
  { query: { id: 'x', sites: 'mars' }, detail: /mars/ },
])('$query is refused', async ({ query, detail }) => {
  const { status, answer } = await askFor(createMemoryStore(), query)
  expect(status).toBe(400)
  expect((answer as unknown as { detail: string }).detail).toMatch(detail)
})

test('whatever lies there, context is a window of the sorted lines of the same file', async () => {
  const line = record({
    timeMs: integer({ min: NOW_MS - 5, max: NOW_MS }),
    path: constantFrom('', '/a', '/b'),
    host: constantFrom('', 'h'),
  })
  const counts = integer({ min: 0, max: 4 })
  await assert(
    asyncProperty(
      array(line, { minLength: 1, maxLength: 12 }),
      counts,
      counts,
      async (lines, before, after) => {
        const store = createMemoryStore()
        const stored = await fill(store, lines)
        const sorted = stored.toSorted((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1))
        for (const record of stored) {
          const same = sorted.filter(({ path, host }) => path === record.path && host === record.host)
          const at = same.findIndex(({ id }) => id === record.id)
          const within = { fromMs: record.timeMs, toMs: record.timeMs + 1 }
          const request = { id: record.id, within, of: 'file', before, after } as const
          const context = await findContext(store, request, new AbortController().signal)
          const ids = (records: readonly { id: string }[]) => records.map(({ id }) => id)
          expect(ids(context.before)).toEqual(ids(same.slice(Math.max(0, at - before), at)))
          expect(ids(context.after)).toEqual(ids(same.slice(at + 1, at + 1 + after)))
        }
      },
    ),
    { numRuns: 50 },
  )
})
