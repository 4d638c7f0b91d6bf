const BACKOFF_MS_MIN = 50
const BACKOFF_MS_MAX = 2_000

/** How long to wait before the next try. It grows, with jitter so that processes do not come back together. */
export function backoffMs(tries: number): number {
  return Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** tries) * (0.5 + Math.random() / 2)
}
