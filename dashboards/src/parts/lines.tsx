import type { Exploration } from '../hooks/use-exploration.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import type { Selection } from '../hooks/use-selection.ts'
import { useStoreEmpty } from '../hooks/use-store-empty.ts'
import { gapsTotal } from '../model/coverage.ts'
import { moment } from '../model/format.ts'
import { TAIL_ROWS_MAX } from '../model/tail-buffer.ts'
import { rangeLabel, widen } from '../model/time-range.ts'
import type { ViewState } from '../model/url-state.ts'
import { NewLines } from './live-bar.tsx'
import { Results } from './results.tsx'
import { EndOfList, NothingFound, Notice, Skeleton } from './states.tsx'

export interface LinesProps {
  readonly found: Exploration
  readonly view: ViewState
  /** Changes with the question. */
  readonly subject: string
  readonly nowMs: number
  readonly selection: Selection
  readonly pattern: RegExp | null
  readonly actions: RecordActions
  readonly wrap: boolean
  readonly onScrolledAway: (away: boolean) => void
  /** Ends a pause. */
  readonly onFollow: () => void
  readonly onWiden: () => void
  readonly onShowGaps: () => void
  readonly onClear: () => void
}

/** The lines, or why there are none. */
export function Lines(props: LinesProps) {
  const { found, view, nowMs, onWiden, onShowGaps, onClear } = props
  const { rows, search, coverage, problem } = found
  const nothing = rows.length === 0 && problem === null && search.fresh
  const storeEmpty = useStoreEmpty(nothing && view.q === '')
  if (rows.length > 0) return <List {...props} />
  if (problem !== null)
    return (
      <Notice title="No lines to show">
        <p>The query has no answer yet.</p>
      </Notice>
    )
  if (search.cancelled)
    return (
      <Notice title="Cancelled">
        <p>Run asks again.</p>
      </Notice>
    )
  if (!search.fresh) return <Skeleton />
  return (
    <NothingFound
      query={view.q}
      widerLabel={rangeLabel(widen(view.range, nowMs), nowMs)}
      gaps={coverage === null ? 0 : gapsTotal(coverage)}
      live={view.live}
      {...{ storeEmpty, onWiden, onShowGaps, onClear }}
    />
  )
}

function List(props: LinesProps) {
  const { found, view, nowMs, selection } = props
  const { rows, search, tail } = found
  const from = Date.parse(search.answer?.meta.from ?? '')

  function showNew() {
    selection.clear()
    props.onFollow()
    document.querySelector('.results')?.scrollTo({ top: 0 })
    tail.resume()
  }

  return (
    <div className="list">
      {view.live && <NewLines waiting={tail.buffer.waiting.length} onShow={showNew} />}
      <Results
        {...props}
        rows={rows}
        q={view.q}
        live={view.live}
        stale={view.live ? tail.phase !== 'open' : !search.fresh}
        ready={search.more === 'ready'}
        onNearEnd={search.loadMore}
        onLook={search.look}
        footer={
          <EndOfList
            more={search.more}
            held={rows.length}
            problem={search.moreProblem}
            dropped={
              view.live && (tail.buffer.dropped > 0 || rows.length >= TAIL_ROWS_MAX)
                ? tail.buffer.dropped
                : null
            }
            from={Number.isNaN(from) ? 'the start of the range' : moment(from, nowMs)}
            onMore={search.loadMore}
          />
        }
      />
    </div>
  )
}
