import { orAborted } from '../core/abort.ts'
import { ServiceError } from '../core/errors.ts'

interface Waiting<Item> {
  readonly item: Item
  readonly settle: PromiseWithResolvers<void>
}

/**
 * Sends one item at a time; of those that come meanwhile only the newest waits. One whose place a newer one took rejects with
 * OVERLOADED. `send` has to settle by a deadline of its own: nothing else is sent before.
 */
export function createLatestOnly<Item>(
  send: (item: Item) => Promise<void>,
): (item: Item, signal: AbortSignal) => Promise<void> {
  let sending = false
  let waiting: Waiting<Item> | null = null

  async function run(first: Waiting<Item>) {
    sending = true
    for (let next: Waiting<Item> | null = first; next !== null; next = take()) {
      await send(next.item).then(next.settle.resolve, next.settle.reject)
    }
    sending = false
  }

  function take(): Waiting<Item> | null {
    const next = waiting
    waiting = null
    return next
  }

  return async (item, signal) => {
    signal.throwIfAborted()
    const mine = { item, settle: Promise.withResolvers<void>() }
    mine.settle.promise.catch(() => undefined)
    if (sending) {
      waiting?.settle.reject(new ServiceError('OVERLOADED', 'a newer one took its place'))
      waiting = mine
    } else void run(mine)
    await orAborted(mine.settle.promise, signal)
  }
}
