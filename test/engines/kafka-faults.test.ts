import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { ServiceError } from '../../core/errors.ts'
import type { TransportSender } from '../../core/ports.ts'
import { startKafka, type KafkaBroker } from '../support/engines/kafka.ts'
import { describeWithKafka } from '../support/engines/under-test.ts'
import { never } from '../support/kafka-memory.ts'
import { connectionTo, createCountingIntake, intakeFrom, senderTo } from '../support/kafka.ts'

/** Sends numbered frames, four at a time, each until it is taken, as a spool would. */
function startLoad(sender: TransportSender) {
  let stopped = false
  let sent = 0
  const codes = new Set<string>()
  async function loop() {
    while (!stopped) {
      const frame = Buffer.from(`frame ${sent++}`)
      for (let taken = false; !taken;) {
        try {
          await sender.send(frame, never())
          taken = true
        } catch (error) {
          if (!(error instanceof ServiceError)) throw error
          codes.add(error.code)
          await systemClock.sleep(100)
        }
      }
      await systemClock.sleep(5)
    }
  }
  const loops = Promise.all([loop(), loop(), loop(), loop()])
  return {
    /** Codes of the failures so far. */
    codes,
    /** Ends it; resolves with how many frames were taken. */
    async stop() {
      stopped = true
      await loops
      return sent
    },
  }
}

describeWithKafka('Kafka that fails', () => {
  let broker: KafkaBroker
  beforeAll(async () => {
    broker = await startKafka()
  })
  afterAll(() => broker[Symbol.asyncDispose]())

  /** Load over a fault: every frame that was taken is handed over, at last, and everything goes on by itself. */
  async function survives(fault: () => Promise<void>) {
    const connection = connectionTo(broker.brokers)
    const sender = senderTo(connection, { sendTimeoutMs: 5_000 })
    onTestFinished(() => sender.close())
    const intake = createCountingIntake()
    const reading = intakeFrom(connection, { intake })
    onTestFinished(() => reading.stop(AbortSignal.abort()))
    await reading.start()
    const load = startLoad(sender)
    await intake.arrived(100)
    await fault()
    await intake.arrived(intake.frames.size + 100)
    const sent = await load.stop()
    await intake.arrived(sent)
    expect(intake.frames.size).toBe(sent)
    await expect.poll(() => reading.status()).toMatchObject([{ ok: true }])
    return load.codes
  }

  test('kill -9 and a restart under load lose nothing', async () => {
    const codes = await survives(async () => {
      await broker.kill()
      await broker.start()
    })
    expect([...codes].filter((code) => code !== 'UNREACHABLE' && code !== 'STORE_UNAVAILABLE')).toEqual([])
  })

  test('a broker that stands still for 10 s loses nothing', async () => {
    await survives(async () => {
      broker.signal('SIGSTOP')
      await systemClock.sleep(10_000)
      broker.signal('SIGCONT')
    })
  })
})
