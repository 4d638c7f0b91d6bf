import { useNow } from './use-now.ts'

/** What a page that renews itself knows of its answer. */
interface Renewed {
  /** ms since 1970 by this browser's clock; 0: there was no answer yet. */
  readonly dataUpdatedAt: number
  readonly error: unknown
  readonly failureCount: number
}

/** Since when what is shown is old: the last answer came more than `afterMs` ago, and asking failed since. Null: it is not. */
export function useStaleSince(
  { dataUpdatedAt, error, failureCount }: Renewed,
  afterMs: number,
): number | null {
  const nowMs = useNow(1000)
  const failing = error !== null || failureCount > 0
  return failing && dataUpdatedAt > 0 && nowMs - dataUpdatedAt > afterMs ? dataUpdatedAt : null
}
