import type { Terminal } from './terminal.ts'

const PROGRESS_EVERY_MS = 500
const CLEAR_LINE = '\r\u001b[K'

export interface Progress {
  /** Shows how far it is, when the last time is long enough ago. */
  tick(): void
  /** Takes the line away. */
  clear(): void
}

/** One line on standard error that says how far the work is, when somebody watches there. */
export function createProgress({ stderr, clock }: Terminal, describe: () => string): Progress {
  let shownAtMs = clock.monotonicMs()
  let isShown = false
  return {
    tick() {
      if (stderr.isTTY !== true || clock.monotonicMs() - shownAtMs < PROGRESS_EVERY_MS) return
      shownAtMs = clock.monotonicMs()
      isShown = true
      stderr.write(CLEAR_LINE + describe())
    },
    clear() {
      if (isShown) stderr.write(CLEAR_LINE)
      isShown = false
    },
  }
}
