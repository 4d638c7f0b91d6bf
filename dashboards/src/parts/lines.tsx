import type { Exploration } from '../hooks/use-exploration.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import type { Selection } from '../hooks/use-selection.ts'
import { gapsTotal } from '../model/coverage.ts'
import { moment, plural } from '../model/format.ts'
import { TAIL_ROWS_MAX } from '../model/tail-buffer.ts'
import { rangeLabel, widen } from '../model/time-range.ts'
import type { ViewState } from '../model/url-state.ts'
import { Icon } from './icons.tsx'
import { LiveState, NewLines } from './live-bar.tsx'
import { Results } from './results.tsx'
import { EndOfList, NothingFound, Notice, Skeleton } from './states.tsx'

interface LinesProps {
  readonly found: Exploration
  readonly view: ViewState
  readonly nowMs: number
  readonly paused: boolean
  readonly selection: Selection
  readonly pattern: RegExp | null
  readonly actions: RecordActions
  readonly wrap: boolean
  readonly onWrap: () => void
  readonly onScrolledAway: (away: boolean) => void
  readonly onWiden: () => void
  readonly onShowGaps: () => void
  readonly onClear: () => void
}

/** The lower part of the page: the lines, or why there are none. */
export function Lines(props: LinesProps) {
  const { found, view, nowMs, paused, wrap, onWrap } = props
  const { rows, tail } = found
  return (
    <section className="lines" aria-label="Lines">
      <div className="lines-bar">
        {view.live ? (
          <LiveState tail={tail} paused={paused} nowMs={nowMs} />
        ) : (
          <p className="hint">{rows.length > 0 && `${plural(rows.length, 'line')} loaded, newest first`}</p>
        )}
        <button
          type="button"
          className="button small toggle"
          aria-pressed={wrap}
          aria-keyshortcuts="w"
          title="Wrap long lines (w)"
          onClick={onWrap}
        >
          <Icon name="wrap" />
          Wrap
        </button>
      </div>
      <Body {...props} />
    </section>
  )
}

function Body(props: LinesProps) {
  const { found, view, nowMs, onWiden, onShowGaps, onClear } = props
  const { rows, search, coverage, problem } = found
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
      {...{ onWiden, onShowGaps, onClear }}
    />
  )
}

function List({ found, view, nowMs, selection, pattern, actions, wrap, onScrolledAway }: LinesProps) {
  const { rows, search, tail } = found
  const from = Date.parse(search.answer?.meta.from ?? '')

  function showNew() {
    selection.clear()
    document.querySelector('.results')?.scrollTo({ top: 0 })
    tail.resume()
  }

  return (
    <div className="list">
      {view.live && <NewLines waiting={tail.buffer.waiting.length} onShow={showNew} />}
      <Results
        {...{ rows, pattern, wrap, actions, onScrolledAway }}
        selectedId={selection.selectedId}
        expandedId={selection.expandedId}
        onPress={selection.press}
        stale={view.live ? tail.phase !== 'open' : !search.fresh}
        onNearEnd={search.loadMore}
        footer={
          <EndOfList
            more={search.more}
            held={rows.length}
            problem={search.moreProblem}
            overflowed={view.live && (tail.buffer.overflowed || rows.length >= TAIL_ROWS_MAX)}
            from={Number.isNaN(from) ? 'the start of the range' : moment(from, nowMs)}
            onMore={search.loadMore}
          />
        }
      />
    </div>
  )
}
