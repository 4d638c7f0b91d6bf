import { useMemo, useState } from 'react'
import { useExploration } from '../hooks/use-exploration.ts'
import { useNow } from '../hooks/use-now.ts'
import { useRecordActions } from '../hooks/use-record-actions.ts'
import { useSelection, useSelectionKeys } from '../hooks/use-selection.ts'
import { useStored } from '../hooks/use-stored.ts'
import { useShortcuts } from '../hooks/use-shortcuts.ts'
import { useView } from '../hooks/use-view.ts'
import { filterTerm } from '../model/fields.ts'
import { highlighter } from '../model/highlight.ts'
import { widen } from '../model/time-range.ts'
import { Completeness } from '../parts/completeness.tsx'
import { Help } from '../parts/help.tsx'
import { Lines } from '../parts/lines.tsx'
import { Overview } from '../parts/overview.tsx'
import { QueryBar } from '../parts/query-bar.tsx'
import { ProblemBanner } from '../parts/states.tsx'
import './search.css'

/** The page: a question on top, what is missing from its answer below it, then the answer. */
export function SearchPage() {
  const [view, change] = useView()
  const [turn, setTurn] = useState(0)
  const nowMs = useNow(1000)
  const [scrolledAway, onScrolledAway] = useState(false)
  const [gapsOpen, setGapsOpen] = useState(false)
  const [helpOpen, setHelpOpen] = useState(false)
  const [wrap, setWrap] = useStored('wrap', ['off', 'on'])
  const selection = useSelection()
  const paused = view.live && (scrolledAway || selection.expandedId !== null)
  const found = useExploration({ view, turn, paused, nowMs })
  const pattern = useMemo(() => highlighter(view.q), [view.q])
  const actions = useRecordActions(view.q, change)
  const { problem, rows } = found
  useSelectionKeys(selection, rows)
  useShortcuts({ '?': () => setHelpOpen(true) })

  const onRun = () => setTurn((before) => before + 1)
  const onWiden = () => change({ range: widen(view.range, nowMs) })
  // A live view tries again by itself; the line above says since when.
  const banner = problem !== null && problem.column === null && !(view.live && problem.retryable)
  return (
    <main className="search-page">
      <QueryBar
        {...{ view, nowMs, problem, onRun }}
        running={found.running}
        onChange={change}
        onCancel={found.cancel}
      />
      <Completeness {...found} nowMs={nowMs} open={gapsOpen} onToggle={setGapsOpen} />
      {banner && <ProblemBanner problem={problem} onRetry={onRun} />}
      <Overview
        {...{ found, nowMs }}
        running={view.range.kind === 'relative'}
        onLevel={(level) => actions.onFilter(filterTerm('level', level), { exclude: false })}
        onZoom={(range) => change({ range: { kind: 'absolute', ...range } })}
        onZoomOut={onWiden}
      />
      <Lines
        {...{ found, view, nowMs, paused, selection, pattern, actions, onScrolledAway, onWiden }}
        wrap={wrap === 'on'}
        onWrap={() => setWrap(wrap === 'on' ? 'off' : 'on')}
        onShowGaps={() => setGapsOpen(true)}
        onClear={() => change({ q: '' })}
      />
      <Help open={helpOpen} onClose={() => setHelpOpen(false)} />
    </main>
  )
}
