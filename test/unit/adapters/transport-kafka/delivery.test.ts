import { expect, test } from 'vitest'
import { createDelivery } from '../../../../adapters/transport-kafka/delivery.ts'
import type { KafkaMessage } from '../../../../adapters/transport-kafka/types.ts'
import { ServiceError, type FailureCode } from '../../../../core/errors.ts'
import type { Origin } from '../../../../core/ports.ts'
import { createScriptedIntake, someMark } from '../../../contracts/transport.ts'
import { frameOf } from '../../../support/aggregator.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createLineLog, createMemoryQuarantine, never } from '../../../support/kafka-memory.ts'

const messageOf = (fields: Partial<KafkaMessage>): KafkaMessage => ({
  partition: 2,
  offset: 7,
  type: 'frame',
  value: Buffer.from('frame'),
  appendedMs: 1_000,
  ...fields,
})

function underTest() {
  const clock = createFakeClock()
  const intake = createScriptedIntake()
  const quarantine = createMemoryQuarantine()
  const log = createLineLog()
  const results: string[] = []
  const delivery = createDelivery({
    site: 'eu',
    topic: 'noctule.logs',
    intake,
    quarantine,
    clock,
    log,
    random: () => 0.5,
    onResult: (result) => results.push(result),
  })
  return { clock, intake, quarantine, log, results, delivery }
}

const refusing =
  (code: FailureCode, details = {}) =>
  () =>
    Promise.reject(new ServiceError(code, 'said', details))
const SENDER = 'noctule.logs/2@7'

test.each<FailureCode>(['STORE_UNAVAILABLE', 'OVERLOADED', 'DISK_FULL', 'SHUTTING_DOWN', 'DATA_CORRUPT'])(
  'a batch is tried again until %s has passed',
  async (code) => {
    const { clock, intake, results, quarantine, delivery } = underTest()
    intake.onBatch = refusing(code)
    const delivering = delivery.deliver(messageOf({}), never())
    await clock.advance(120_000)
    expect(intake.frames.length).toBeGreaterThan(5)
    expect(results).toEqual([])
    intake.onBatch = async () => 'stored'
    await clock.advance(30_000)
    await delivering
    expect(results).toEqual(['stored'])
    expect(delivery.problem()).toBeNull()
    expect(quarantine.entries).toEqual([])
  },
)

test('an outage is told once, however many batches it stops', async () => {
  const { clock, intake, log, delivery } = underTest()
  intake.onBatch = refusing('STORE_UNAVAILABLE')
  const stop = new AbortController()
  const delivering = [7, 8, 9].map((offset) => delivery.deliver(messageOf({ offset }), stop.signal))
  await clock.advance(60_000)
  expect(log.lines).toHaveLength(1)
  expect(delivery.problem()).toBe('said')
  stop.abort(new Error('enough'))
  for (const one of delivering) await expect(one).rejects.toThrow('enough')
})

test('the intake is asked again no earlier than it wishes', async () => {
  const { clock, intake, delivery } = underTest()
  intake.onBatch = refusing('STORE_UNAVAILABLE', { retryAfterMs: 10_000 })
  const stop = new AbortController()
  const delivering = delivery.deliver(messageOf({}), stop.signal)
  await clock.advance(9_999)
  expect(intake.frames).toHaveLength(1)
  await clock.advance(10_001)
  expect(intake.frames).toHaveLength(2)
  stop.abort()
  await expect(delivering).rejects.toBeDefined()
})

test('a batch whose number is taken leaves its lines in the quarantine, once however often it comes', async () => {
  const { intake, quarantine, results, delivery } = underTest()
  intake.onBatch = refusing('SEQUENCE_CONFLICT')
  const value = await frameOf(['one', 'two'])
  await delivery.deliver(messageOf({ value }), never())
  await delivery.deliver(messageOf({ value }), never())
  const common = { site: 'eu', sender: SENDER, reason: 'SEQUENCE_CONFLICT: said' }
  expect(quarantine.entries).toMatchObject([
    { ...common, text: 'one' },
    { ...common, text: 'two' },
  ])
  expect(results).toEqual(['quarantined', 'quarantined'])
})

test('what the intake has put into the quarantine is not put there again', async () => {
  const { intake, quarantine, delivery } = underTest()
  intake.onBatch = async () => {
    await quarantine.put([{ reason: 'theirs', site: 'eu', sender: SENDER, text: 'x' }])
    throw new ServiceError('BATCH_MALFORMED', 'said')
  }
  await delivery.deliver(messageOf({}), never())
  expect(quarantine.entries.map(({ reason }) => reason)).toEqual(['theirs'])
})

test.each([
  { name: 'no type', fields: { type: null } },
  { name: 'an unknown type', fields: { type: 'invoice' } },
  { name: 'no value', fields: { value: null } },
  { name: 'a mark that is no JSON', fields: { type: 'mark' } },
  { name: 'a mark of another shape', fields: { type: 'mark', value: Buffer.from('{"v":1}') } },
])('$name goes to the quarantine', async ({ fields }) => {
  const { intake, quarantine, results, delivery } = underTest()
  await delivery.deliver(messageOf(fields), never())
  const text = ('value' in fields ? (fields.value ?? Buffer.alloc(0)) : Buffer.from('frame')).toString(
    'base64',
  )
  expect(quarantine.entries).toMatchObject([{ site: 'eu', sender: SENDER, text }])
  expect(quarantine.entries[0]?.reason).toContain('BATCH_MALFORMED')
  expect([intake.frames, intake.marks, results]).toEqual([[], [], ['quarantined']])
})

test('a quarantine that cannot be written is tried again: nothing is done before it stands there', async () => {
  const { clock, quarantine, results, delivery } = underTest()
  const put = quarantine.put.bind(quarantine)
  quarantine.put = refusing('DISK_FULL')
  const delivering = delivery.deliver(messageOf({ type: null }), never())
  await clock.advance(60_000)
  expect(results).toEqual([])
  quarantine.put = put
  await clock.advance(30_000)
  await delivering
  expect(quarantine.entries).toHaveLength(1)
})

test('a mark that is refused goes to the quarantine', async () => {
  const { intake, quarantine, results, delivery } = underTest()
  intake.onMark = refusing('BAD_REQUEST')
  await delivery.deliver(messageOf({ type: 'mark', value: Buffer.from(JSON.stringify(someMark())) }), never())
  expect([quarantine.entries.length, results]).toEqual([1, ['quarantined']])
})

test('a mark is handed over with the time of the broker; without that it is not, and that is told once', async () => {
  const { intake, log, results, delivery } = underTest()
  const origins: Origin[] = []
  const mark = intake.mark.bind(intake)
  intake.mark = (given, origin) => {
    origins.push(origin)
    return mark(given, origin)
  }
  const value = Buffer.from(JSON.stringify(someMark({ later: true })))
  await delivery.deliver(messageOf({ type: 'mark', value }), never())
  expect(intake.marks).toEqual([someMark({ later: true })])
  expect(origins).toEqual([{ site: 'eu', sender: SENDER, arrivedAtMs: 1_000 }])
  await delivery.deliver(messageOf({ type: 'mark', value, appendedMs: null }), never())
  await delivery.deliver(messageOf({ type: 'mark', value, appendedMs: null }), never())
  expect(intake.marks).toHaveLength(1)
  expect(results).toEqual(['mark', 'unstamped', 'unstamped'])
  expect(log.lines).toHaveLength(1)
  expect(log.lines[0]).toContain('LogAppendTime')
})
