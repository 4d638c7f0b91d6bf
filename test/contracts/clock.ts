import { describe, expect, test } from 'vitest'
import type { Clock } from '../../core/ports.ts'

/** Every Clock. `pass` lets that much of its time go by. */
export function clockContract(
  name: string,
  make: () => { clock: Clock; pass: (ms: number) => Promise<void> },
): void {
  describe(`clock contract: ${name}`, () => {
    test('wall and monotonic time go on together', async () => {
      const { clock, pass } = make()
      const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()]
      await pass(20)
      expect(clock.monotonicMs() - monotonicMs).toBeGreaterThanOrEqual(19)
      expect(clock.nowMs() - nowMs).toBeGreaterThanOrEqual(18)
    })

    test('timers run once, in order of time', async () => {
      const { clock, pass } = make()
      const seen: string[] = []
      clock.after(20, () => seen.push('late'))
      clock.after(5, () => seen.push('early'))
      expect(seen).toEqual([])
      await pass(60)
      expect(seen).toEqual(['early', 'late'])
    })

    test('a cancelled timer does not run, and cancelling twice is harmless', async () => {
      const { clock, pass } = make()
      let ran = false
      const cancel = clock.after(5, () => {
        ran = true
      })
      cancel()
      cancel()
      await pass(20)
      expect(ran).toBe(false)
    })

    test('sleep ends after its time', async () => {
      const { clock, pass } = make()
      const startMs = clock.monotonicMs()
      const slept = clock.sleep(10).then(() => clock.monotonicMs())
      await pass(20)
      expect((await slept) - startMs).toBeGreaterThanOrEqual(9)
    })

    test('sleep rejects with the reason of its signal, before or during', async () => {
      const { clock } = make()
      const reason = new Error('enough')
      await expect(clock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason)
      const controller = new AbortController()
      const sleeping = clock.sleep(60_000, controller.signal)
      controller.abort(reason)
      await expect(sleeping).rejects.toBe(reason)
    })
  })
}
