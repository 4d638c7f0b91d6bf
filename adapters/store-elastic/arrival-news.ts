import type { Clock } from '../../core/ports.ts'
import type { LedgerDocuments } from './ledger-documents.ts'

/** Tells listeners of new records: of those stored here at once, of others' soon. */
export interface ArrivalNews {
  /** Records were stored by this process. */
  arrived(): void
  /** `Store.onArrival`. */
  onArrival(listener: () => void): () => void
  close(): void
}

/** While somebody listens. */
const LOOK_EVERY_MS = 1_000

export function createArrivalNews({
  ledger,
  clock,
}: {
  readonly ledger: Pick<LedgerDocuments, 'sync' | 'horizon'>
  readonly clock: Clock
}): ArrivalNews {
  const listeners = new Set<() => void>()
  let seen = 0
  let cancel: (() => void) | null = null

  function tell(): void {
    for (const listener of listeners) queueMicrotask(listener)
  }

  async function look(): Promise<void> {
    await ledger.sync().catch(() => undefined) // Whoever asks for the records hears of it.
    const horizon = ledger.horizon()
    if (horizon !== seen) tell()
    seen = horizon
    if (cancel !== null) cancel = clock.after(LOOK_EVERY_MS, () => void look())
  }

  function stop(): void {
    cancel?.()
    cancel = null
  }

  return {
    arrived: tell,
    onArrival(listener) {
      listeners.add(listener)
      cancel ??= clock.after(LOOK_EVERY_MS, () => void look())
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) stop()
      }
    },
    close() {
      listeners.clear()
      stop()
    },
  }
}
