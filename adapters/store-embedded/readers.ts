/** Counts who reads what, so that it goes only when nobody does. */
export interface Readers<T> {
  hold(things: readonly T[]): void
  release(things: readonly T[]): void
  /** Nobody new will hold it: it goes once the last reader is done. */
  retire(thing: T): void
}

/** `drop` is called once for everything that is retired. */
export function createReaders<T>(drop: (thing: T) => void): Readers<T> {
  const readers = new Map<T, number>()
  const retired = new Set<T>()

  function dropIfFree(thing: T): void {
    if (readers.has(thing) || !retired.delete(thing)) return
    drop(thing)
  }

  return {
    hold(things) {
      for (const thing of things) readers.set(thing, (readers.get(thing) ?? 0) + 1)
    },
    release(things) {
      for (const thing of things) {
        const count = (readers.get(thing) ?? 0) - 1
        if (count > 0) readers.set(thing, count)
        else readers.delete(thing)
        dropIfFree(thing)
      }
    },
    retire(thing) {
      retired.add(thing)
      dropIfFree(thing)
    },
  }
}
