import { backoffMs } from '../../core/backoff.ts'

const BACKOFF = { baseMs: 50, maxMs: 2_000 }

/** How long to wait before the next try. It grows, with jitter so that processes do not come back together. */
export function pauseMs(tries: number): number {
  return backoffMs(tries, BACKOFF, Math.random)
}
