import { useEffect, useEffectEvent, useMemo, useState } from 'react'
import type { Session } from '../api.ts'
import { useExploration } from '../hooks/use-exploration.ts'
import { useNow } from '../hooks/use-now.ts'
import { useRecordActions } from '../hooks/use-record-actions.ts'
import { useSelection, useSelectionKeys } from '../hooks/use-selection.ts'
import { useStored } from '../hooks/use-stored.ts'
import type { Theme } from '../hooks/use-theme.ts'
import { useView } from '../hooks/use-view.ts'
import { filterTerm } from '../model/fields.ts'
import { highlighter } from '../model/highlight.ts'
import { widen } from '../model/time-range.ts'
import { Completeness } from './completeness.tsx'
import { CopyLink } from './copy-link.tsx'
import { Header, ThemeButton } from './header.tsx'
import { Help } from './help.tsx'
import { Lines } from './lines.tsx'
import { Overview } from './overview.tsx'
import { QueryBar } from './query-bar.tsx'
import { ProblemBanner } from './states.tsx'

interface ExplorerProps {
  readonly session: Session
  readonly theme: Theme
  readonly onCycleTheme: () => void
  readonly onSignOut: () => void
  readonly onSessionEnded: () => void
}

/** The page: a question on top, what is missing from its answer below it, then the answer. */
export function Explorer({ session, theme, onCycleTheme, onSignOut, onSessionEnded }: ExplorerProps) {
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
  const { problem, rows, coverage } = found
  useSelectionKeys(selection, rows)
  useSessionEnd(problem?.status === 401 || found.search.moreProblem?.status === 401, onSessionEnded)

  const onRun = () => setTurn((before) => before + 1)
  const onWiden = () => change({ range: widen(view.range, nowMs) })
  const sites = coverage?.sites.map((site) => site.name).filter((name) => name !== '') ?? []
  // A live view tries again by itself; the line above says since when.
  const banner = problem !== null && problem.column === null && !(view.live && problem.retryable)
  return (
    <div className="page">
      <Header {...{ sites, session, onSignOut }} onHelp={() => setHelpOpen(true)}>
        <CopyLink view={view} nowMs={nowMs} />
        <ThemeButton theme={theme} onCycle={onCycleTheme} />
      </Header>
      <main>
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
      </main>
      <Help open={helpOpen} onClose={() => setHelpOpen(false)} />
    </div>
  )
}

function useSessionEnd(ended: boolean, onEnd: () => void): void {
  const end = useEffectEvent(onEnd)
  useEffect(() => {
    if (ended) end()
  }, [ended])
}
