/** Lets in what fits into `bytesMax` together, in order of asking. One that is larger than that is let in alone. */
export interface Gate {
  /** Resolves with how to leave, which may be called more than once; rejects with the signal's reason when it aborts before. */
  enter(bytes: number, signal: AbortSignal): Promise<() => void>
  readonly bytes: number
}

interface Waiting {
  readonly bytes: number
  readonly letIn: () => void
}

export function createGate(bytesMax: number): Gate {
  const queue: Waiting[] = []
  let inside = 0

  function admit() {
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      if (inside > 0 && inside + first.bytes > bytesMax) return
      queue.shift()
      inside += first.bytes
      first.letIn()
    }
  }

  return {
    async enter(bytes, signal) {
      signal.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const waiting = { bytes, letIn: resolve }
      const abort = () => {
        const at = queue.indexOf(waiting)
        if (at < 0) return // It is inside already.
        queue.splice(at, 1)
        reject(signal.reason)
        admit()
      }
      queue.push(waiting)
      signal.addEventListener('abort', abort, { once: true })
      admit()
      await promise.finally(() => signal.removeEventListener('abort', abort))
      let left = false
      return () => {
        if (left) return
        left = true
        inside -= bytes
        admit()
      }
    },
    get bytes() {
      return inside
    },
  }
}
