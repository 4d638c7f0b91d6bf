import { expect, test } from 'vitest'
import { createIntake } from '../../../../adapters/transport-kafka/intake.ts'
import type { KafkaClient } from '../../../../adapters/transport-kafka/types.ts'
import { createScriptedIntake } from '../../../contracts/transport.ts'
import { noMetrics } from '../../../support/aggregator.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createFakeKafka } from '../../../support/fake-kafka.ts'
import { createLineLog, createMemoryQuarantine } from '../../../support/kafka-memory.ts'

/** An intake of one cluster; while `down` every connection is refused. */
function underTest(fields: { exclusive?: boolean } = {}) {
  const clock = createFakeClock()
  const log = createLineLog()
  const kafka = createFakeKafka(1)
  const intake = createScriptedIntake()
  const broken = { down: false, tries: 0 }
  const client: KafkaClient = {
    ...kafka.client,
    async admin() {
      broken.tries++
      if (broken.down) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
      return kafka.client.admin()
    },
  }
  const connection = { brokers: ['k:1'], prefix: 'n', clientId: 'c', sasl: null, tls: null }
  const topics = { partitions: 1, replication: 1, retentionMs: 1, segmentMs: 1 }
  const reading = createIntake(
    {
      clusters: [{ site: 'eu', connection, topics }],
      groupId: 'g',
      exclusive: false,
      intake,
      quarantine: createMemoryQuarantine(),
      clock,
      log,
      metrics: noMetrics,
      ...fields,
    },
    () => client,
  )
  return { clock, log, kafka, intake, broken, reading }
}

test('a cluster that is away is told once, tried again with pauses, and read when it is back', async () => {
  const { clock, log, kafka, intake, broken, reading } = underTest()
  broken.down = true
  await reading.start()
  await clock.advance(120_000)
  expect(broken.tries).toBeGreaterThan(5)
  expect(broken.tries).toBeLessThan(40)
  expect(log.lines).toHaveLength(1)
  expect(reading.status()).toEqual([
    { cluster: 'eu', ok: false, detail: 'Kafka at k:1: no answer: connect ECONNREFUSED' },
  ])
  broken.down = false
  await clock.advance(30_000)
  kafka.assign([0])
  kafka.append(0, 'frame')
  await clock.advance(1)
  const [member] = kafka.members
  if (member !== undefined) await kafka.fetch(member, 0, 1)
  await intake.arrived(1, 0)
  expect(reading.status()).toMatchObject([
    { cluster: 'eu', ok: true, detail: '1 partitions, 0 messages behind' },
  ])
  await reading.stop(new AbortController().signal)
  expect(member?.gone).toBe(true)
})

test('after a crash of the library everything is made anew, and what was not committed comes again', async () => {
  const { clock, kafka, intake, reading } = underTest()
  await reading.start()
  await clock.advance(1)
  kafka.assign([0])
  kafka.append(0, 'frame')
  await clock.advance(1)
  const [first] = kafka.members
  if (first !== undefined) await kafka.fetch(first, 0, 1)
  await intake.arrived(1, 0)
  first?.options.onCrash(new Error('rebalanced too often'))
  await clock.advance(10_000)
  expect([first?.gone, kafka.members.length]).toEqual([true, 2])
  kafka.assign([1])
  await clock.advance(1)
  const second = kafka.members[1]
  if (second !== undefined) await kafka.fetch(second, 0, 1)
  await intake.arrived(2, 0)
  await reading.stop(AbortSignal.abort())
})

test('an exclusive intake does not start beside another one, and starts when Kafka is away', async () => {
  const { clock, kafka, broken, reading } = underTest({ exclusive: true })
  await kafka.client.consumer({
    groupId: 'n.g',
    from: 'oldest',
    topic: 'n.logs',
    onAssigned() {},
    onMessages: async () => {},
    onCrash() {},
    onAlive() {},
  })
  const started = reading.start().catch((error: unknown) => error)
  await clock.advance(20_000)
  expect(await started).toMatchObject({ code: 'BAD_CONFIG' })
  const triesThen = broken.tries
  await clock.advance(60_000)
  expect(broken.tries).toBe(triesThen)

  const away = underTest({ exclusive: true })
  away.broken.down = true
  await away.reading.start()
  await away.reading.stop(AbortSignal.abort())
})

test('stop ends the waiting for a cluster that is away', async () => {
  const { clock, broken, reading } = underTest()
  broken.down = true
  await reading.start()
  await clock.advance(1_000)
  await reading.stop(new AbortController().signal)
  const tries = broken.tries
  await clock.advance(120_000)
  expect(broken.tries).toBe(tries)
})

test('one member of a group leads: the one with the first partition', async () => {
  const { clock, kafka, reading } = underTest()
  expect(reading.leads('eu')).toBe(false)
  await reading.start()
  await clock.advance(1)
  kafka.assign([0])
  await clock.advance(1)
  expect([reading.leads('eu'), reading.leads('elsewhere')]).toEqual([true, true])
  kafka.assign([1])
  await clock.advance(1)
  expect([reading.leads('eu'), reading.leads('elsewhere')]).toEqual([false, false])
  await reading.stop(AbortSignal.abort())
  expect(underTest({ exclusive: true }).reading.leads('eu')).toBe(true)
})
