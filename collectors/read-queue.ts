/**
 * Lets a few items at a time take their turn, first come first served. An item that is added while it waits or runs gets one more turn,
 * never two at once.
 */
export interface ReadQueue<Item> {
  add(item: Item): void
  /** Whether a turn of it is running or to come. */
  has(item: Item): boolean
  /** Resolves when no turn is running or to come. */
  idle(): Promise<void>
  /** Starts no more turns. */
  stop(): void
}

/** `turn` must not reject; it says whether the item wants another one. */
export function createReadQueue<Item>(
  concurrencyMax: number,
  turn: (item: Item) => Promise<boolean>,
): ReadQueue<Item> {
  const waiting = new Set<Item>() // a Set keeps the order
  const running = new Set<Item>()
  let onIdle: (() => void)[] = []
  let stopped = false

  function launch(): void {
    for (const item of waiting) {
      if (stopped || running.size >= concurrencyMax) break
      if (running.has(item)) continue
      waiting.delete(item)
      running.add(item)
      void turn(item).then((again) => {
        running.delete(item)
        if (again) waiting.add(item)
        launch()
      })
    }
    if (running.size > 0 || (waiting.size > 0 && !stopped)) return
    for (const resolve of onIdle.splice(0)) resolve()
  }

  return {
    add(item) {
      waiting.add(item)
      launch()
    },
    has: (item) => waiting.has(item) || running.has(item),
    idle: () =>
      new Promise((resolve) => {
        onIdle.push(resolve)
        launch()
      }),
    stop() {
      stopped = true
      waiting.clear()
      launch()
    },
  }
}
