import type { Clock } from '../core/ports.ts'

/** Wakes whoever waits. A ring before the wait is remembered: nothing falls between looking and waiting. */
export interface Bell {
  ring(): void
  /** Resolves at the next ring, after `timeoutMs`, or when the signal aborts; never rejects. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>
}

export function createBell(clock: Pick<Clock, 'after'>): Bell {
  let rung = false
  let wake = () => {}
  return {
    ring() {
      rung = true
      wake()
    },
    async wait(timeoutMs, signal) {
      if (!rung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(timeoutMs, resolve)
          wake = () => {
            cancel()
            signal.removeEventListener('abort', wake)
            resolve()
          }
          signal.addEventListener('abort', wake, { once: true })
        })
      }
      rung = false
    },
  }
}
