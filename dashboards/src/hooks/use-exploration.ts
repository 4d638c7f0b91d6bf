import { useEffect, useMemo, useState } from 'react'
import { histogram, type HistogramAnswer, type LogRecord, type Problem } from '../api.ts'
import { answered, combineCoverage, coverageOf, coverageOfTail, type Coverage } from '../model/coverage.ts'
import { fillBars, type Bar } from '../model/histogram.ts'
import { pageStatus, type Status } from '../model/status.ts'
import { liveRows } from '../model/tail-buffer.ts'
import { rangeParameters } from '../model/time-range.ts'
import { formatView, type ViewState } from '../model/url-state.ts'
import { useAnswer, type Answering } from './use-answer.ts'
import { useSearch, type Search } from './use-search.ts'
import { useTail, type Tail } from './use-tail.ts'

/** A live view counts again this often. */
const LIVE_COUNT_EVERY_MS = 5000

export interface Exploration {
  readonly rows: readonly LogRecord[]
  readonly search: Search
  readonly counts: Answering<HistogramAnswer>
  readonly bars: readonly Bar[]
  readonly tail: Tail
  readonly coverage: Coverage | null
  readonly status: Status
  readonly problem: Problem | null
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
  const { q, live } = view
  const subject = `${turn}${formatView(view)}`
  const question = { q, ...rangeParameters(view.range) }

  const tail = useTail(live ? subject : null, q, paused)
  // The search of a live view starts once the tail listens, so that nothing falls between the two.
  const search = useSearch(live && !tail.connected ? null : subject, question)
  const counts = useAnswer({ subject, turn: useTurns(live) }, (signal) =>
    histogram({ ...question, by: 'level' }, signal),
  )

  const { answer } = counts
  const bars = useMemo(() => (answer === null ? [] : barsOf(answer)), [answer])
  const found = search.fresh || !live ? search.answer?.records : undefined
  const rows = useMemo(
    () => (live ? liveRows(tail.buffer, found ?? []) : (found ?? [])),
    [live, tail.buffer, found],
  )
  const coverage = useMemo(
    () => pageCoverage({ search, counts, tail, live }),
    [search.answer, counts.answer, tail.meta, live],
  )
  const problem = tail.problem ?? search.problem ?? counts.problem
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
    bars,
    tail,
    coverage,
    status,
    problem,
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

function barsOf({ buckets, intervalMs, meta }: HistogramAnswer): readonly Bar[] {
  return fillBars({ buckets, intervalMs, fromMs: Date.parse(meta.from), toMs: Date.parse(meta.to) })
}

/** What all answers on the page say together. */
function pageCoverage(facts: {
  search: Search
  counts: Answering<HistogramAnswer>
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
