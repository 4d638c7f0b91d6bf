import { expect, test } from 'vitest'
import { createMetricBatches, FLUSHES_WAITING_MAX } from '../../../../collectors/statsd/batches.ts'
import { ServiceError } from '../../../../core/errors.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createMemorySpool } from '../../../support/memory-spool.ts'
import { quietLog } from '../../../support/quiet-log.ts'

const FLUSH_MS = 10_000
const FULL = new ServiceError('OVERLOADED', 'the spool is full')
const signal = new AbortController().signal

function setUp() {
  const clock = createFakeClock()
  const spool = createMemorySpool()
  const lost: number[] = []
  const numbered: number[] = []
  const batches = createMetricBatches({
    spool,
    host: 'web-1',
    flushMs: FLUSH_MS,
    bounds: { bytesMax: 100, recordsMax: 3 },
    clock,
    log: quietLog,
    random: () => 0.5,
    onNumbered: (points) => numbered.push(points),
    onLost: (points) => lost.push(points),
  })
  const startMs = clock.nowMs()
  /** The flush that ended `index` intervals after the start. */
  const add = (index: number, text: string) => {
    const lines = text.split(' ')
    const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''))
    batches.add(startMs + index * FLUSH_MS, { bytes, points: lines.length })
  }
  const texts = () => spool.lines().map(({ text }) => text)
  return { clock, spool, lost, numbered, batches, startMs, add, texts }
}

test('a chunk becomes a batch of metrics', async () => {
  const { clock, spool, batches, startMs, add, texts, numbered } = setUp()
  await clock.advance(FLUSH_MS + 50)
  add(1, 'a b')
  expect(batches.oldestMs()).toBe(startMs + FLUSH_MS)
  await batches.numbered(signal)
  expect(batches.oldestMs()).toBeNull()
  expect(texts()).toEqual(['a', 'b'])
  expect(numbered).toEqual([2])
  expect(spool.headers[0]).toMatchObject({
    kind: 'metrics',
    host: 'web-1',
    createdAtMs: startMs + FLUSH_MS + 50,
    fromMs: startMs,
    toMs: startMs + FLUSH_MS + 50,
    records: 2,
    sources: [{ path: '' }],
    runs: [{ source: 0, offset: 0, bytes: 4, lines: 2 }],
    drops: [],
  })
})

test('chunks of a flush that wait go together, as many as fit a batch', async () => {
  const { clock, numbered, add, texts, spool } = setUp()
  add(1, 'a')
  for (const text of ['b', 'c d', 'e', 'f g', 'x y z w']) add(1, text)
  add(2, 'h')
  add(2, 'i'.repeat(60))
  add(2, 'j'.repeat(60))
  await clock.advance(1)
  // The first one was alone; a chunk that is too large by itself goes alone.
  expect(numbered).toEqual([1, 3, 3, 4, 2, 1])
  expect(texts().join(' ')).toBe(`a b c d e f g x y z w h ${'i'.repeat(60)} ${'j'.repeat(60)}`)
  expect(spool.headers.map(({ runs }) => runs[0]?.lines)).toEqual(numbered)
})

test('chunks are numbered in order, also when the spool refuses for a while', async () => {
  const { clock, spool, batches, startMs, add, texts, lost } = setUp()
  spool.refusal = FULL
  add(1, 'a')
  add(1, 'b')
  await clock.advance(1_000)
  add(2, 'c')
  expect(texts()).toEqual([])
  expect(batches.oldestMs()).toBe(startMs + FLUSH_MS)
  spool.refusal = null
  await clock.advance(2_000)
  expect(texts()).toEqual(['a', 'b', 'c'])
  expect(lost).toEqual([])
  await batches.numbered(signal)
})

test('a bounded number of flushes waits; then the oldest is dropped and counted', async () => {
  const { clock, spool, add, texts, lost } = setUp()
  spool.refusal = FULL
  add(1, 'a1 a2')
  add(1, 'a3')
  for (let index = 2; index <= FLUSHES_WAITING_MAX; index += 1) add(index, `f${index}`)
  await clock.advance(FLUSH_MS)
  expect(lost).toEqual([])
  add(FLUSHES_WAITING_MAX + 1, 'next1')
  add(FLUSHES_WAITING_MAX + 1, 'next2')
  await clock.advance(FLUSH_MS)
  expect(lost).toEqual([3])
  spool.refusal = null
  await clock.advance(FLUSH_MS)
  expect(texts()).toEqual(['f2', 'f3', 'f4', 'f5', 'f6', 'next1', 'next2'])
})

test('what is with the spool is not dropped; when the spool refuses it, it is', async () => {
  const { clock, spool, add, texts, lost } = setUp()
  const asked: PromiseWithResolvers<void>[] = []
  const append = spool.append.bind(spool)
  spool.append = async (draft, changes) => {
    const answer = Promise.withResolvers<void>()
    asked.push(answer)
    await answer.promise
    return append(draft, changes)
  }
  for (let index = 1; index <= FLUSHES_WAITING_MAX + 2; index += 1) add(index, `f${index}`)
  expect(lost).toEqual([1]) // The second: the first is with the spool.
  asked[0]?.reject(FULL)
  await clock.advance(1)
  expect(lost).toEqual([1, 1])
  spool.append = append
  await clock.advance(FLUSH_MS)
  expect(texts()).toEqual(['f3', 'f4', 'f5', 'f6', 'f7', 'f8'])
})

test('waiting for the numbers ends with the signal', async () => {
  const { spool, batches, add } = setUp()
  await batches.numbered(signal)
  spool.refusal = FULL
  add(1, 'a')
  await expect(batches.numbered(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
})
