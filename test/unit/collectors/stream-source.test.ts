import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { createBatcher } from '../../../collectors/batcher.ts'
import { createStreamSource } from '../../../collectors/stream-source.ts'
import { parseConfig } from '../../../core/config.ts'
import { ServiceError } from '../../../core/errors.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createMemorySpool } from '../../support/memory-spool.ts'
import { quietLog } from '../../support/quiet-log.ts'

async function setUp() {
  const clock = createFakeClock()
  const spool = createMemorySpool()
  const config = { ...parseConfig(null, {}).collector, lineBytesMax: 300 }
  const batcher = createBatcher({
    spool,
    host: 'h1',
    bounds: config.batch,
    clock,
    log: quietLog,
    random: () => 0,
  })
  const input = new PassThrough()
  const source = createStreamSource({ input, source: { path: '' }, config, batcher, clock, log: quietLog })
  await source.start()
  const numbered = (count: number) =>
    vi.waitFor(
      async () => {
        await clock.advance(100)
        expect(spool.lines()).toHaveLength(count)
      },
      { interval: 1 },
    )
  return { clock, spool, batcher, input, source, numbered }
}

test('lines are put together however the stream is cut into chunks', async () => {
  const { input, spool, numbered } = await setUp()
  for (const chunk of ['on', 'e\ntw', 'o\n', '\nthree', '\nlast']) input.write(chunk)
  input.end()
  await numbered(5)
  expect(spool.lines().map(({ text, offset }) => [text, offset])).toEqual([
    ['one', 0],
    ['two', 4],
    ['', 8],
    ['three', 9],
    ['last', 15],
  ])
})

test('a line that is too long is cut, also over many chunks', async () => {
  const { input, spool, numbered } = await setUp()
  for (let i = 0; i < 10; i++) input.write('x'.repeat(100))
  input.end(`\n${'y'.repeat(301)}\nend\n`)
  await numbered(3)
  expect(spool.lines().map(({ text, cutFrom, offset }) => [text.length, cutFrom, offset])).toEqual([
    [300, 1_000, 0],
    [300, 301, 1_001],
    [3, undefined, 1_303],
  ])
})

test('while the spool is full the stream is not read on', async () => {
  const { input, spool, batcher, clock, numbered } = await setUp()
  spool.refusal = new ServiceError('OVERLOADED', 'the spool is full')
  let written = 0
  const chunk = `${'x'.repeat(200)}\n`.repeat(1_000)
  for (; written < 100; written++) {
    if (!input.write(chunk))
      await Promise.race([new Promise((resolve) => input.once('drain', resolve)), clock.advance(200)])
    if (input.writableLength > 1 << 20) break
  }
  expect(written).toBeLessThan(50)
  expect(batcher.stats().held).toBe('the spool is full')
  spool.refusal = null
  await clock.advance(5_000)
  input.end()
  await numbered((written + 1) * 1_000)
})

test('an unfinished line is given when the source stops', async () => {
  const { input, source, spool, numbered } = await setUp()
  input.write('one\nunfinished')
  await numbered(1)
  await source.stop()
  await numbered(2)
  expect(spool.lines().at(-1)?.text).toBe('unfinished')
})
