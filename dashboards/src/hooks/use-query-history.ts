import { useRef } from 'react'
import { recall, remember } from '../model/query-history.ts'

const STORED_AS = 'noctule.queries'

export interface QueryHistory {
  readonly add: (query: string) => void
  readonly recall: (text: string, step: 1 | -1) => string | null
}

/** The queries that this browser asked, for the arrow keys. */
export function useQueryHistory(): QueryHistory {
  const history = useRef<QueryHistory>(null)
  history.current ??= createHistory()
  return history.current
}

function createHistory(): QueryHistory {
  let queries = read()
  return {
    add(query) {
      queries = remember(queries, query)
      try {
        localStorage.setItem(STORED_AS, JSON.stringify(queries))
      } catch {
        // Storage is off: they are kept as long as the page.
      }
    },
    recall: (text, step) => recall(queries, text, step),
  }
}

function read(): readonly string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED_AS) ?? '[]')
    return Array.isArray(stored) ? stored.filter((query) => typeof query === 'string') : []
  } catch {
    return []
  }
}
