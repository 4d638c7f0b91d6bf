import type { CheckState } from '../../core/health.ts'

/** From good to bad. */
const BY_BADNESS: readonly CheckState[] = ['ok', 'warn', 'unknown', 'fail']

/** What became of a check so far. Times are monotonic ms. */
export interface Course {
  readonly state: CheckState
  /** False: nothing good was seen yet, and nothing bad for long enough: `state` is `unknown`. */
  readonly settled: boolean
  /** Since when it is in this state. */
  readonly sinceMs: number
  /** For each of BY_BADNESS: since when everything that was seen was at least so bad, … */
  readonly atLeast: readonly (number | null)[]
  /** … or at most so bad. Null: the last was not. */
  readonly atMost: readonly (number | null)[]
}

export interface Change {
  readonly before: CheckState
  readonly state: CheckState
  /** Since when it was seen like that. */
  readonly sinceMs: number
  /** How long the state before lasted. */
  readonly lastedMs: number
}

/**
 * A state becomes worse once everything seen for `forMs` was at least as bad as the new one, and better once everything was at most as
 * bad: so a check that alternates between warn and fail warns, and one that flaps from ok to fail and back stays what it was.
 * At the start a good sight counts at once, bad ones after `forMs`.
 */
export function nextCourse(
  course: Course | null,
  seen: CheckState,
  { atMs, forMs }: { atMs: number; forMs: number },
): { course: Course; change: Change | null } {
  const before = course ?? startOf(atMs)
  const level = BY_BADNESS.indexOf(seen)
  const atLeast = before.atLeast.map((sinceMs, at) => (level >= at ? (sinceMs ?? atMs) : null))
  const atMost = before.atMost.map((sinceMs, at) => (level <= at ? (sinceMs ?? atMs) : null))
  const next = { ...before, atLeast, atMost }
  if (!before.settled && seen === 'ok') return settle(next, { to: 0, atMs, sinceMs: atMs })
  const now = before.settled ? BY_BADNESS.indexOf(before.state) : 0
  const held = (sinceMs: number | null | undefined): sinceMs is number =>
    typeof sinceMs === 'number' && atMs - sinceMs >= forMs
  for (let worse = BY_BADNESS.length - 1; worse > now; worse--) {
    const sinceMs = atLeast[worse]
    if (held(sinceMs)) return settle(next, { to: worse, atMs, sinceMs })
  }
  for (let better = 0; better < now; better++) {
    const sinceMs = atMost[better]
    if (held(sinceMs)) return settle(next, { to: better, atMs, sinceMs })
  }
  return { course: next, change: null }
}

/** Nothing was seen yet. */
export function startOf(atMs: number): Course {
  const never = BY_BADNESS.map(() => null)
  return { state: 'unknown', settled: false, sinceMs: atMs, atLeast: never, atMost: never }
}

/** A first state that is good is no news. */
function settle(
  before: Course,
  { to, atMs, sinceMs }: { to: number; atMs: number; sinceMs: number },
): { course: Course; change: Change | null } {
  const state = BY_BADNESS[to] ?? 'unknown'
  const course = { ...before, state, settled: true, sinceMs: atMs }
  if (!before.settled && state === 'ok') return { course, change: null }
  return { course, change: { before: before.state, state, sinceMs, lastedMs: atMs - before.sinceMs } }
}
