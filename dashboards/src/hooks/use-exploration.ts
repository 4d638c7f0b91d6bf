import { useEffect, useMemo, useState } from 'react'
import { histogram, type AnswerMeta, type Problem, type Question } from '../api.ts'
import { answered, combineCoverage, coverageOf, coverageOfTail, type Coverage } from '../model/coverage.ts'
import { countsOf, type Counts, type Split } from '../model/histogram.ts'
import { newestHeld } from '../model/pages.ts'
import { rowsOf, type Rows } from '../model/rows.ts'
import { pageStatus, type Status } from '../model/status.ts'
import { liveRows } from '../model/tail-buffer.ts'
import { rangeParameters } from '../model/time-range.ts'
import { askedKey, type ViewState } from '../model/url-state.ts'
import { useAnswer, type Answering } from './use-answer.ts'
import { useRetries } from './use-retries.ts'
import { useSearch, type Search } from './use-search.ts'
import { useTail, type Tail } from './use-tail.ts'

/** A live view counts again this often. */
const LIVE_COUNT_EVERY_MS = 5000
const NO_ROWS = rowsOf([])

export interface CountAnswer {
  readonly counts: Counts
  readonly meta: AnswerMeta
}

export interface Exploration {
  readonly rows: Rows
  readonly search: Search
  readonly counts: Answering<CountAnswer>
  readonly tail: Tail
  readonly coverage: Coverage | null
  readonly status: Status
  readonly problem: Problem | null
  /** When what failed is asked again by itself. */
  readonly retryAtMs: number | null
  readonly running: boolean
  readonly cancel: () => void
}

/** Everything that is asked for one view, and what it all says together. `turn` changes to ask again. */
export function useExploration(facts: {
  view: ViewState
  turn: number
  paused: boolean
  nowMs: number
}): Exploration {
  const { view, turn, paused, nowMs } = facts
  const { q, live, by } = view
  const subject = `${turn}${askedKey(view)}`
  const question = { q, ...rangeParameters(view.range) }
  const [failed, setFailed] = useState<Problem | null>(null)
  const retries = useRetries(failed)

  const tail = useTail(live ? subject : null, q, paused)
  // The search of a live view starts once the tail listens, so that nothing falls between the two.
  const search = useSearch(live && !tail.connected ? null : subject, question, retries.turn)
  const counts = useAnswer({ subject: `${subject} ${by}`, turn: useTurns(live) + retries.turn }, (signal) =>
    count({ ...question, by }, signal),
  )

  const found = (search.fresh || !live) && search.answer !== null ? search.answer.pages : null
  const rows = useMemo(() => {
    if (live) return rowsOf(liveRows(tail.buffer, found === null ? [] : newestHeld(found)))
    return found === null ? NO_ROWS : search.rows
  }, [live, tail.buffer, found, search.rows])
  const coverage = useMemo(
    () => pageCoverage({ search, counts, tail, live }),
    [search.answer, counts.answer, tail.meta, live],
  )
  const asked = search.problem ?? counts.problem
  useEffect(() => setFailed(asked), [asked])
  const problem = tail.problem ?? asked
  const heardAtMs = [search.answeredAtMs, counts.answeredAtMs, tail.heardAtMs].filter((at) => at !== null)
  const status = pageStatus({
    nowMs,
    coverage,
    answeredAtMs: heardAtMs.length === 0 ? null : Math.max(...heardAtMs),
    fresh: search.fresh && counts.fresh && (!live || tail.meta !== null),
    problem,
    cancelled: search.cancelled || counts.cancelled,
    tail,
  })
  return {
    rows,
    search,
    counts,
    tail,
    coverage,
    status,
    problem,
    retryAtMs: retries.atMs,
    running: search.running || (counts.running && !counts.fresh),
    cancel() {
      search.cancel()
      counts.cancel()
    },
  }
}

/** Counts up every few seconds while `on`. */
function useTurns(on: boolean): number {
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    if (!on) return undefined
    const timer = setInterval(() => setTurn((before) => before + 1), LIVE_COUNT_EVERY_MS)
    return () => clearInterval(timer)
  }, [on])
  return turn
}

async function count(question: Question & { by: Split }, signal: AbortSignal): Promise<CountAnswer> {
  const { buckets, intervalMs, meta } = await histogram(question, signal)
  const range = { fromMs: Date.parse(meta.from), toMs: Date.parse(meta.to) }
  return { counts: countsOf({ buckets, by: question.by, intervalMs, ...range }), meta }
}

/** What all answers on the page say together. */
function pageCoverage(facts: {
  search: Search
  counts: Answering<CountAnswer>
  tail: Tail
  live: boolean
}): Coverage | null {
  const { search, counts, tail, live } = facts
  const counted = counts.answer === null ? [] : [coverageOf(counts.answer.meta)]
  const found = search.answer === null ? [] : [search.answer.coverage]
  if (!live || tail.meta === null) return combineCoverage([...counted, ...found])
  // The count is renewed and the tail brings what was late: the first search only matters when a site did not answer it.
  const failed = found.filter(({ sites }) => sites.some((site) => !answered(site)))
  const followed = coverageOfTail(tail.meta)
  const all = combineCoverage([...counted, ...failed, followed])
  // Without a gap anywhere, the tail goes on from where the older answers end.
  return all?.complete === true ? { ...all, completeToMs: followed.completeToMs } : all
}
