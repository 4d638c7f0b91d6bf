import type { Rows } from './rows.ts'

export type Step = 'next' | 'previous' | 'first' | 'last' | 'nextError' | 'previousError'

/** The place that a step leads to, or the one it started from when there is none further that way. -1: none. */
export function nextPlace(rows: Rows, from: number, step: Step): number {
  if (rows.length === 0) return -1
  const to = STEPS[step](rows, from)
  return to >= 0 && to < rows.length ? to : Math.max(from, 0)
}

const STEPS: Readonly<Record<Step, (rows: Rows, at: number) => number>> = {
  next: (_, at) => at + 1,
  previous: (_, at) => Math.max(0, at - 1),
  first: () => 0,
  last: ({ length }) => length - 1,
  nextError: (rows, at) => findError(rows, at + 1, 1),
  previousError: (rows, at) => findError(rows, at - 1, -1),
}

/** Looks as far as lines are held: what is not held cannot be passed over. */
function findError(rows: Rows, from: number, by: 1 | -1): number {
  for (let at = from; ; at += by) {
    const level = rows.at(at)?.level
    if (rows.at(at) === undefined) return -1
    if (level === 'error' || level === 'fatal') return at
  }
}
