import { expect, test } from 'vitest'
import { createBatcher, type Batcher } from '../../../collectors/batcher.ts'
import { ServiceError } from '../../../core/errors.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createMemorySpool } from '../../support/memory-spool.ts'
import { quietLog } from '../../support/quiet-log.ts'

const source = { path: '/var/log/a.log' }
const signal = new AbortController().signal

function setUp(bounds: { bytesMax?: number; recordsMax?: number; ageMsMax?: number } = {}) {
  const clock = createFakeClock()
  const spool = createMemorySpool()
  const limits = { bytesMax: 1_000, recordsMax: 100, ageMsMax: 100, ...bounds }
  const batcher = createBatcher({ spool, host: 'h1', bounds: limits, clock, log: quietLog, random: () => 0 })
  return { clock, spool, batcher }
}

function add(batcher: Batcher, text: string, { offset = 0, from = source } = {}): void {
  const bytes = Buffer.from(text)
  const lines = text.trimEnd().split('\n').length
  batcher.add(
    { source: from, offset, bytes, lines, readAtMs: 5_000, fromMs: 4_000 },
    { [from.path]: { offset: offset + bytes.length } },
  )
}

test('a batch is closed when its first line is old enough', async () => {
  const { clock, spool, batcher } = setUp()
  add(batcher, 'one\n')
  await clock.advance(60)
  add(batcher, 'two\n', { offset: 4 })
  await clock.advance(39)
  expect(spool.headers).toHaveLength(0)
  await clock.advance(1)
  expect(spool.lines().map(({ text, offset }) => [text, offset])).toEqual([
    ['one', 0],
    ['two', 4],
  ])
  expect(spool.positions()).toEqual({ '/var/log/a.log': { offset: 8 } })
})

test.each([
  { name: 'bytes', bounds: { bytesMax: 10 } },
  { name: 'lines', bounds: { recordsMax: 2 } },
])('a batch is closed by its $name', async ({ bounds }) => {
  const { spool, batcher } = setUp(bounds)
  for (let i = 0; i < 4; i++) add(batcher, 'abcd\n', { offset: i * 5 })
  await batcher.numbered()
  expect(spool.headers.map(({ records }) => records)).toEqual([2, 2])
})

test('a newline that the last line lacks is added', async () => {
  const { spool, batcher } = setUp()
  add(batcher, 'rest')
  await batcher.flush(signal)
  expect(spool.headers[0]).toMatchObject({ records: 1, runs: [{ bytes: 5, lines: 1, offset: 0 }] })
  expect(spool.lines()).toMatchObject([{ text: 'rest' }])
})

test('each source is named once, and time bounds hold for every line', async () => {
  const { clock, spool, batcher } = setUp()
  const other = { path: '/var/log/b.log', service: 'b' }
  add(batcher, 'a\n')
  add(batcher, 'b\n', { from: other })
  add(batcher, 'a\n', { offset: 2 })
  await batcher.flush(signal)
  expect(spool.headers[0]).toMatchObject({
    sources: [source, other],
    runs: [{ source: 0 }, { source: 1 }, { source: 0 }],
    fromMs: 4_000,
    toMs: clock.nowMs(),
  })
})

test('the header of a batch stays far below what a decoder takes', async () => {
  const { spool, batcher } = setUp({ bytesMax: 1 << 20, recordsMax: 100_000 })
  for (let i = 0; i < 5_000; i++)
    add(batcher, 'a\n', { from: { path: `/var/log/${'deep/'.repeat(20)}${i}.log` } })
  await batcher.flush(signal)
  const headerBytes = spool.headers.map((header) => JSON.stringify(header).length)
  expect(Math.max(...headerBytes)).toBeLessThan(1 << 20)
  expect(spool.lines()).toHaveLength(5_000)
})

test('losses and position changes ride in a batch of their own when there are no lines', async () => {
  const { clock, spool, batcher } = setUp()
  const drop = { reason: 'truncated before it was read', records: null, bytes: 7, fromMs: 1, toMs: 2 }
  batcher.note({ drops: [drop], changes: { x: { offset: 1 } } })
  await clock.advance(100)
  expect(spool.headers).toMatchObject([{ records: 0, drops: [drop], runs: [], sources: [] }])
  expect(spool.positions()).toEqual({ x: { offset: 1 } })
})

test('batches that the spool refuses are numbered later, in order', async () => {
  const { clock, spool, batcher } = setUp({ recordsMax: 1 })
  spool.refusal = new ServiceError('OVERLOADED', 'the spool is full')
  for (let i = 0; i < 4; i++) add(batcher, `${i}\n`, { offset: i * 2 })
  let room = false
  const roomy = batcher.room(signal).then(() => {
    room = true
  })
  await clock.advance(5_000)
  expect({ room, held: batcher.stats().held }).toEqual({ room: false, held: 'the spool is full' })
  spool.refusal = null
  await clock.advance(3_000)
  await roomy
  await batcher.numbered()
  expect(spool.lines().map(({ text }) => text)).toEqual(['0', '1', '2', '3'])
  expect(batcher.stats()).toMatchObject({ held: null })
  expect(batcher.stats().heldMs).toBeGreaterThanOrEqual(5_000)
})

test('waiting for room or for numbers ends when it is aborted', async () => {
  const { spool, batcher } = setUp({ recordsMax: 1 })
  spool.refusal = new ServiceError('OVERLOADED', 'the spool is full')
  for (let i = 0; i < 4; i++) add(batcher, `${i}\n`)
  const stop = new AbortController()
  const waits = Promise.allSettled([batcher.room(stop.signal), batcher.flush(stop.signal)])
  stop.abort(new Error('stop'))
  expect((await waits).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})

test('lines are released once their batch is numbered, not while the spool refuses it', async () => {
  const { clock, spool, batcher } = setUp()
  const released: number[] = []
  for (const offset of [0, 4]) {
    const lines = { source, offset, bytes: Buffer.from('one\n'), lines: 1, readAtMs: 5_000, fromMs: 4_000 }
    batcher.add({ ...lines, release: () => released.push(offset) }, {})
  }
  spool.refusal = new ServiceError('OVERLOADED', 'the spool is full')
  const flushed = batcher.flush(signal)
  await clock.advance(0)
  expect(released).toEqual([])
  spool.refusal = null
  await clock.advance(5_000)
  await flushed
  expect(released).toEqual([0, 4])
})
