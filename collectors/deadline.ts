import { ServiceError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'

/** Runs `work` with a signal of its own that also aborts after `deadlineMs`, and does not wait for work that ignores it. */
export async function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { deadlineMs, clock, signal }: { deadlineMs: number; clock: Clock; signal: AbortSignal },
): Promise<T> {
  const own = new AbortController()
  const late = Promise.withResolvers<never>()
  const abort = (reason: unknown) => {
    own.abort(reason)
    late.reject(reason)
  }
  const aborted = () => abort(signal.reason)
  const cancel = clock.after(deadlineMs, () =>
    abort(new ServiceError('DEADLINE', `no answer within ${deadlineMs} ms`)),
  )
  signal.addEventListener('abort', aborted, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([work(own.signal), late.promise])
  } finally {
    cancel()
    signal.removeEventListener('abort', aborted)
  }
}
