import { expect, test } from 'vitest'
import { createHealthReader } from '../../../../adapters/transport-kafka/health-reader.ts'
import { createSender } from '../../../../adapters/transport-kafka/sender.ts'
import type { KafkaAdmin, KafkaClient, KafkaProducer } from '../../../../adapters/transport-kafka/types.ts'
import { HEALTH_BYTES_MAX, type HealthReport } from '../../../../core/health.ts'
import type { Origin } from '../../../../core/ports.ts'
import { shardOf } from '../../../../core/shard.ts'
import { someCheck, someReport } from '../../../contracts/transport.ts'
import { noMetrics } from '../../../support/aggregator.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createFakeKafka } from '../../../support/fake-kafka.ts'
import { createLineLog, never } from '../../../support/kafka-memory.ts'

type Sent = Parameters<KafkaProducer['send']>[0]
const settle = () => new Promise((resolve) => setImmediate(resolve))
const connection = { brokers: ['k:1'], prefix: 'n', clientId: 'c', sasl: null, tls: null }
const topics = { partitions: 6, replication: 1, retentionMs: 1, segmentMs: 1 }
const at = (sentAtMs: number) => someReport({ sentAtMs })
const sentAtOf = ({ value }: Sent) => (JSON.parse(String(value)) as HealthReport).sentAtMs

/** A sender whose producers the test leads: each send waits until it is ended. */
function sending(admin: Partial<KafkaAdmin> = {}) {
  const clock = createFakeClock()
  const sent: (Sent & { producer: number; end: (error?: Error) => void })[] = []
  const left: number[] = []
  const made: Parameters<KafkaAdmin['createTopic']>[] = []
  let producers = 0
  const client: KafkaClient = {
    ...createFakeKafka(4).client,
    admin: async () => ({
      ...(await createFakeKafka(4).client.admin()),
      async createTopic(...topic) {
        made.push(topic)
        return true
      },
      ...admin,
    }),
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
  const options = { connection, topics, site: 'eu', host: 'web-1', clock, log: createLineLog() }
  return { sender: createSender(options, client), clock, sent, left, made }
}

test('a report goes to a topic of its own, which forgets soon, under the key of its host', async () => {
  const { sender, sent, made } = sending()
  const sendingReport = sender.sendHealth(at(1), never())
  await settle()
  const partition = shardOf('eu/web-1', 4)
  expect(sent).toMatchObject([
    { topic: 'n.health', partition, key: 'eu/web-1', type: 'health', acks: 'leader' },
  ])
  sent[0]?.end()
  await sendingReport
  const [topic, options, config] = made[0] ?? []
  expect([topic, options?.partitions, made.length]).toEqual(['n.health', 4, 1])
  expect(config).toMatchObject({ 'retention.ms': '300000', 'segment.ms': '60000' })
})

test('there is never a backlog: the newest report replaces the one that waits', async () => {
  const { sender, sent } = sending()
  const results = [1, 2, 3, 4].map((ms) =>
    sender.sendHealth(at(ms), never()).then(
      () => 'sent',
      (error: { code: string }) => error.code,
    ),
  )
  await settle()
  sent[0]?.end()
  await settle()
  sent[1]?.end()
  expect(await Promise.all(results)).toEqual(['sent', 'OVERLOADED', 'OVERLOADED', 'sent'])
  expect(sent.map(sentAtOf)).toEqual([1, 4])
})

test('a broker that does not answer costs 2 s, and the next report goes over a new connection', async () => {
  const { sender, clock, sent, left } = sending()
  const first = sender.sendHealth(at(1), never()).catch((error: unknown) => error)
  await settle()
  await clock.advance(2_000)
  expect(await first).toMatchObject({ code: 'UNREACHABLE' })
  const second = sender.sendHealth(at(2), never())
  await settle()
  sent[1]?.end()
  await second
  expect([sent.map(({ producer }) => producer), left]).toEqual([[0, 1], [0]])
})

test('a report does not wait for a batch on its way, nor a batch for a report', async () => {
  const { sender, sent } = sending()
  const stop = new AbortController()
  const batch = sender.send(Buffer.from('frame'), stop.signal).catch(() => undefined)
  await settle()
  const report = sender.sendHealth(at(1), never())
  await settle()
  expect(sent.map(({ type, producer }) => [type, producer])).toEqual([
    ['frame', 0],
    ['health', 1],
  ])
  sent[1]?.end()
  await report
  stop.abort()
  await batch
})

test('a closed sender leaves both connections', async () => {
  const { sender, sent, left, clock } = sending()
  const report = sender.sendHealth(at(1), never())
  await settle()
  sent[0]?.end()
  await report
  const closing = sender.close()
  await clock.advance(2_000)
  await closing
  expect(left).toEqual([0])
})

/** A reader of one cluster; while `down` every connection is refused. */
async function reading() {
  const clock = createFakeClock()
  const log = createLineLog()
  const kafka = createFakeKafka(1)
  const taken: { report: HealthReport; origin: Origin }[] = []
  const hearing: string[] = []
  const broken = { down: false }
  const client: KafkaClient = {
    ...kafka.client,
    async admin() {
      if (broken.down) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
      return kafka.client.admin()
    },
  }
  const reader = createHealthReader(
    {
      clusters: [{ site: 'eu', connection, topics }],
      groupId: 'noctule-health-77',
      take: (report, origin) => void taken.push({ report, origin }),
      onHearing: (site, hears) => void hearing.push(`${site} ${hears}`),
      clock,
      log,
      metrics: noMetrics,
    },
    () => client,
  )
  /** The newest member reads everything. */
  async function fetch() {
    const member = kafka.members.at(-1)
    if (member === undefined) return
    member.options.onAlive()
    await kafka.fetch(member, 0, 1_000)
  }
  return { clock, log, kafka, taken, hearing, broken, reader, fetch }
}

const bytesOf = (report: unknown) => Buffer.from(JSON.stringify(report))

test('reads from the end, as the site of the cluster, in a group of its own', async () => {
  const { clock, kafka, taken, reader, fetch } = await reading()
  kafka.append(0, 'health', bytesOf(at(1)))
  await reader.start()
  await clock.advance(1)
  kafka.assign([0])
  kafka.append(0, 'health', bytesOf({ ...at(2), site: 'elsewhere' }))
  await fetch()
  expect(taken).toMatchObject([
    { report: { sentAtMs: 2, host: 'web-1' }, origin: { site: 'eu', sender: 'n.health/0@1' } },
  ])
  expect(kafka.members[0]?.options).toMatchObject({
    topic: 'n.health',
    groupId: 'n.noctule-health-77',
    from: 'end',
  })
  expect([...kafka.committed]).toEqual([])
  expect(reader.status()).toEqual([{ cluster: 'eu', ok: true, detail: 'reports of health are read' }])
  await reader.stop(AbortSignal.abort())
  expect(kafka.members[0]?.gone).toBe(true)
})

test('what is no report costs nothing behind it; a part that cannot be read costs that part alone', async () => {
  const { clock, kafka, taken, reader, fetch } = await reading()
  await reader.start()
  await clock.advance(1)
  kafka.assign([0])
  kafka.append(0, 'health', Buffer.from('{'))
  kafka.append(0, 'health', bytesOf({ v: 2 }))
  kafka.append(0, 'frame', bytesOf(at(1)))
  kafka.append(0, 'health', bytesOf({ ...at(1), padding: 'x'.repeat(HEALTH_BYTES_MAX) }))
  const checks = [someCheck({ state: 'fail' }), { name: 'newer', state: 'purple' }, 7]
  kafka.append(0, 'health', bytesOf({ ...at(2), facts: { cpu: 'many' }, checks }))
  await fetch()
  expect(taken.map(({ report }) => report.sentAtMs)).toEqual([2])
  const report = taken[0]?.report
  expect(report?.facts).toBeNull()
  expect(report?.checks.map(({ name, state }) => [name, state])).toEqual([
    ['shop-http', 'fail'],
    ['newer', 'unknown'],
    ['unreadable', 'unknown'],
  ])
  await reader.stop(AbortSignal.abort())
})

test('a cluster that is away is told once, said to be unheard, and read when it is back', async () => {
  const { clock, log, kafka, taken, hearing, broken, reader, fetch } = await reading()
  broken.down = true
  await reader.start()
  await clock.advance(60_000)
  expect(log.lines).toHaveLength(1)
  expect(reader.status()).toMatchObject([{ cluster: 'eu', ok: false }])
  expect(hearing).toEqual(['eu false'])
  broken.down = false
  await clock.advance(10_000)
  kafka.assign([0])
  kafka.append(0, 'health', bytesOf(at(3)))
  await fetch()
  expect([taken.length, hearing.slice(0, 2)]).toEqual([1, ['eu false', 'eu true']])
  await reader.stop(AbortSignal.abort())
})

test('without a sign of life it says that it is deaf, and at last begins anew', async () => {
  const { clock, kafka, hearing, reader, fetch } = await reading()
  await reader.start()
  await clock.advance(1)
  kafka.assign([0])
  await clock.advance(2_500)
  expect(hearing).toEqual(['eu false'])
  await fetch()
  await clock.advance(1_000)
  expect(hearing).toEqual(['eu false', 'eu true'])
  await clock.advance(30_000)
  expect(kafka.members.length).toBe(2)
  expect(kafka.members[0]?.gone).toBe(true)
  kafka.members[1]?.options.onCrash(new Error('the library gave up'))
  await clock.advance(2_000)
  expect(kafka.members.length).toBe(3)
  await reader.stop(AbortSignal.abort())
})
