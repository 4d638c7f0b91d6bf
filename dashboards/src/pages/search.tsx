import { useMemo, useState } from 'react'
import type { LogRecord, Session } from '../api.ts'
import { useFixedQuestion } from '../hooks/use-counted.ts'
import { useExploration } from '../hooks/use-exploration.ts'
import { useNow } from '../hooks/use-now.ts'
import { useRecordActions } from '../hooks/use-record-actions.ts'
import { useSelection, useSelectionKeys } from '../hooks/use-selection.ts'
import { useView } from '../hooks/use-view.ts'
import { filterTerm } from '../model/fields.ts'
import { highlighter } from '../model/highlight.ts'
import { widen } from '../model/time-range.ts'
import { askedKey } from '../model/url-state.ts'
import { Completeness } from '../parts/completeness.tsx'
import { ContextDrawer } from '../parts/context-drawer.tsx'
import { Found } from '../parts/found.tsx'
import { Help } from '../parts/help.tsx'
import { Overview } from '../parts/overview.tsx'
import { QueryBar } from '../parts/query-bar.tsx'
import { ProblemBanner } from '../parts/states.tsx'
import './search.css'

/** What is asked, what was found, and what is looked at of it. */
function useSearchPage(nowMs: number) {
  const [view, change] = useView()
  const [turn, setTurn] = useState(0)
  const [scrolledAway, onScrolledAway] = useState(false)
  const [around, setAround] = useState<LogRecord | null>(null)
  const [held, onHold] = useState(false)
  const selection = useSelection()
  const away = scrolledAway || selection.expandedId !== null || view.tab !== 'lines'
  const paused = view.live && (held || away)
  const found = useExploration({ view, turn, paused, nowMs })
  const question = useFixedQuestion(found, view.q, view.live)
  const pattern = useMemo(() => highlighter(view.q), [view.q])
  const actions = useRecordActions(view.q, change, setAround)
  useSelectionKeys(selection, found.rows, view.tab === 'lines')
  const follow = { paused, held, onHold, onScrolledAway }
  const asked = { view, turn, question, pattern }
  return { change, setTurn, found, asked, follow, selection, actions, around, setAround }
}

/** The page: a question on top, what is missing from its answer below it, then the answer. */
export function SearchPage({ session }: { session: Session }) {
  const nowMs = useNow(1000)
  const [gapsOpen, setGapsOpen] = useState(false)
  const [helpOpen, setHelpOpen] = useState(false)
  const page = useSearchPage(nowMs)
  const { change, setTurn, found, asked, follow, selection, actions, around, setAround } = page
  const { view, turn, question, pattern } = asked
  const { problem } = found

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
        onHelp={() => setHelpOpen(true)}
      />
      <Completeness {...found} nowMs={nowMs} open={gapsOpen} onToggle={setGapsOpen} />
      {banner && (
        <ProblemBanner {...{ problem, session, nowMs, onRetry: onRun }} retryAtMs={found.retryAtMs} />
      )}
      <Overview
        {...{ found, nowMs }}
        running={view.range.kind === 'relative'}
        by={view.by}
        onSplit={(by) => change({ by })}
        onFilter={(field, value, options) => actions.onFilter(filterTerm(field, value), options)}
        onZoom={(range) => change({ range: { kind: 'absolute', ...range } })}
        onZoomOut={onWiden}
      />
      <Found
        {...{ found, view, question, nowMs, selection, pattern, actions, onWiden, ...follow }}
        subject={`${turn}${askedKey(view)}`}
        onFollow={() => follow.onHold(false)}
        onTab={(tab) => change({ tab })}
        onShowGaps={() => setGapsOpen(true)}
        onClear={() => change({ q: '' })}
      />
      <ContextDrawer record={around} nowMs={nowMs} onClose={() => setAround(null)} />
      <Help open={helpOpen} onClose={() => setHelpOpen(false)} />
    </main>
  )
}
