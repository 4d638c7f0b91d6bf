import { expect, test } from 'vitest'
import type { Aggregation, MetricChunk } from '../../../../collectors/statsd/aggregation.ts'
import type { Report } from '../../../../collectors/statsd/messages.ts'
import { createReceiver } from '../../../../collectors/statsd/receiver.ts'
import { createRecordQueue } from '../../../../collectors/statsd/record-queue.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const FLUSH_MS = 10_000
const START_MS = Date.UTC(2026, 0, 1)

/** An aggregation that keeps texts, of which each is a chunk. Receiving gives what was sent; waiting lets time pass. */
function setUp({ nowMs = START_MS + 2_500 } = {}) {
  const clock = createFakeClock({ nowMs })
  const told: Report[] = []
  const transferred: ArrayBuffer[] = []
  const open: string[] = []
  const sent: string[] = []
  const waits: number[] = []
  const boundaries: number[] = []
  const losses: [string, number][] = []
  let drops = 0
  let closed = false
  const shared = new TextEncoder().encode('shared')
  const aggregation: Aggregation = {
    take: (bytes, start, end) => void open.push(Buffer.from(bytes.subarray(start, end)).toString()),
    lost: (reason, count) => void losses.push([reason, count]),
    *flush(boundaryMs): Generator<MetricChunk> {
      boundaries.push(boundaryMs)
      for (const text of open.splice(0)) {
        const bytes = text === 'shared' ? shared.subarray(0, 5) : new TextEncoder().encode(text).slice()
        yield { bytes, points: 1 }
      }
    },
    stats: () => ({
      series: 0,
      metrics: open.length,
      packets: 0,
      lost: {},
      cut: 0,
      overflowing: [],
      badLines: [],
    }),
  }
  const tell = (report: Report, transfer: ArrayBuffer[] = []) => {
    told.push(report)
    transferred.push(...transfer)
  }
  const records = createRecordQueue(tell, () => clock.nowMs())
  const receiver = createReceiver({
    flushMs: FLUSH_MS,
    datagrams: {
      listen: () => Promise.reject(new Error('not asked for')),
      async receive(waitMs) {
        if (closed) throw new Error('receives after closing')
        waits.push(waitMs)
        const texts = sent.splice(0)
        if (texts.length === 0) await clock.advance(waitMs)
        for (const text of texts) aggregation.take(Buffer.from(text), 0, text.length)
      },
      close: () => Promise.resolve(void (closed = true)),
    },
    listening: { open: () => Promise.resolve(), drops: () => Promise.resolve(drops) },
    aggregation,
    records,
    clock,
    tell,
  })
  const flushes = () =>
    told.flatMap((report) => {
      if (report.type === 'chunk')
        return [[report.boundaryMs - START_MS, Buffer.from(report.bytes).toString()]]
      return report.type === 'flushed' ? [[report.boundaryMs - START_MS]] : []
    })
  const turns = async (count: number) => {
    for (let turn = 0; turn < count; turn += 1) await receiver.turn()
  }
  const setDrops = (count: number) => (drops = count)
  return {
    clock,
    told,
    transferred,
    sent,
    waits,
    boundaries,
    losses,
    receiver,
    records,
    flushes,
    turns,
    setDrops,
  }
}

test('flushes are aligned to the clock, and nothing waits beyond them', async () => {
  const { sent, waits, flushes, turns } = setUp()
  sent.push('a')
  await turns(1 + 7_500 / 50 - 1) // The next wait ends at the boundary.
  expect(flushes()).toEqual([])
  await turns(2)
  expect(flushes()).toEqual([[FLUSH_MS, 'a'], [FLUSH_MS]])
  expect(Math.max(...waits)).toBe(50)
  await turns(FLUSH_MS / 50 + 2)
  expect(flushes().at(-1)).toEqual([2 * FLUSH_MS])
})

test('a long flush takes turns with receiving', async () => {
  const { clock, sent, waits, flushes, turns } = setUp()
  sent.push('a', 'b', 'c')
  await turns(1)
  await clock.advance(7_500)
  await turns(1)
  waits.length = 0
  for (const text of ['d', 'e', 'f']) {
    sent.push(text)
    await turns(1)
  }
  expect(waits).toEqual([0, 0, 0])
  // What came meanwhile belongs to the next flush.
  expect(flushes()).toEqual([[FLUSH_MS, 'a'], [FLUSH_MS, 'b'], [FLUSH_MS, 'c'], [FLUSH_MS]])
})

test('chunks are handed over; one that shares its memory is copied', async () => {
  const { sent, flushes, transferred, receiver } = setUp()
  sent.push('own', 'shared')
  await receiver.turn()
  await receiver.finish()
  expect(
    flushes()
      .slice(0, 2)
      .map(([, text]) => text),
  ).toEqual(['own', 'share'])
  expect(transferred.map(({ byteLength }) => byteLength)).toEqual([3, 5])
})

test('a stall over some intervals gives one flush of what was open, and goes on with the clock', async () => {
  const { clock, sent, boundaries, turns } = setUp()
  sent.push('a')
  await turns(1)
  await clock.advance(35_000)
  await turns(8)
  expect(boundaries.map((timeMs) => timeMs - START_MS)).toEqual([10_000, 30_000])
})

test('a clock that is put forward by a day is followed at once', async () => {
  const { clock, sent, boundaries, flushes, turns } = setUp()
  sent.push('a')
  await turns(1)
  clock.jump(86_400_000)
  await turns(8)
  expect(boundaries.map((timeMs) => timeMs - START_MS)).toEqual([10_000, 86_400_000])
  expect(flushes()[0]).toEqual([10_000, 'a'])
})

test('a clock that is put back by an hour is followed at once, by a little waited for', async () => {
  const { clock, sent, boundaries, turns } = setUp()
  clock.jump(-FLUSH_MS)
  await turns(3)
  expect(boundaries).toEqual([])
  sent.push('a')
  clock.jump(-3_600_000)
  await turns(4)
  expect(boundaries.map((timeMs) => timeMs - START_MS)).toEqual([10_000])
  await turns(FLUSH_MS / 50 + 1)
  const nextMs = (boundaries[1] ?? 0) - START_MS
  expect(nextMs).toBeLessThan(0)
  expect(nextMs % FLUSH_MS).toBe(-0)
})

test('what the kernel dropped is counted before the flush', async () => {
  const { clock, losses, setDrops, turns } = setUp()
  setDrops(7)
  await clock.advance(7_500)
  expect(losses).toEqual([])
  await turns(1)
  expect(losses).toEqual([['kernel', 7]])
})

test('orders: lines are taken like a datagram, losses are counted, records go on', async () => {
  const { told, sent, losses, flushes, receiver, records } = setUp()
  receiver.handle({ type: 'take', lines: 'own:1|g' })
  receiver.handle({ type: 'lost', reason: 'spool', count: 3 })
  records.add('one')
  sent.push('a')
  await receiver.turn()
  records.add('two')
  sent.push('b')
  await receiver.turn()
  const texts = () => told.flatMap((report) => (report.type === 'records' ? [report.text] : []))
  expect(texts()).toEqual(['one\n'])
  receiver.handle({ type: 'recordsTaken' })
  sent.push('c')
  await receiver.turn()
  expect(texts()).toEqual(['one\n', 'two\n'])
  expect(losses).toEqual([['spool', 3]])
  await receiver.finish()
  expect(flushes().map(([, text]) => text)).toEqual(['own:1|g', 'a', 'b', 'c', undefined])
})

test('the end takes what is there and flushes the open interval as it is, behind the flush under way', async () => {
  const { clock, told, sent, flushes, receiver, records } = setUp()
  sent.push('a', 'b')
  await receiver.turn()
  await clock.advance(7_500)
  await receiver.turn() // The flush begins.
  records.add('under way')
  await receiver.turn()
  records.add('last')
  sent.push('c')
  await receiver.finish()
  expect(flushes()).toEqual([
    [FLUSH_MS, 'a'],
    [FLUSH_MS, 'b'],
    [FLUSH_MS],
    [2 * FLUSH_MS, 'c'],
    [2 * FLUSH_MS],
  ])
  expect(told.flatMap((report) => (report.type === 'records' ? [report.text] : []))).toEqual([
    'under way\n',
    'last\n',
  ])
  expect(told.at(-1)).toEqual({ type: 'stopped' })
})

test('stats are told once a second, when they changed', async () => {
  const { told, sent, turns } = setUp()
  await turns(3)
  sent.push('a')
  await turns(60)
  expect(told.filter(({ type }) => type === 'stats')).toHaveLength(2)
})
