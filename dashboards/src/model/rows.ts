import type { LogRecord } from '../api.ts'

/** Lines by their place, newest first. A place whose line is not held at the moment gives undefined. */
export interface Rows {
  readonly length: number
  readonly at: (index: number) => LogRecord | undefined
  /** -1 for a line that is not held. */
  readonly indexOf: (id: string) => number
  /** Times of the first and the last line, held or not; null without lines. */
  readonly ends: { readonly newest: string; readonly oldest: string } | null
}

export function rowsOf(records: readonly LogRecord[]): Rows {
  const [first, last] = [records[0], records.at(-1)]
  return {
    length: records.length,
    ends: first === undefined || last === undefined ? null : { newest: first.time, oldest: last.time },
    at: (index) => records[index],
    indexOf: (id) => records.findIndex((record) => record.id === id),
  }
}
