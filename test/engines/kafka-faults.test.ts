import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { startKafka, type KafkaBroker } from '../support/engines/kafka.ts'
import { describeWithKafka } from '../support/engines/under-test.ts'
import {
  connectionTo,
  createCountingIntake,
  intakeFrom,
  senderTo,
  startLoad,
  strangerOf,
} from '../support/kafka.ts'

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

  test('a topic that is deleted is made anew, and reading goes on', async () => {
    const connection = connectionTo(broker.brokers)
    const sender = senderTo(connection)
    onTestFinished(() => sender.close())
    const intake = createCountingIntake()
    const reading = intakeFrom(connection, { intake })
    onTestFinished(() => reading.stop(AbortSignal.abort()))
    await reading.start()
    const load = startLoad(sender)
    await intake.arrived(50)
    const admin = strangerOf(connection).admin()
    await admin.connect()
    await admin.deleteTopics({ topics: [`${connection.prefix}.logs`] })
    await admin.disconnect()
    await intake.arrived(intake.frames.size + 200)
    await load.stop()
    await expect.poll(() => reading.status(), { timeout: 20_000 }).toMatchObject([{ ok: true }])
  })

  test('a broker that stands still for 10 s loses nothing', async () => {
    await survives(async () => {
      broker.signal('SIGSTOP')
      await systemClock.sleep(10_000)
      broker.signal('SIGCONT')
    })
  })
})
