import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSession, type SessionOptions } from '../../../../adapters/transport-kafka/session.ts'
import type { KafkaLoss, KafkaMessage } from '../../../../adapters/transport-kafka/types.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createFakeKafka } from '../../../support/fake-kafka.ts'
import { quietLog } from '../../../support/quiet-log.ts'

const settle = () => new Promise((resolve) => setImmediate(resolve))
const never = () => new AbortController().signal
const keyOf = ({ partition, offset }: KafkaMessage) => `${partition}@${offset}`

/** A topic, a clock, and sessions whose deliveries the test ends. */
function createWorld(partitions = 1, fields: Partial<SessionOptions> = {}) {
  const kafka = createFakeKafka(partitions)
  const clock = createFakeClock()
  const losses: KafkaLoss[] = []
  const stored = new Set<string>()
  /** Deliveries that are not ended, oldest first. */
  const open: { readonly message: KafkaMessage; readonly end: () => void }[] = []
  const begun: KafkaMessage[] = []

  function deliver(message: KafkaMessage, signal: AbortSignal) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    begun.push(message)
    const entry = {
      message,
      end() {
        open.splice(open.indexOf(entry), 1)
        stored.add(keyOf(message))
        resolve()
      },
    }
    open.push(entry)
    signal.addEventListener('abort', () => {
      open.splice(open.indexOf(entry), 1)
      reject(new Error('aborted'))
    })
    return promise
  }

  const openOne = () =>
    openSession({
      site: 'eu',
      connection: { brokers: ['k:1'], prefix: 'n', clientId: 'c', sasl: null, tls: null },
      checkTopic: async () => ({ partitions, messageBytesMax: null }),
      groupId: 'g',
      exclusive: false,
      client: kafka.client,
      deliver,
      laneBytesMax: 10_000,
      onLost: (loss) => losses.push(loss),
      clock,
      log: quietLog,
      ...fields,
    })
  return { kafka, clock, losses, stored, open, begun, openOne }
}

type World = ReturnType<typeof createWorld>

async function readAll({ kafka }: World, member: number, partition = 0) {
  await settle()
  const reader = kafka.members[member]
  if (reader !== undefined) await kafka.fetch(reader, partition, 1_000)
}

async function endAll({ open }: World) {
  while (open.length > 0) {
    open[0]?.end()
    await settle()
  }
}

test('only what is done from the start is committed, at most twice a second', async () => {
  const world = createWorld()
  const { kafka, clock, open } = world
  await world.openOne()
  kafka.assign([0])
  for (let count = 0; count < 3; count++) kafka.append(0, 'frame')
  await readAll(world, 0)
  open[1]?.end()
  await clock.advance(1_000)
  expect(kafka.committed.get(0)).toBe(0)
  open[0]?.end()
  await settle()
  expect(kafka.committed.get(0)).toBe(0)
  await clock.advance(500)
  expect(kafka.committed.get(0)).toBe(2)
})

test('a partition that stays is not delivered again after a rebalance', async () => {
  const world = createWorld(2)
  const { kafka, begun } = world
  await world.openOne()
  kafka.assign([0, 0])
  kafka.append(0, 'frame')
  await readAll(world, 0)
  kafka.assign([0, 0])
  await readAll(world, 0)
  kafka.append(0, 'frame')
  await readAll(world, 0)
  expect(begun.map(keyOf)).toEqual(['0@0', '0@1'])
})

test('a partition that is taken away is not committed any more, and comes back from what is committed', async () => {
  const world = createWorld(2)
  const { kafka, begun, clock } = world
  await world.openOne()
  await world.openOne()
  kafka.assign([0, 0])
  for (let count = 0; count < 2; count++) kafka.append(0, 'frame')
  await readAll(world, 0)
  kafka.committed.set(0, 1)
  kafka.assign([1, 0])
  await endAll(world)
  await clock.advance(2_000)
  expect(kafka.committed.get(0)).toBe(1)
  kafka.assign([0, 0])
  await readAll(world, 0)
  expect(begun.map(keyOf)).toEqual(['0@0', '0@1', '0@1'])
  await endAll(world)
  await clock.advance(1_000)
  expect(kafka.committed.get(0)).toBe(2)
})

test('where a committed offset is gone, the library does not get to replace it before it was looked at', async () => {
  const world = createWorld()
  const { kafka } = world
  kafka.append(0, 'frame')
  kafka.append(0, 'frame')
  kafka.committed.set(0, 0)
  kafka.dropBelow(0, 1)
  await world.openOne()
  kafka.assign([0])
  expect(kafka.members[0]?.paused.has(0)).toBe(true)
  await readAll(world, 0)
  expect(world.losses).toMatchObject([{ fromOffset: 0, toOffset: 1 }])
  expect(world.begun.map(keyOf)).toEqual(['0@1'])
})

test('a full partition is paused until half of it is done', async () => {
  const world = createWorld(1, { laneBytesMax: 4 * 266 })
  const { kafka, open } = world
  await world.openOne()
  kafka.assign([0])
  for (let count = 0; count < 4; count++) kafka.append(0, 'frame')
  await readAll(world, 0)
  const paused = () => kafka.members[0]?.paused.has(0)
  expect(paused()).toBe(true)
  open[0]?.end()
  await settle()
  expect(paused()).toBe(true)
  open[0]?.end()
  await settle()
  expect(paused()).toBe(false)
})

test('stop finishes what was read, commits and leaves; nothing more is read', async () => {
  const world = createWorld()
  const { kafka, begun } = world
  const session = await world.openOne()
  kafka.assign([0])
  kafka.append(0, 'frame')
  await readAll(world, 0)
  const stopping = session.stop(never())
  kafka.append(0, 'frame')
  await readAll(world, 0)
  await endAll(world)
  await stopping
  expect(begun).toHaveLength(1)
  expect(kafka.committed.get(0)).toBe(1)
  expect(kafka.members[0]?.gone).toBe(true)
})

test('stop gives up at the abort, and commits only what is done', async () => {
  const world = createWorld()
  const { kafka, open } = world
  const session = await world.openOne()
  kafka.assign([0])
  for (let count = 0; count < 3; count++) kafka.append(0, 'frame')
  await readAll(world, 0)
  open[0]?.end()
  const abort = new AbortController()
  const stopping = session.stop(abort.signal)
  await settle()
  abort.abort()
  await stopping
  expect(kafka.committed.get(0)).toBe(1)
  expect(open).toEqual([])
})

test('an exclusive group with another member is refused, at once or after waiting for a dead one to be forgotten', async () => {
  const world = createWorld(1, { exclusive: true })
  const { kafka, clock } = world
  await world.openOne()
  const second = world.openOne().catch((error: unknown) => error)
  await clock.advance(20_000)
  expect(await second).toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining('"g"') })

  const third = world.openOne()
  await clock.advance(5_000)
  for (const member of kafka.members) member.gone = true
  await clock.advance(2_000)
  await third
})

test('of two that joined an exclusive group at the same time, the one that does not lead leaves', async () => {
  const world = createWorld(1, { exclusive: true })
  const session = await world.openOne()
  const [member] = world.kafka.members
  member?.options.onAssigned(member.consumer, [], false)
  await expect(session.failed).rejects.toMatchObject({ code: 'BAD_CONFIG' })
})

test.each([
  {
    name: 'a crash of the library',
    fault: ({ kafka }: World) => kafka.members[0]?.options.onCrash(new Error('x')),
  },
  { name: 'silence', fault: ({ clock }: World) => clock.advance(60_000) },
  {
    name: 'news that are not read',
    async fault({ kafka, clock }: World) {
      kafka.append(0, 'frame')
      for (let count = 0; count < 10; count++) {
        kafka.members[0]?.options.onAlive()
        await clock.advance(5_000)
      }
    },
  },
  {
    name: 'a topic that was made anew',
    fault: ({ kafka }: World) =>
      kafka.members[0]?.options.onMessages(0, {
        fetchedFrom: 0,
        high: 0,
        messages: [{ ...kafka.append(0, 'frame'), offset: 0 }],
      }),
    lane: 1,
  },
])('$name ends the session', async ({ fault, lane = 0 }) => {
  const world = createWorld()
  const session = await world.openOne()
  world.kafka.assign([0])
  for (let count = 0; count < lane; count++) world.kafka.append(0, 'frame')
  await readAll(world, 0)
  await fault(world)
  await expect(session.failed).rejects.toMatchObject({ retryable: true })
})

test.each([
  { name: 'before we came back', committed: 2, dropped: 5, losses: [[2, 5]] },
  { name: 'nothing', committed: 5, dropped: 5, losses: [] },
  { name: 'before the first visit', committed: undefined, dropped: 5, losses: [] },
])('retention that took messages $name is told with offsets', async ({ committed, dropped, losses }) => {
  const world = createWorld()
  const { kafka } = world
  for (let count = 0; count < 8; count++) kafka.append(0, 'frame')
  kafka.dropBelow(0, dropped)
  if (committed !== undefined) kafka.committed.set(0, committed)
  await world.openOne()
  kafka.assign([0])
  await readAll(world, 0)
  await readAll(world, 0)
  expect(world.losses.map(({ fromOffset, toOffset }) => [fromOffset, toOffset])).toEqual(losses)
  expect(world.begun.map(({ offset }) => offset)).toEqual([5, 6, 7])
})

test('a hole that no retention made is read again, not skipped; one inside of what was read is none', async () => {
  const world = createWorld()
  const { kafka, losses, begun } = world
  await world.openOne()
  kafka.assign([0])
  for (let count = 0; count < 4; count++) kafka.append(0, 'frame')
  await settle()
  kafka.members[0]?.positions.set(0, 2)
  await readAll(world, 0)
  expect(begun).toEqual([])
  await readAll(world, 0)
  expect(begun.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
  const later = { ...kafka.append(0, 'frame'), offset: 6 }
  await kafka.members[0]?.options.onMessages(0, { fetchedFrom: 4, high: 7, messages: [later] })
  expect(begun.at(-1)?.offset).toBe(6)
  expect(losses).toEqual([])
})

const PARTITIONS = 3
const stepArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('append' as const), partition: fc.nat(2), mark: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('fetch' as const),
      member: fc.nat(5),
      partition: fc.nat(2),
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('end' as const), pick: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 900 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('assign' as const),
      owners: fc.array(fc.nat(5), { minLength: 3, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), member: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('break' as const), broken: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('drop' as const), partition: fc.nat(2), count: fc.nat(3) }),
  },
)

type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never

test('members come, go and crash, commits fail, retention bites: nothing is passed that is not stored or told as lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 20, maxLength: 120 }), async (steps) => {
      const world = createWorld(PARTITIONS)
      const { kafka, clock, losses, stored, open, begun } = world
      const everything: KafkaMessage[] = []
      const isLost = ({ partition, offset }: KafkaMessage) =>
        losses.some(
          (loss) => loss.partition === partition && offset >= loss.fromOffset && offset < loss.toOffset,
        )
      // What retention took of a partition before its group had committed anything was never the group's.
      const unknown = new Set<string>()
      const isOver = (message: KafkaMessage) =>
        stored.has(keyOf(message)) || unknown.has(keyOf(message)) || isLost(message)
      let checked = 0
      const check = () => {
        for (const [partition, offset] of kafka.committed) {
          const passed = everything.filter(
            (message) => message.partition === partition && message.offset < offset,
          )
          expect(passed.filter((message) => !isOver(message)).map(keyOf)).toEqual([])
        }
        for (const mark of begun.slice(checked).filter(({ type }) => type === 'mark')) {
          const frames = everything.filter(
            ({ partition, offset, type }) =>
              type !== 'mark' && partition === mark.partition && offset < mark.offset,
          )
          expect(frames.filter((message) => !isOver(message)).map(keyOf)).toEqual([])
        }
        checked = begun.length
      }
      const sessions = [await world.openOne()]
      kafka.assign([0, 0, 0])

      function drop(partition: number, count: number) {
        const dropped = kafka.messages(partition).slice(0, count)
        if (!kafka.committed.has(partition)) for (const message of dropped) unknown.add(keyOf(message))
        kafka.dropBelow(partition, (dropped.at(-1)?.offset ?? -1) + 1)
      }

      async function take(step: Step) {
        if (step.do === 'append') everything.push(kafka.append(step.partition, step.mark ? 'mark' : 'frame'))
        else if (step.do === 'fetch') {
          const member = kafka.members[step.member % kafka.members.length]
          if (member !== undefined) void kafka.fetch(member, step.partition, step.count)
        } else if (step.do === 'end') open[step.pick % Math.max(1, open.length)]?.end()
        else if (step.do === 'time') await clock.advance(step.ms)
        else if (step.do === 'assign') kafka.assign(step.owners.map((owner) => owner % kafka.members.length))
        else if (step.do === 'open' && sessions.length < 5) sessions.push(await world.openOne())
        else if (step.do === 'crash') await sessions[step.member]?.close()
        else if (step.do === 'break') kafka.broken = step.broken
        else if (step.do === 'drop') drop(step.partition, step.count)
        await settle()
        check()
      }
      for (const step of steps) await take(step)

      // Everything heals: a last member reads all of it.
      kafka.broken = false
      sessions.push(await world.openOne())
      const last = kafka.members.length - 1
      kafka.assign([last, last, last])
      for (let round = 0; round < 4; round++) {
        await settle()
        for (let partition = 0; partition < PARTITIONS; partition++) await readAll(world, last, partition)
        await endAll(world)
        check()
      }
      await clock.advance(2_000)
      expect(everything.filter((message) => !isOver(message)).map(keyOf)).toEqual([])
      check()
    }),
    { numRuns: 150 },
  )
}, 60_000)
