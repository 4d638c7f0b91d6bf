import { setImmediate as yieldNow } from 'node:timers/promises'

/** The event loop waits no longer than this. */
const BUSY_MS_MAX = 8

/** Lets others work when this one has for some milliseconds; rejects with the signal's reason when it has aborted. */
export function createSlices(signal?: AbortSignal): () => Promise<void> | undefined {
  let startedMs = performance.now()
  return () => {
    signal?.throwIfAborted()
    if (performance.now() - startedMs < BUSY_MS_MAX) return undefined
    return yieldNow().then(() => {
      startedMs = performance.now()
      signal?.throwIfAborted()
    })
  }
}
