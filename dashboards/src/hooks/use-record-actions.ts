import { useMemo } from 'react'
import type { LogRecord } from '../api.ts'
import { addTerm, filterTerm } from '../model/fields.ts'
import type { ViewState } from '../model/url-state.ts'

/** "Lines around this one" looks this far to both sides. */
const AROUND_MS = 30_000

export interface RecordActions {
  readonly onFilter: (term: string, options: { exclude: boolean }) => void
  /** Everything the host wrote around this line. */
  readonly onAround: (record: LogRecord) => void
}

/** What the lines can do to the query. One object for as long as the query stands, so that lines are not drawn anew. */
export function useRecordActions(q: string, change: (change: Partial<ViewState>) => void): RecordActions {
  return useMemo(
    () => ({
      onFilter: (term, options) => change({ q: addTerm(q, term, options) }),
      onAround(record) {
        const timeMs = Date.parse(record.time)
        change({
          q: record.host === undefined ? '' : filterTerm('host', record.host),
          range: { kind: 'absolute', fromMs: timeMs - AROUND_MS, toMs: timeMs + AROUND_MS },
        })
      },
    }),
    [q, change],
  )
}
