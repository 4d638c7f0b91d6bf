/** After the last wide statement all threads are kept so long for the next one. */
const WIDE_MS = 1_000

/**
 * How many threads the engine has: one, and all of them from a wide statement until there was none for a while. A thread that finds
 * nothing to do while another one works at the same statement does not sleep but asks again and again: with two threads that was a
 * quarter of all CPU of storing.
 */
export interface Width {
  /** Runs a statement with as many threads as there happen to be: one, unless wide statements come all the time. */
  narrow<T>(work: () => Promise<T>): Promise<T>
  /** Runs a statement in all threads. */
  wide<T>(work: () => Promise<T>): Promise<T>
}

/** `set` makes the engine wide or narrow; one call waits for the one before. */
export function createWidth(
  set: (wide: boolean) => Promise<unknown>,
  nowMs = () => performance.now(),
): Width {
  let isWide = false
  let running = 0
  let wideAtMs = -Infinity
  let change: Promise<unknown> = Promise.resolve()

  async function become(wide: boolean): Promise<void> {
    if (isWide !== wide) {
      isWide = wide
      change = change.catch(() => undefined).then(() => set(wide))
      change.catch(() => (isWide = !wide))
    }
    await change
  }

  async function during<T>(work: () => Promise<T>): Promise<T> {
    running += 1
    try {
      return await work()
    } finally {
      running -= 1
    }
  }

  return {
    narrow: (work) =>
      during(async () => {
        // Taking a thread away waits for what it does: only when nothing else runs.
        if (isWide && running === 1 && nowMs() - wideAtMs > WIDE_MS) await become(false)
        return work()
      }),
    wide: (work) =>
      during(async () => {
        await become(true)
        try {
          return await work()
        } finally {
          wideAtMs = nowMs()
        }
      }),
  }
}
