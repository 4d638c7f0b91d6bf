import type { Clock } from '../../core/ports.ts'

const WINDOW_MS = 60_000
const FAILURES_PER_WINDOW_MAX = 30
const ADDRESSES_MAX = 1_000

/** Counts refused credentials by address, so that guessing is slow and cannot flood the log. */
export interface FailureLimit {
  /** Notes one failure; ms to wait when the address had too many, else 0. */
  note(address: string): number
}

/** Addresses beyond the bound share one count; a window ends for all of them together. */
export function createFailureLimit(clock: Pick<Clock, 'monotonicMs'>): FailureLimit {
  const counts = new Map<string, number>()
  let startedMs = clock.monotonicMs()
  return {
    note(address) {
      const nowMs = clock.monotonicMs()
      if (nowMs >= startedMs + WINDOW_MS) {
        counts.clear()
        startedMs = nowMs
      }
      const key = counts.has(address) || counts.size < ADDRESSES_MAX ? address : ''
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      return count > FAILURES_PER_WINDOW_MAX ? startedMs + WINDOW_MS - nowMs : 0
    },
  }
}
