import type { ServerResponse } from 'node:http'
import { ServiceError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'

/** Aborts with CANCELLED when the connection closes before the answer is written. */
export function clientSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  const abort = () => {
    if (!response.writableFinished) gone.abort(new ServiceError('CANCELLED', 'the client went away'))
  }
  response.once('close', abort)
  if (response.destroyed) abort()
  return gone.signal
}

/** Runs `work` with a signal that also aborts, with DEADLINE, after `timeoutMs`. */
export async function beforeDeadline<T>(
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const cancel = clock.after(timeoutMs, () => {
    late.abort(new ServiceError('DEADLINE', 'no site answered by the deadline', { timeoutMs }))
  })
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } finally {
    cancel()
  }
}
