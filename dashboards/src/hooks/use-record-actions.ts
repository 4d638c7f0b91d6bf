import { useMemo } from 'react'
import type { LogRecord } from '../api.ts'
import { addTerm, removeTerm, termState } from '../model/fields.ts'
import type { ViewState } from '../model/url-state.ts'

export interface RecordActions {
  /** Narrows the query to a term or its opposite; what it asks for already is taken back. */
  readonly onFilter: (term: string, options: { exclude: boolean }) => void
  readonly onTop: (field: string) => void
  /** The lines around this one. */
  readonly onAround: (record: LogRecord) => void
}

/** What the lines can do to the page. One object for as long as the query stands, so that lines are not drawn anew. */
export function useRecordActions(
  q: string,
  change: (change: Partial<ViewState>) => void,
  onAround: (record: LogRecord) => void,
): RecordActions {
  return useMemo(
    () => ({
      onFilter(term, options) {
        const already = termState(q, term) === (options.exclude ? 'without' : 'only')
        change({ q: already ? removeTerm(q, term) : addTerm(q, term, options) })
      },
      onTop: (field) => change({ tab: 'top', field }),
      onAround,
    }),
    [q, change, onAround],
  )
}
