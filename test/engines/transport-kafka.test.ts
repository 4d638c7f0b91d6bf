import { afterAll, expect, onTestFinished, test } from 'vitest'
import type { KafkaConnection, KafkaIntakeOptions } from '../../adapters/transport-kafka.ts'
import { shardOf } from '../../core/shard.ts'
import { systemClock } from '../../core/clock.ts'
import type { Intake, TransportSender } from '../../core/ports.ts'
import { ServiceError } from '../../core/errors.ts'
import { someReport, transportContract } from '../contracts/transport.ts'
import { frameOf } from '../support/aggregator.ts'
import { describeWithKafka, kafkaBrokers } from '../support/engines/under-test.ts'
import { randomPrefix } from '../support/engines/prefix.ts'
import { createLineLog, createMemoryQuarantine, never } from '../support/kafka-memory.ts'
import {
  connectionTo,
  createCountingIntake,
  createLossList,
  healthFrom,
  intakeFrom,
  senderTo,
  strangerOf,
  topicConfigOf,
  TOPICS,
} from '../support/kafka.ts'

const soon = () => AbortSignal.timeout(10_000)

/** Starts an intake that is stopped when the test has finished. */
async function reading(
  connection: KafkaConnection,
  fields: Partial<KafkaIntakeOptions> & Pick<KafkaIntakeOptions, 'intake'>,
) {
  const intake = intakeFrom(connection, fields)
  onTestFinished(() => intake.stop(AbortSignal.abort()))
  await intake.start()
  return intake
}

function sending(connection: KafkaConnection, fields: Parameters<typeof senderTo>[1] = {}) {
  const sender = senderTo(connection, fields)
  onTestFinished(() => sender.close())
  return sender
}

async function produce(
  connection: KafkaConnection,
  messages: { value: Buffer | string | null; type?: string }[],
) {
  const producer = strangerOf(connection).producer()
  await producer.connect()
  await producer.send({
    topic: `${connection.prefix}.logs`,
    messages: messages.map(({ value, type }) => ({
      value,
      partition: 0,
      ...(type === undefined ? {} : { headers: { type } }),
    })),
  })
  await producer.disconnect()
}

const PROBE = 'probe'

/** Reports are read from the end: sends some until one arrives. */
async function probe(sender: TransportSender, arrived: Promise<void>) {
  let reads = false
  void arrived.then(() => (reads = true))
  while (!reads) {
    await sender.sendHealth(someReport({ host: PROBE }), never()).catch(() => undefined)
    await Promise.race([arrived, systemClock.sleep(100)])
  }
}

describeWithKafka('Kafka', () => {
  // One connection for all tests of the contract, each with an intake of its own: joining a group takes a second.
  let current: Intake | null = null
  const shared = connectionTo(kafkaBrokers)
  const forwarding: Intake = {
    batch: (frame, origin, signal) => current?.batch(frame, origin, signal) ?? Promise.resolve('stored'),
    mark: (mark, origin) => current?.mark(mark, origin) ?? Promise.resolve(),
    health(report, origin) {
      if (report.host === PROBE) probed.resolve()
      else current?.health(report, origin)
    },
  }
  let probing = false
  const probed = Promise.withResolvers<void>()
  const sharedIntake = intakeFrom(shared, { intake: forwarding })
  const sharedHealth = healthFrom(shared, {
    take: (report, origin) => forwarding.health(report, origin),
  })
  afterAll(async () => {
    await sharedIntake.stop(AbortSignal.abort())
    await sharedHealth.stop(AbortSignal.abort())
  })
  transportContract(
    'Kafka',
    async (intake) => {
      current = intake
      await sharedIntake.start()
      if (!probing) await sharedHealth.start()
      probing = true
      const sender = senderTo(shared)
      await probe(sender, probed.promise)
      return { sender, close: () => sender.close() }
    },
    { frameBytesMax: 900_000 },
  )

  test('the broker says when a batch came, and the origin names the message', async () => {
    const connection = connectionTo(kafkaBrokers)
    const origin = Promise.withResolvers<object>()
    const intake: Intake = {
      async batch(_, from) {
        origin.resolve(from)
        return 'stored'
      },
      async mark() {},
      health() {},
    }
    await reading(connection, { intake })
    const beforeMs = Date.now()
    await sending(connection).send(Buffer.from('x'), never())
    const partition = shardOf('eu/web-1', TOPICS.partitions)
    const { arrivedAtMs, ...rest } = (await origin.promise) as { arrivedAtMs: number }
    expect(rest).toEqual({ site: 'eu', sender: `${connection.prefix}.logs/${partition}@0` })
    expect(Math.abs(arrivedAtMs - beforeMs)).toBeLessThan(20_000)
  })

  test('what was stored and committed does not come again; after a forgotten group everything does', async () => {
    const connection = connectionTo(kafkaBrokers)
    const sender = sending(connection)
    const texts = Array.from({ length: 30 }, (_, index) => `frame ${index}`)
    await Promise.all(texts.map((text) => sender.send(Buffer.from(text), never())))
    const intake = createCountingIntake()
    const first = await reading(connection, { intake })
    await intake.arrived(30)
    await first.stop(soon())
    expect([...intake.frames.values()].every((times) => times === 1)).toBe(true)

    const again = createCountingIntake()
    const second = await reading(connection, { intake: again })
    await sender.send(Buffer.from('news'), never())
    await again.arrived(1)
    await second.stop(soon())
    expect([...again.frames.keys()]).toEqual(['news'])

    await reading(connection, { intake, groupId: randomPrefix() })
    await intake.arrived(31)
    expect([...intake.frames.values()].filter((times) => times === 2)).toHaveLength(30)
  })

  test('nothing is committed before it is stored', async () => {
    const connection = connectionTo(kafkaBrokers)
    const sender = sending(connection)
    const arrived = Promise.withResolvers<void>()
    const stuck = createCountingIntake((text) => {
      if (text !== 'stuck') return Promise.resolve()
      arrived.resolve()
      return new Promise(() => {})
    })
    for (const text of ['a', 'stuck', 'b', 'c']) await sender.send(Buffer.from(text), never())
    const first = await reading(connection, { intake: stuck })
    await Promise.all([arrived.promise, stuck.arrived(3)])
    await first.stop(AbortSignal.abort())
    const intake = createCountingIntake()
    await reading(connection, { intake })
    // The first was stored; whether that was committed before the reader had to go is a matter of luck.
    const again = () => [...intake.frames.keys()].filter((text) => text !== 'a')
    await expect.poll(again, { timeout: 30_000 }).toEqual(['stuck', 'b', 'c'])
  })

  test('foreign bytes go to the quarantine, once, and do not stop what is behind them', async () => {
    const connection = connectionTo(kafkaBrokers)
    await sending(connection).send(Buffer.from('first'), never())
    await produce(connection, [
      { value: 'no type' },
      { value: 'other', type: 'invoice' },
      { value: '{"v":1}', type: 'mark' },
      { value: null, type: 'frame' },
      { value: 'ours', type: 'frame' },
    ])
    const intake = createCountingIntake()
    const quarantine = createMemoryQuarantine()
    await reading(connection, { intake, quarantine })
    await intake.arrived(2)
    await reading(connection, { intake, quarantine, groupId: randomPrefix() })
    await expect.poll(() => intake.frames.get('ours'), { timeout: 20_000 }).toBe(2)
    const texts = quarantine.entries.map(({ sender, text }) => [
      Buffer.from(text, 'base64').toString(),
      sender,
    ])
    const firstOffset = shardOf('eu/web-1', TOPICS.partitions) === 0 ? 1 : 0
    const senders = ['no type', 'other', '{"v":1}', ''].map((text, index) => [
      text,
      `${connection.prefix}.logs/0@${firstOffset + index}`,
    ])
    expect(texts).toHaveLength(4)
    expect(Object.fromEntries(texts)).toEqual(Object.fromEntries(senders))
  })

  test('every line of a batch whose number is taken stands in the quarantine', async () => {
    const connection = connectionTo(kafkaBrokers)
    const quarantine = createMemoryQuarantine()
    const conflict = () => Promise.reject(new ServiceError('SEQUENCE_CONFLICT', 'the number is taken'))
    await reading(connection, {
      intake: { batch: conflict, mark: async () => {}, health: () => {} },
      quarantine,
    })
    await sending(connection).send(await frameOf(['one', 'two']), never())
    await expect.poll(() => quarantine.entries.length, { timeout: 20_000 }).toBe(2)
    expect(quarantine.entries).toMatchObject([
      { text: 'one', reason: 'SEQUENCE_CONFLICT: the number is taken' },
      { text: 'two' },
    ])
  })

  test('every reader gets every report, from its start on, and nobody commits', async () => {
    const connection = connectionTo(kafkaBrokers)
    const sender = sending(connection)
    await sender.sendHealth(someReport({ host: 'before' }), never())
    const reports = [new Map<string, string>(), new Map<string, string>()]
    const arrived = reports.map(() => Promise.withResolvers<void>())
    for (const [index, mine] of reports.entries()) {
      const take: Intake['health'] = ({ host }, { site, sender: from }) => {
        mine.set(host, `${site} ${from.split('/')[0]}`)
        if (host === PROBE) arrived[index]?.resolve()
      }
      const reader = healthFrom(connection, { take })
      onTestFinished(() => reader.stop(AbortSignal.abort()))
      await reader.start()
    }
    await probe(
      sender,
      Promise.all(arrived.map(({ promise }) => promise)).then(() => undefined),
    )
    await sender.sendHealth(someReport({ host: 'after' }), never())
    await expect.poll(() => reports.every((mine) => mine.has('after')), { timeout: 10_000 }).toBe(true)
    for (const mine of reports) expect(mine.get('after')).toBe(`eu ${connection.prefix}.health`)
    const kept = await topicConfigOf(connection, `${connection.prefix}.health`, [
      'retention.ms',
      'segment.ms',
    ])
    expect(kept).toEqual({
      'retention.ms': '300000',
      'segment.ms': '60000',
    })
  })

  test('several clusters are read at once, each as its site', async () => {
    const [eu, us] = [connectionTo(kafkaBrokers), connectionTo(kafkaBrokers)]
    const sites = new Map<string, string>()
    const both = Promise.withResolvers<void>()
    const intake: Intake = {
      async batch(frame, { site }) {
        sites.set(Buffer.from(frame).toString(), site)
        if (sites.size === 2) both.resolve()
        return 'stored'
      },
      async mark() {},
      health() {},
    }
    const clusters = [
      { site: 'eu', connection: eu, topics: TOPICS },
      { site: 'us', connection: us, topics: TOPICS },
    ]
    const running = await reading(eu, { intake, clusters })
    await sending(eu).send(Buffer.from('from eu'), never())
    await sending(us).send(Buffer.from('from us'), never())
    await both.promise
    expect(Object.fromEntries(sites)).toEqual({ 'from eu': 'eu', 'from us': 'us' })
    // A message may be handed over before the reader knows that it reads.
    await expect
      .poll(() => running.status())
      .toMatchObject([
        { cluster: 'eu', ok: true },
        { cluster: 'us', ok: true },
      ])
  })

  test('a cluster that is not there stops neither the others nor the start', async () => {
    const here = connectionTo(kafkaBrokers)
    const log = createLineLog()
    const intake = createCountingIntake()
    const clusters = [
      { site: 'gone', connection: connectionTo('127.0.0.1:1'), topics: TOPICS },
      { site: 'eu', connection: here, topics: TOPICS },
    ]
    const running = await reading(here, { intake, clusters, log })
    await sending(here).send(Buffer.from('x'), never())
    await intake.arrived(1)
    await expect.poll(() => log.lines.length, { timeout: 20_000 }).toBeGreaterThan(0)
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]).toContain('Kafka at 127.0.0.1:1: no answer')
    expect(running.status()).toMatchObject([
      { cluster: 'gone', ok: false, detail: expect.stringContaining('ECONNREFUSED') },
      { cluster: 'eu', ok: true },
    ])
    const sender = sending(connectionTo('127.0.0.1:1'))
    const failure = { code: 'UNREACHABLE', retryable: true, details: { retryAfterMs: 1_000 } }
    await expect(sender.send(Buffer.from('x'), never())).rejects.toMatchObject(failure)
  })

  test('an exclusive group takes one member; when that leaves, the next may start', async () => {
    const connection = connectionTo(kafkaBrokers)
    const intake = createCountingIntake()
    const first = await reading(connection, { intake, exclusive: true })
    const second = intakeFrom(connection, { intake, exclusive: true })
    await expect(second.start()).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    expect(first.status()).toMatchObject([{ ok: true }])
    await first.stop(soon())
    const third = await reading(connection, { intake, exclusive: true })
    expect(third.status()).toMatchObject([{ ok: true }])
  })

  test('members come and go: every frame is handed over, and hardly one twice', async () => {
    const connection = connectionTo(kafkaBrokers)
    const senders = Array.from({ length: 6 }, (_, index) => sending(connection, { host: `web-${index}` }))
    const intake = createCountingIntake()
    const first = await reading(connection, { intake })
    let sent = 0
    const send = async (count: number) => {
      for (let index = 0; index < count; index++)
        await senders[sent % senders.length]?.send(Buffer.from(`frame ${sent++}`), never())
    }
    await send(60)
    const second = await reading(connection, { intake })
    await send(60)
    await expect.poll(() => first.status()[0]?.detail, { timeout: 20_000 }).not.toContain('3 partitions')
    await send(60)
    await first.stop(soon())
    await send(60)
    await intake.arrived(240)
    await second.stop(soon())
    expect(intake.frames.size).toBe(240)
    expect([...intake.frames.values()].filter((times) => times > 1).length).toBeLessThan(60)
  })

  test('what retention took before it was read is told with its offsets', async () => {
    const connection = connectionTo(kafkaBrokers)
    const sender = sending(connection)
    const intake = createCountingIntake()
    const { losses, onLost } = createLossList()
    const before = await reading(connection, { intake, onLost })
    await sender.send(Buffer.from('read'), never())
    await intake.arrived(1)
    await before.stop(soon())
    for (const text of ['lost 1', 'lost 2', 'kept']) await sender.send(Buffer.from(text), never())
    const partition = shardOf('eu/web-1', TOPICS.partitions)
    const admin = strangerOf(connection).admin()
    await admin.connect()
    const topic = `${connection.prefix}.logs`
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: '3' }] })
    await admin.disconnect()
    const log = createLineLog()
    await reading(connection, { intake, onLost, log })
    await intake.arrived(2)
    expect(losses).toEqual([{ site: 'eu', topic, partition, fromOffset: 1, toOffset: 3 }])
    expect(log.lines.filter((line) => line.includes('messages are lost'))).toHaveLength(1)
    expect([...intake.frames.keys()]).toEqual(['read', 'kept'])
  })

  test('a topic that is not as configured is used and told in one line', async () => {
    const connection = connectionTo(kafkaBrokers)
    const admin = strangerOf(connection).admin()
    await admin.connect()
    const topic = `${connection.prefix}.logs`
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })
    await admin.disconnect()
    const log = createLineLog()
    const sender = sending(connection, { log })
    await sender.send(Buffer.from('x'), never())
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]).toContain('partitions is 2, configured is 3')
    expect(log.lines[0]).toContain('message.timestamp.type is CreateTime, configured is LogAppendTime')
  })

  test('a slow store does not limit how much is stored at once', async () => {
    const connection = connectionTo(kafkaBrokers)
    const sender = sending(connection)
    await Promise.all(
      Array.from({ length: 60 }, (_, index) => sender.send(Buffer.from(`frame ${index}`), never())),
    )
    let running = 0
    let most = 0
    const intake = createCountingIntake(async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 300))
      running--
    })
    await reading(connection, { intake })
    await intake.arrived(60)
    expect(most).toBeGreaterThan(20)
  })
})
