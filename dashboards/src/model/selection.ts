import type { LogRecord } from '../api.ts'

export type Step = 'next' | 'previous' | 'first' | 'last' | 'nextError' | 'previousError'

/** The line that a step leads to: its id, or the one it started from when there is none further that way. */
export function nextLine(rows: readonly LogRecord[], fromId: string | null, step: Step): string | null {
  const at = fromId === null ? -1 : rows.findIndex((record) => record.id === fromId)
  const found = STEPS[step](rows, at)
  return found?.id ?? (at < 0 ? (rows[0]?.id ?? null) : fromId)
}

type Rows = readonly LogRecord[]

const STEPS: Readonly<Record<Step, (rows: Rows, at: number) => LogRecord | undefined>> = {
  next: (rows, at) => rows[at + 1],
  previous: (rows, at) => rows[Math.max(0, at - 1)],
  first: (rows) => rows[0],
  last: (rows) => rows.at(-1),
  nextError: (rows, at) => rows.find((record, index) => index > at && isError(record)),
  previousError: (rows, at) => rows.findLast((record, index) => index < at && isError(record)),
}

function isError({ level }: LogRecord): boolean {
  return level === 'error' || level === 'fatal'
}
