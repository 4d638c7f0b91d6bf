import { useRef, useState } from 'react'
import { asProblem, isAbort, search, type Problem, type Question, type SearchAnswer } from '../api.ts'
import { combineCoverage, coverageOf, type Coverage } from '../model/coverage.ts'
import { useAnswer, type Answering } from './use-answer.ts'

const PAGE_LINES = 200
/** More lines than anybody scrolls through; a narrower question finds older ones. */
const LINES_HELD_MAX = 20_000

/** All pages so far as one answer. */
export interface FoundLines extends SearchAnswer {
  /** Of every page: what was missing from an earlier one is still missing when a later one is complete. */
  readonly coverage: Coverage
}

export interface Search extends Answering<FoundLines> {
  readonly more: 'none' | 'ready' | 'running' | 'failed' | 'full'
  readonly moreProblem: Problem | null
  readonly cancel: () => void
  readonly loadMore: () => void
}

/** Lines, newest first, page after page. `key` changes when the question or its moment does; null: do not ask yet. */
export function useSearch(key: string | null, question: Question): Search {
  const paging = useRef<{ key: string | null; abort: AbortController } | null>(null)
  const [page, setPage] = useState<{ running: boolean; problem: Problem | null }>({
    running: false,
    problem: null,
  })
  const first = useAnswer({ subject: key }, (signal) => {
    paging.current?.abort.abort()
    paging.current = null
    setPage({ running: false, problem: null })
    return firstPage(question, signal)
  })
  const cursor = first.answer?.meta.truncated === true ? first.answer.meta.cursor : undefined

  async function loadPage(after: string) {
    const abort = new AbortController()
    paging.current = { key, abort }
    setPage({ running: true, problem: null })
    try {
      const next = await search({ ...question, limit: PAGE_LINES, cursor: after }, abort.signal)
      if (abort.signal.aborted) return
      first.replace((held) => addPage(held, next))
      setPage({ running: false, problem: null })
    } catch (error) {
      if (abort.signal.aborted || isAbort(error)) return
      setPage({ running: false, problem: asProblem(error) })
    } finally {
      if (paging.current?.abort === abort) paging.current = null
    }
  }

  const full = (first.answer?.records.length ?? 0) >= LINES_HELD_MAX
  return {
    ...first,
    more: moreState({ cursor, full, ...page }),
    moreProblem: page.problem,
    loadMore() {
      if (cursor !== undefined && !full && paging.current === null && first.fresh) void loadPage(cursor)
    },
  }
}

async function firstPage(question: Question, signal: AbortSignal): Promise<FoundLines> {
  const answer = await search({ ...question, limit: PAGE_LINES }, signal)
  return { ...answer, coverage: coverageOf(answer.meta) }
}

function addPage(held: FoundLines, { records, meta }: SearchAnswer): FoundLines {
  const coverage = combineCoverage([held.coverage, coverageOf(meta)]) ?? held.coverage
  return { records: [...held.records, ...records], meta, coverage }
}

function moreState(facts: {
  cursor: string | undefined
  full: boolean
  running: boolean
  problem: Problem | null
}): Search['more'] {
  if (facts.cursor === undefined) return 'none'
  if (facts.full) return 'full'
  if (facts.running) return 'running'
  return facts.problem === null ? 'ready' : 'failed'
}
