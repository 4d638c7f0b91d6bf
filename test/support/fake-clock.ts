import type { Clock } from '../../core/ports.ts'

/** A clock that stands still unless told otherwise. */
export interface FakeClock extends Clock {
  /** Lets `ms` pass: runs what is due in order of time (timers set meanwhile too) and lets promises settle after each. */
  advance(ms: number): Promise<void>
  /** Moves the wall clock only, as ntpd or a person would. */
  jump(ms: number): void
  /** How many timers wait. */
  readonly timers: number
}

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/** Starts at `nowMs` on the wall and at 0 on the monotonic clock. */
export function createFakeClock({ nowMs = Date.UTC(2025, 0, 1) }: { nowMs?: number } = {}): FakeClock {
  let monotonicMs = 0
  let wallOffsetMs = nowMs
  const timers = new Set<Timer>()

  function after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: monotonicMs + Math.max(0, delayMs), run }
    timers.add(timer)
    return () => timers.delete(timer)
  }

  async function advance(ms: number): Promise<void> {
    const endMs = monotonicMs + ms
    await settle()
    for (let timer = firstDue(timers, endMs); timer !== undefined; timer = firstDue(timers, endMs)) {
      monotonicMs = timer.atMs
      timers.delete(timer)
      timer.run()
      await settle()
    }
    monotonicMs = endMs
  }

  return {
    nowMs: () => monotonicMs + wallOffsetMs,
    monotonicMs: () => monotonicMs,
    after,
    sleep: (delayMs, signal) => sleep(after, delayMs, signal),
    advance,
    jump(ms) {
      wallOffsetMs += ms
    },
    get timers() {
      return timers.size
    },
  }
}

/** The earliest timer up to `endMs`; of two at the same time the one that was set first. */
function firstDue(timers: Iterable<Timer>, endMs: number): Timer | undefined {
  let first: Timer | undefined
  for (const timer of timers) {
    if (timer.atMs <= endMs && (first === undefined || timer.atMs < first.atMs)) first = timer
  }
  return first
}

async function sleep(after: Clock['after'], delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = after(delayMs, resolve)
  const abort = () => {
    cancel()
    reject(signal?.reason)
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await promise
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
