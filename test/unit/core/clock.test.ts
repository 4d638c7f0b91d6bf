import { expect, test } from 'vitest'
import { systemClock } from '../../../core/clock.ts'
import { clockContract } from '../../contracts/clock.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

clockContract('system', () => ({
  clock: systemClock,
  pass: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms)
    }),
}))

clockContract('fake', () => {
  const clock = createFakeClock()
  return { clock, pass: (ms) => clock.advance(ms) }
})

test('fake clock: a chain of sleeps runs inside one advance', async () => {
  const clock = createFakeClock()
  const seen: number[] = []
  async function tick() {
    for (;;) {
      await clock.sleep(1000)
      seen.push(clock.monotonicMs())
    }
  }
  void tick()
  await clock.advance(3500)
  expect(seen).toEqual([1000, 2000, 3000])
  expect(clock.timers).toBe(1)
})

test('fake clock: a jump moves the wall clock and no timer', async () => {
  const clock = createFakeClock({ nowMs: 5000 })
  let ran = false
  clock.after(100, () => {
    ran = true
  })
  clock.jump(-3_600_000)
  await clock.advance(99)
  expect({ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs(), ran }).toEqual({
    nowMs: 5099 - 3_600_000,
    monotonicMs: 99,
    ran: false,
  })
})
