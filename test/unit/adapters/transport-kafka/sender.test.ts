import { expect, test } from 'vitest'
import { createSender, type KafkaSenderOptions } from '../../../../adapters/transport-kafka/sender.ts'
import type { KafkaAdmin, KafkaClient, KafkaProducer } from '../../../../adapters/transport-kafka/types.ts'
import { shardOf } from '../../../../core/shard.ts'
import { someMark } from '../../../contracts/transport.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createFakeKafka } from '../../../support/fake-kafka.ts'
import { createLineLog, never } from '../../../support/kafka-memory.ts'

type Sent = Parameters<KafkaProducer['send']>[0]
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** A sender whose producers the test leads: each send waits until it is ended. */
function underTest(fields: Partial<KafkaSenderOptions> = {}, admin: Partial<KafkaAdmin> = {}) {
  const clock = createFakeClock()
  const log = createLineLog()
  const sent: (Sent & { producer: number; end: (error?: Error) => void })[] = []
  const left: number[] = []
  let producers = 0
  const client: KafkaClient = {
    ...createFakeKafka(6).client,
    admin: async () => ({ ...(await createFakeKafka(6).client.admin()), ...admin }),
    async producer() {
      const producer = producers++
      return {
        send(message) {
          const { promise, resolve, reject } = Promise.withResolvers<void>()
          const end = (error?: Error) => (error === undefined ? resolve() : reject(error))
          sent.push({ ...message, producer, end })
          return promise
        },
        async disconnect() {
          left.push(producer)
        },
      }
    },
  }
  const connection = { brokers: ['k:1'], prefix: 'n', clientId: 'c', sasl: null, tls: null }
  const topics = { partitions: 6, replication: 1, retentionMs: 1, segmentMs: 1 }
  const sender = createSender(
    { connection, topics, site: 'eu', host: 'web-1', clock, log, ...fields },
    client,
  )
  return { sender, clock, log, sent, left }
}

test('frames and marks of a collector go to one partition, under its key', async () => {
  const { sender, sent } = underTest()
  const sending = [sender.send(Buffer.from('x'), never()), sender.sendMark(someMark(), never())]
  await settle()
  const partition = shardOf('eu/web-1', 6)
  expect(sent).toMatchObject([
    { topic: 'n.logs', partition, key: 'eu/web-1', type: 'frame', value: Buffer.from('x') },
    { topic: 'n.logs', partition, key: 'eu/web-1', type: 'mark' },
  ])
  expect(JSON.parse(String(sent[1]?.value))).toEqual(someMark())
  for (const { end } of sent) end()
  await Promise.all(sending)
})

test('a send that the library never ends is given up after its deadline', async () => {
  const { sender, clock } = underTest({ sendTimeoutMs: 5_000 })
  const sending = sender.send(Buffer.from('x'), never()).catch((error: unknown) => error)
  await clock.advance(5_000)
  expect(await sending).toMatchObject({ code: 'UNREACHABLE', details: { retryAfterMs: 1_000 } })
  expect(clock.timers).toBe(0)
})

test('an aborted send rejects at once', async () => {
  const { sender } = underTest()
  const controller = new AbortController()
  const sending = sender.send(Buffer.from('x'), controller.signal)
  await settle()
  controller.abort(new Error('enough'))
  await expect(sending).rejects.toThrow('enough')
})

test('after a failure a new connection is made, and the old one leaves when it has nothing to do', async () => {
  const { sender, sent, left } = underTest()
  const first = sender.send(Buffer.from('first'), never()).catch((error: unknown) => error)
  const second = sender.send(Buffer.from('second'), never())
  await settle()
  sent[0]?.end(Object.assign(new Error('gone'), { code: 'ECONNRESET' }))
  expect(await first).toMatchObject({ code: 'UNREACHABLE' })
  expect(left).toEqual([])
  const third = sender.send(Buffer.from('third'), never())
  await settle()
  sent[1]?.end()
  sent[2]?.end()
  await Promise.all([second, third])
  expect(sent.map(({ producer }) => producer)).toEqual([0, 0, 1])
  expect(left).toEqual([0])
})

test('what the library holds is bounded, also of sends that were given up', async () => {
  const { sender, clock, sent } = underTest({ sendTimeoutMs: 1_000, messageBytesMax: 8 << 20 })
  const frame = Buffer.alloc(7 << 20)
  const sends = [1, 2, 3].map(() => sender.send(frame, never()).catch((error: unknown) => error))
  await clock.advance(1_000)
  expect(sent).toHaveLength(2)
  expect(await Promise.all(sends)).toMatchObject([1, 2, 3].map(() => ({ code: 'UNREACHABLE' })))
  const later = sender.send(frame, never())
  sent[0]?.end()
  await settle()
  expect(sent).toHaveLength(3)
  sent[2]?.end()
  await later
})

test('a topic that takes less than we send is told once, and larger frames are refused', async () => {
  const topicConfig = async () => new Map([['max.message.bytes', '100000']])
  const { sender, log, sent } = underTest({}, { topicConfig })
  const sending = sender.send(Buffer.from('x'), never())
  await settle()
  sent[0]?.end()
  await sending
  expect(log.lines).toHaveLength(1)
  expect(log.lines[0]).toContain('the topic takes smaller messages than we send')
  const error: unknown = await sender.send(Buffer.alloc(99_000), never()).catch((error: unknown) => error)
  expect(error).toMatchObject({ code: 'BATCH_TOO_LARGE', details: { bytes: 99_000, bytesMax: 98_976 } })
})

test('a topic that is missing and may not be made is told as that', async () => {
  const createTopic = () =>
    Promise.reject(Object.assign(new Error('not authorized'), { type: 'CLUSTER_AUTHORIZATION_FAILED' }))
  const partitions = () =>
    Promise.reject(Object.assign(new Error('x'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' }))
  const missing = underTest({}, { createTopic, partitions })
  await expect(missing.sender.send(Buffer.from('x'), never())).rejects.toMatchObject({ code: 'DENIED' })
  const { sender, sent } = underTest({}, { createTopic })
  const sending = sender.send(Buffer.from('x'), never())
  await settle()
  sent[0]?.end()
  await sending
})
