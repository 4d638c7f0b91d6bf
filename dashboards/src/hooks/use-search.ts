import { useEffect, useEffectEvent, useMemo, useRef, useState } from 'react'
import { asProblem, isAbort, search, type AnswerMeta, type Problem, type Question } from '../api.ts'
import { combineCoverage, coverageOf, type Coverage } from '../model/coverage.ts'
import {
  NO_PAGES,
  ROWS_MAX,
  addPage,
  dropFar,
  droppedPage,
  refillPage,
  rowsOfPages,
  type Pages,
} from '../model/pages.ts'
import type { Rows } from '../model/rows.ts'
import { useAnswer, type Answering } from './use-answer.ts'

const PAGE_LINES = 200
/** Who scrolls on and on gets larger pages. */
const LARGE_PAGE_LINES = 1000
const LARGE_PAGES_AFTER_LINES = 1000
/** A page that is asked for again may have got late lines. */
const LATE_LINES = 200
/** A page that could not be had is asked for again after this long. */
const RETRY_MS = 2000

/** All pages so far as one answer. */
export interface FoundLines {
  readonly pages: Pages
  readonly meta: AnswerMeta
  /** Of every page: what was missing from an earlier one is still missing when a later one is complete. */
  readonly coverage: Coverage
}

export interface Search extends Answering<FoundLines> {
  readonly rows: Rows
  readonly more: 'none' | 'ready' | 'running' | 'failed' | 'full'
  readonly moreProblem: Problem | null
  readonly cancel: () => void
  readonly loadMore: () => void
  /** Says which lines are looked at: those far away are dropped, dropped ones near are asked for again. */
  readonly look: (first: number, last: number) => void
}

interface Paging {
  readonly running: boolean
  readonly problem: Problem | null
}

const RESTING: Paging = { running: false, problem: null }

/** Lines, newest first, page after page. `key` changes when the question or its moment does; null: do not ask yet. A new `turn` asks the same again. */
export function useSearch(key: string | null, question: Question, turn = 0): Search {
  const underWay = useRef<AbortController | null>(null)
  const [paging, setPaging] = useState<Paging>(RESTING)
  const [looked, setLooked] = useState({ first: 0, last: 0 })
  const first = useAnswer({ subject: key, turn }, async (signal) => {
    underWay.current?.abort()
    underWay.current = null
    setPaging(RESTING)
    return await firstPage(question, signal)
  })
  const { answer, fresh, replace } = first
  const pages = answer?.pages ?? NO_PAGES
  const rows = useMemo(() => rowsOfPages(pages), [pages])
  const full = pages.length >= ROWS_MAX
  useEffect(() => () => underWay.current?.abort(), [key])

  /** One page at a time; what it brings is put in by `take`. */
  async function load(cursor: string | undefined, limit: number, take: Take) {
    const abort = new AbortController()
    underWay.current = abort
    setPaging({ running: true, problem: null })
    try {
      const { records, meta } = await search(
        { ...question, limit, ...(cursor === undefined ? {} : { cursor }) },
        abort.signal,
      )
      if (abort.signal.aborted) return
      const fetched = { records, next: nextOf(meta) }
      replace((held) => ({
        meta: held.meta,
        coverage: combineCoverage([held.coverage, coverageOf(meta)]) ?? held.coverage,
        pages: dropFar(take(held.pages, fetched), looked),
      }))
      setPaging(RESTING)
    } catch (error) {
      if (abort.signal.aborted || isAbort(error)) return
      setPaging({ running: false, problem: asProblem(error) })
    } finally {
      if (underWay.current === abort) underWay.current = null
    }
  }

  const refill = useEffectEvent(() => {
    const at = droppedPage(pages, looked)
    const page = pages.pages[at]
    if (page === undefined || underWay.current !== null || !fresh || paging.problem !== null) return
    const limit = Math.min(LARGE_PAGE_LINES, page.count + LATE_LINES)
    void load(page.cursor, limit, (held, fetched) => refillPage(held, at, fetched))
  })
  useEffect(() => refill(), [pages, looked, paging])
  useEffect(() => {
    if (paging.problem?.retryable !== true) return undefined
    const timer = setTimeout(() => setPaging(RESTING), RETRY_MS)
    return () => clearTimeout(timer)
  }, [paging.problem])

  return {
    ...first,
    rows,
    more: moreState({ next: pages.next, full, ...paging }),
    moreProblem: paging.problem,
    loadMore() {
      if (pages.next === undefined || full || underWay.current !== null || !fresh) return
      const large = pages.length >= LARGE_PAGES_AFTER_LINES
      void load(pages.next, large ? LARGE_PAGE_LINES : PAGE_LINES, addPage)
    },
    look: (from, to) =>
      setLooked((before) =>
        before.first === from && before.last === to ? before : { first: from, last: to },
      ),
  }
}

type Take = (held: Pages, fetched: Parameters<typeof addPage>[1]) => Pages

async function firstPage(question: Question, signal: AbortSignal): Promise<FoundLines> {
  const { records, meta } = await search({ ...question, limit: PAGE_LINES }, signal)
  const pages = addPage(NO_PAGES, { records, next: nextOf(meta) })
  return { pages, meta, coverage: coverageOf(meta) }
}

function nextOf({ truncated, cursor }: AnswerMeta): string | undefined {
  return truncated ? cursor : undefined
}

function moreState(facts: Paging & { next: string | undefined; full: boolean }): Search['more'] {
  if (facts.next === undefined) return 'none'
  if (facts.full) return 'full'
  if (facts.running) return 'running'
  return facts.problem === null ? 'ready' : 'failed'
}
