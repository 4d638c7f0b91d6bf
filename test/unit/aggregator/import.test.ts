import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { createImport, IMPORT_LINE_BYTES_MAX, REFUSALS_LISTED_MAX } from '../../../aggregator/import.ts'
import { ServiceError } from '../../../core/errors.ts'
import type { BatchFacts } from '../../../core/ledger/types.ts'
import type { Store } from '../../../core/ports.ts'
import { MATCH_ALL } from '../../../core/query/plan.ts'
import { plainEnrich } from '../../support/aggregator.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const ORIGIN = { site: 'eu', sender: 'admin' }
const never = new AbortController().signal

function open(append?: Store['append']) {
  const memory = createMemoryStore()
  const stored: BatchFacts[] = []
  let randoms = 0
  const recordImport = createImport({
    store: append === undefined ? memory : { append },
    ledger: { stored: (facts) => stored.push(facts) },
    enrich: plainEnrich,
    clock: createFakeClock(),
    node: 'node-1',
    randomHex: (bytes) => String(++randoms).padStart(2 * bytes, '0'),
  })
  return {
    stored,
    run: (chunks: AsyncIterable<Uint8Array>, signal = never) => recordImport.import(chunks, ORIGIN, signal),
    records: async () => {
      const range = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
      return (await memory.search({ plan: MATCH_ALL, range, limit: 100_000 }, never)).records.toReversed()
    },
  }
}

const line = (message: string, timeMs = 1_000) => JSON.stringify({ message, timeMs })

async function* chunksOf(text: string, bytes = 7) {
  const buffer = Buffer.from(text)
  for (let at = 0; at < buffer.length; at += bytes) yield buffer.subarray(at, at + bytes)
}

test('lines arrive whole, however the stream is cut', async () => {
  const lines = ['one', 'zwei: ü', 'three'].map((message) => line(message))
  for (const bytes of [1, 2, 3, 7, 1_000]) {
    const { run, records } = open()
    const report = await run(chunksOf(lines.join('\n'), bytes))
    expect(report).toEqual({ imported: 3, refusedTotal: 0, refused: [] })
    expect((await records()).map(({ message }) => message)).toEqual(['one', 'zwei: ü', 'three'])
  }
})

test('good lines are kept, bad ones are named by line number; empty ones do not count', async () => {
  const { run, records, stored } = open()
  const report = await run(chunksOf([line('one'), 'bad', '', line('!', 0.5), '\r', line('two')].join('\n')))
  expect(report.imported).toBe(2)
  expect(report.refused.map(({ line }) => line)).toEqual([2, 4])
  expect(report.refusedTotal).toBe(2)
  expect((await records()).map(({ message }) => message)).toEqual(['one', 'two'])
  expect(stored).toMatchObject([{ kind: 'records', site: 'eu', host: 'node-1', fromMs: 0.5, toMs: 1_000 }])
})

test('only so many refused lines are listed', async () => {
  const { run } = open()
  const report = await run(chunksOf('bad\n'.repeat(REFUSALS_LISTED_MAX + 5), 1_000))
  expect(report.refused).toHaveLength(REFUSALS_LISTED_MAX)
  expect(report.refusedTotal).toBe(REFUSALS_LISTED_MAX + 5)
})

test('a line that is too long is refused and forgotten while it is read', async () => {
  const { run, records } = open()
  async function* long() {
    for (let count = 0; count < 5; count++) yield Buffer.alloc(IMPORT_LINE_BYTES_MAX / 4 + 1, 'x')
    yield Buffer.from(`\n${line('after')}\n`)
  }
  expect(await run(long())).toMatchObject({ imported: 1, refused: [{ line: 1 }] })
  expect((await records()).map(({ message }) => message)).toEqual(['after'])
})

test('batches are bounded, numbered without holes, and every record has an id of its own', async () => {
  const { run, records, stored } = open()
  const text = Array.from({ length: 12_000 }, (_, index) => line(`m${index}`)).join('\n')
  expect((await run(chunksOf(text, 65_536))).imported).toBe(12_000)
  expect(stored.map(({ seq, records }) => [seq, records])).toEqual([
    [1, 5_000],
    [2, 5_000],
    [3, 2_000],
  ])
  expect(new Set((await records()).map(({ id }) => id)).size).toBe(12_000)
})

test('large lines close a batch early', async () => {
  const { run, stored } = open()
  await run(chunksOf(Array.from({ length: 8 }, () => line('x'.repeat(300_000))).join('\n'), 65_536))
  expect(stored.map(({ records }) => records)).toEqual([4, 4])
})

describe('two imports', () => {
  test('are two streams', async () => {
    const { run, stored, records } = open()
    await run(chunksOf(line('one')))
    await run(chunksOf(line('one')))
    expect(new Set(stored.map(({ collector, epoch }) => collector + epoch)).size).toBe(2)
    expect(await records()).toHaveLength(2)
  })
})

test('the stream is not read on while the store is busy', async () => {
  const held = Promise.withResolvers<'stored'>()
  const asked = Promise.withResolvers<void>()
  const { run } = open(() => {
    asked.resolve()
    return held.promise
  })
  let read = 0
  async function* endless() {
    for (; read < 40_000; read++) yield Buffer.from(`${line('x')}\n`)
  }
  const running = run(endless())
  await asked.promise
  const before = read
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  expect(read).toBe(before)
  held.resolve('stored')
  expect((await running).imported).toBe(40_000)
})

test('a failure on the way says how much was kept', async () => {
  let calls = 0
  const { run } = open(async () => {
    if (++calls > 1) throw new ServiceError('DISK_FULL', 'no space', { bytes: 1 })
    return 'stored'
  })
  const text = Array.from({ length: 6_000 }, () => line('x')).join('\n')
  await expect(run(chunksOf(text, 65_536))).rejects.toMatchObject({
    code: 'DISK_FULL',
    details: { bytes: 1, imported: 5_000 },
  })
})

test('an aborted import ends', async () => {
  const { run } = open()
  await expect(run(chunksOf(line('one')), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
})
