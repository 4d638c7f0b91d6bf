/** Maps all items with at most `concurrencyMax` at once; results in the order of the items. After a failure nothing new is started. */
export async function mapBounded<T, R>(
  items: readonly T[],
  concurrencyMax: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const waiting = items.entries()
  const results: R[] = []
  let failed = false

  async function work() {
    for (const [index, item] of waiting) {
      if (failed) return
      results[index] = await map(item)
    }
  }
  const workers = Array.from({ length: Math.min(concurrencyMax, items.length) }, work)
  try {
    await Promise.all(workers)
  } finally {
    failed = true
  }
  return results
}
