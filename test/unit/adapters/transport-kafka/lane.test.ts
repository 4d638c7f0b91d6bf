import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLane } from '../../../../adapters/transport-kafka/lane.ts'
import type { KafkaMessage } from '../../../../adapters/transport-kafka/types.ts'

const messageAt = (offset: number, type = 'frame', bytes = 10): KafkaMessage => ({
  partition: 0,
  offset,
  type,
  value: Buffer.alloc(bytes),
  appendedMs: 1,
})

const settle = () => new Promise((resolve) => setImmediate(resolve))

/** A lane whose deliveries the test ends. */
function laneUnderTest({ from = 0, runningMax = 128 } = {}) {
  const begun: number[] = []
  const open = new Map<number, PromiseWithResolvers<void>>()
  const lane = createLane({
    from,
    runningMax,
    onDone() {},
    deliver(message) {
      begun.push(message.offset)
      const ending = Promise.withResolvers<void>()
      open.set(message.offset, ending)
      return ending.promise
    },
  })
  async function end(offset: number, how: 'done' | 'given up' = 'done') {
    const ending = open.get(offset)
    open.delete(offset)
    if (how === 'done') ending?.resolve()
    else ending?.reject(new Error('given up'))
    await settle()
  }
  return { lane, begun, open, end }
}

test('frames are begun at once and done moves over what is done from the start', async () => {
  const { lane, begun, end } = laneUnderTest({ from: 5 })
  lane.accept([messageAt(5), messageAt(6), messageAt(7)])
  expect(begun).toEqual([5, 6, 7])
  await end(6)
  expect(lane.done).toBe(5)
  await end(5)
  expect(lane.done).toBe(7)
  await end(7)
  expect([lane.done, lane.next, lane.bytes]).toEqual([8, 8, 0])
})

test('a mark waits for the frames before it, and the frames behind it do not wait for the mark', async () => {
  const { lane, begun, end } = laneUnderTest()
  lane.accept([messageAt(0), messageAt(1, 'mark'), messageAt(2), messageAt(3, 'mark')])
  expect(begun).toEqual([0, 2])
  await end(2)
  expect(begun).toEqual([0, 2])
  await end(0)
  expect(begun).toEqual([0, 2, 1, 3])
  expect(lane.done).toBe(1)
})

test('a message that is given up is never passed', async () => {
  const { lane, end } = laneUnderTest()
  lane.accept([messageAt(0), messageAt(1)])
  await end(0, 'given up')
  await end(1)
  expect(lane.done).toBe(0)
})

test('messages that come again are left out', () => {
  const { lane, begun } = laneUnderTest()
  lane.accept([messageAt(0), messageAt(1)])
  lane.accept([messageAt(0), messageAt(1), messageAt(2)])
  expect(begun).toEqual([0, 1, 2])
})

test('offsets that are skipped are done when nothing waits before them', async () => {
  const { lane, end } = laneUnderTest()
  lane.accept([messageAt(0)])
  lane.skipTo(10)
  expect([lane.done, lane.next]).toEqual([0, 10])
  await end(0)
  expect(lane.done).toBe(10)
  lane.skipTo(3)
  expect(lane.next).toBe(10)
})

test('a closed lane begins nothing more', async () => {
  const { lane, begun, end } = laneUnderTest({ runningMax: 1 })
  lane.accept([messageAt(0), messageAt(1), messageAt(2, 'mark')])
  lane.close()
  await end(0)
  expect(begun).toEqual([0])
  expect(lane.done).toBe(1)
})

test('however frames end: marks stay behind frames, and done never passes what is not done', async () => {
  const step = fc.record({
    accept: fc.array(fc.constantFrom('frame', 'frame', 'frame', 'mark', 'foreign'), { maxLength: 6 }),
    hole: fc.integer({ min: 0, max: 2 }),
    ends: fc.array(fc.nat(), { maxLength: 6 }),
    givesUp: fc.integer({ min: 0, max: 19 }).map((dice) => dice === 0),
  })
  const steps = fc.array(step, { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), async (steps, runningMax) => {
      const { lane, begun, open, end } = laneUnderTest({ runningMax })
      const types = new Map<number, string>()
      const finished = new Set<number>()
      let seen = 0
      const check = () => {
        for (const offset of begun.slice(seen)) {
          if (types.get(offset) !== 'mark') continue
          const before = [...types].filter(([other]) => other < offset)
          const passed = ([other, type]: [number, string]) =>
            type === 'mark' ? begun.includes(other) : finished.has(other)
          expect(before.every(passed), `mark at ${offset}`).toBe(true)
        }
        seen = begun.length
        const below = [...types.keys()].filter((offset) => offset < lane.done)
        expect(below.filter((offset) => !finished.has(offset))).toEqual([])
        const frames = [...open.keys()].filter((offset) => types.get(offset) !== 'mark')
        expect(frames.length).toBeLessThanOrEqual(runningMax)
      }
      for (const { accept, hole, ends, givesUp } of steps) {
        const from = lane.next + hole
        const messages = accept.map((type, index) => messageAt(from + index, type))
        for (const { offset, type } of messages) types.set(offset, String(type))
        lane.accept(messages)
        check()
        for (const pick of ends) {
          const offset = [...open.keys()][pick % Math.max(1, open.size)]
          if (offset === undefined) continue
          if (!givesUp) finished.add(offset)
          await end(offset, givesUp ? 'given up' : 'done')
          check()
        }
      }
      // Unless something was given up, everything gets done.
      while (open.size > 0) {
        const [offset = 0] = open.keys()
        finished.add(offset)
        await end(offset)
        check()
      }
      expect(lane.done === lane.next).toBe(finished.size === types.size || !types.has(lane.next - 1))
    }),
    { numRuns: 60 },
  )
})
