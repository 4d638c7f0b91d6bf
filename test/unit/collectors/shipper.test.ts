import { expect, test, vi } from 'vitest'
import { createShipper } from '../../../collectors/shipper.ts'
import { decodeFrame } from '../../../core/wire.ts'
import { ServiceError } from '../../../core/errors.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createMemorySpool } from '../../support/memory-spool.ts'
import { draftOf } from '../../support/spool.ts'
import { quietLog } from '../../support/quiet-log.ts'

type Answer = (text: string, attempt: number) => Promise<void>

/** A shipper of batches of one line each to a destination that answers as told. */
async function setUp(texts: readonly string[], answer: Answer = () => Promise.resolve()) {
  const clock = createFakeClock()
  const spool = createMemorySpool(['d'])
  for (const text of texts) await spool.append(draftOf([text]), {})
  const received: { text: string; epoch: string; seq: number; atMs: number }[] = []
  const attempts: { text: string; atMs: number }[] = []
  const sender = {
    async send(frame: Uint8Array) {
      const { header, body } = await decodeFrame(frame)
      const text = body.toString().trimEnd()
      attempts.push({ text, atMs: clock.monotonicMs() })
      await answer(text, attempts.filter((other) => other.text === text).length)
      received.push({ text, epoch: header.epoch, seq: header.seq, atMs: clock.monotonicMs() })
    },
  }
  const shipper = createShipper({ destination: 'd', spool, sender, clock, log: quietLog, random: () => 1 })
  shipper.start()
  /** Lets time pass until what the test waits for holds: frames are compressed in real time. */
  const until = (holds: () => void, stepMs = 100) =>
    vi.waitFor(
      async () => {
        await clock.advance(stepMs)
        holds()
      },
      { interval: 1, timeout: 5_000 },
    )
  return {
    clock,
    spool,
    shipper,
    received,
    attempts,
    until,
    texts: () => received.map(({ text }) => text).toSorted(),
  }
}

const failure = (
  code: 'UNREACHABLE' | 'OVERLOADED' | 'SEQUENCE_CONFLICT' | 'BATCH_MALFORMED' | 'DENIED',
  details = {},
) => Promise.reject(new ServiceError(code, `it is ${code}`, details))

test('every batch is delivered and acknowledged', async () => {
  const t = await setUp(['a', 'b', 'c', 'd', 'e', 'f'])
  await t.until(() => expect(t.texts()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']))
  await t.shipper.drained(AbortSignal.timeout(5_000))
  expect(t.shipper.status()).toEqual({ name: 'd', sent: 6, failures: 0, problem: null, refused: 0 })
  await t.shipper.stop()
})

test('while a destination fails, it is asked again with growing pauses and one batch at a time', async () => {
  const t = await setUp(['a', 'b'], (_, attempt) =>
    attempt < 4 ? failure('UNREACHABLE') : Promise.resolve(),
  )
  await t.until(() => expect(t.texts()).toEqual(['a', 'b']))
  const pauses = t.attempts.slice(1).map(({ atMs }, i) => atMs - (t.attempts[i]?.atMs ?? 0))
  expect(pauses.filter((ms) => ms >= 900).length).toBeGreaterThanOrEqual(1)
  expect(t.shipper.status()).toMatchObject({ failures: 0, problem: null })
  await t.shipper.stop()
})

test('a destination that says when to come back is not asked before', async () => {
  const t = await setUp(['a'], (_, attempt) =>
    attempt === 1 ? failure('OVERLOADED', { retryAfterMs: 9_000 }) : Promise.resolve(),
  )
  await t.until(() => expect(t.shipper.status().problem).toBe('it is OVERLOADED'))
  const failedMs = t.attempts[0]?.atMs ?? 0
  await t.until(() => expect(t.texts()).toEqual(['a']), 500)
  expect((t.attempts[1]?.atMs ?? 0) - failedMs).toBeGreaterThanOrEqual(9_000)
  await t.shipper.stop()
})

test('a destination that never answers costs a deadline, not for ever', async () => {
  const t = await setUp(['a'], (_, attempt) =>
    attempt === 1 ? new Promise(() => undefined) : Promise.resolve(),
  )
  await t.until(() => expect(t.attempts).toHaveLength(1))
  await t.until(() => expect(t.texts()).toEqual(['a']), 10_000)
  await t.shipper.stop()
})

test('after a conflict of numbers what is not acknowledged gets new ones', async () => {
  let conflicts = 0
  const t = await setUp(['a', 'b'], () =>
    conflicts++ === 0 ? failure('SEQUENCE_CONFLICT') : Promise.resolve(),
  )
  const [first] = t.spool.headers
  await t.until(() => expect(t.texts()).toEqual(['a', 'b']))
  const renumbered = t.received.filter(({ epoch }) => epoch !== first?.epoch)
  expect(renumbered.map(({ seq }) => seq)).toContain(1)
  await t.shipper.stop()
})

test('a batch that is refused for what is in it stands aside and is tried again later', async () => {
  const t = await setUp(['bad', 'b', 'c'], (text, attempt) =>
    text === 'bad' && attempt === 1 ? failure('BATCH_MALFORMED') : Promise.resolve(),
  )
  await t.until(() => expect(t.texts()).toEqual(['b', 'c']))
  expect(t.shipper.status()).toMatchObject({ refused: 1, sent: 2 })
  await t.until(() => expect(t.texts()).toEqual(['b', 'bad', 'c']), 10_000)
  await t.shipper.stop()
})

test('a wrong token holds everything back and loses nothing', async () => {
  let allowed = false
  const t = await setUp(['a', 'b'], () => (allowed ? Promise.resolve() : failure('DENIED')))
  await t.until(() => expect(t.shipper.status().problem).toBe('it is DENIED'))
  allowed = true
  await t.until(() => expect(t.texts()).toEqual(['a', 'b']), 1_000)
  await t.shipper.stop()
})

test('what is on its way at the stop is given back', async () => {
  const t = await setUp(['a'], () => new Promise(() => undefined))
  await t.until(() => expect(t.attempts).toHaveLength(1))
  await t.shipper.stop()
  expect((await t.spool.take('d', AbortSignal.timeout(1_000))).seq).toBe(1)
})
