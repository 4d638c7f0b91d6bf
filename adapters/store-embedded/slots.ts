/** At most `count` at once; others wait in turn. */
export interface Slots {
  /** Waits for a slot; the returned function gives it back. */
  take(signal?: AbortSignal): Promise<() => void>
}

export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = []
  let free = count

  function giveBack(): void {
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  }

  return {
    async take(signal) {
      signal?.throwIfAborted()
      if (free > 0) free -= 1
      else await turn(waiting, signal)
      return giveBack
    },
  }
}

async function turn(waiting: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const leave = () => {
    const at = waiting.indexOf(resolve)
    if (at < 0) return // It has its turn already.
    waiting.splice(at, 1)
    reject(signal?.reason)
  }
  waiting.push(resolve)
  signal?.addEventListener('abort', leave, { once: true })
  try {
    await promise
  } finally {
    signal?.removeEventListener('abort', leave)
  }
}
