import { orAborted } from '../core/abort.ts'
import { ServiceError } from '../core/errors.ts'

const RETRY_AFTER_MS = 1_000

/** Lets a bounded number of works run at once; a bounded number more wait in order of arrival. */
export interface Admission {
  readonly running: number
  readonly waiting: number
  /**
   * Runs `work` when there is room. Rejects with the signal's reason as soon as it aborts, with OVERLOADED when too many wait.
   * A place is free again only once its work has really ended, so that abandoned work still counts.
   */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

export function createAdmission({
  concurrencyMax,
  queueMax,
}: {
  concurrencyMax: number
  queueMax: number
}): Admission {
  const waiting = new Set<() => void>() // A Set iterates oldest first.
  let running = 0

  async function enter(signal: AbortSignal) {
    signal.throwIfAborted()
    if (running < concurrencyMax) {
      running += 1
      return
    }
    if (waiting.size >= queueMax) {
      const details = { concurrencyMax, queueMax, retryAfterMs: RETRY_AFTER_MS }
      throw new ServiceError('OVERLOADED', 'too many queries wait already', details)
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        waiting.delete(admit)
        reject(signal.reason)
      }
      const admit = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      waiting.add(admit)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  /** Hands the place to whoever has waited longest. */
  function leave() {
    const [next] = waiting
    if (next === undefined) {
      running -= 1
      return
    }
    waiting.delete(next)
    next()
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return waiting.size
    },
    async run(signal, work) {
      await enter(signal)
      return orAborted(work().finally(leave), signal)
    },
  }
}
