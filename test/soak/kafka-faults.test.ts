import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { ServiceError } from '../../core/errors.ts'
import { startKafka, type KafkaBroker } from '../support/engines/kafka.ts'
import { connectionTo, createCountingIntake, intakeFrom, senderTo, startLoad } from '../support/kafka.ts'

/** A store that fails now and then, and otherwise takes its time. */
function createUnreliableStore(random: () => number) {
  return createCountingIntake(async () => {
    await systemClock.sleep(random() * 500)
    if (random() < 0.02)
      throw new ServiceError('STORE_UNAVAILABLE', 'the store is away', { retryAfterMs: 100 })
  })
}

describe('Kafka that fails for long', () => {
  let broker: KafkaBroker
  beforeAll(async () => {
    broker = await startKafka()
  })
  afterAll(() => broker[Symbol.asyncDispose]())

  /** Load over a fault with `members` readers: every frame that was taken is stored at last. */
  async function survives(
    members: number,
    fault: (replace: (index: number, signal: AbortSignal) => Promise<void>) => Promise<void>,
  ) {
    const connection = connectionTo(broker.brokers)
    const sender = senderTo(connection, { sendTimeoutMs: 5_000 })
    onTestFinished(() => sender.close())
    const intake = createUnreliableStore(Math.random)
    const open = () => intakeFrom(connection, { intake })
    const readers = Array.from({ length: members }, open)
    async function replace(index: number, signal: AbortSignal) {
      await readers[index]?.stop(signal)
      readers[index] = open()
      await readers[index].start()
    }
    onTestFinished(
      async () => void (await Promise.all(readers.map((reader) => reader.stop(AbortSignal.abort())))),
    )
    await Promise.all(readers.map((reader) => reader.start()))
    const load = startLoad(sender)
    await intake.arrived(100)
    await fault(replace)
    await intake.arrived(intake.frames.size + 100)
    const sent = await load.stop()
    await intake.arrived(sent)
    expect(intake.frames.size).toBe(sent)
    for (const reader of readers)
      await expect.poll(() => reader.status(), { timeout: 60_000 }).toMatchObject([{ ok: true }])
  }

  test('a broker that stands still for 30 s loses nothing', async () => {
    await survives(2, async () => {
      broker.signal('SIGSTOP')
      await systemClock.sleep(30_000)
      broker.signal('SIGCONT')
    })
  })

  test('five kill -9 in a row lose nothing', async () => {
    await survives(2, async () => {
      for (let round = 0; round < 5; round++) {
        await broker.kill()
        await broker.start()
        await systemClock.sleep(Math.random() * 5_000)
      }
    })
  })

  test('readers that come and go, some in the middle of their work, lose nothing', async () => {
    await survives(3, async (replace) => {
      for (let round = 0; round < 10; round++) {
        await replace(round % 3, round % 2 === 0 ? AbortSignal.abort() : AbortSignal.timeout(5_000))
        await systemClock.sleep(3_000)
      }
    })
  })
})
