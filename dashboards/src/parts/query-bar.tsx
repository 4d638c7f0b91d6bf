import { useEffect, useState } from 'react'
import type { Problem } from '../api.ts'
import { useQueryHistory } from '../hooks/use-query-history.ts'
import { useSuggestions } from '../hooks/use-suggestions.ts'
import type { ViewState } from '../model/url-state.ts'
import { visible } from '../model/visible.ts'
import { Icon } from './icons.tsx'
import { QueryField } from './query-field.tsx'
import { RangePicker } from './range-picker.tsx'
import { ShareMenu } from './share-menu.tsx'

interface QueryBarProps {
  readonly view: ViewState
  readonly nowMs: number
  readonly running: boolean
  readonly problem: Problem | null
  readonly onChange: (change: Partial<ViewState>) => void
  readonly onRun: () => void
  readonly onCancel: () => void
  readonly onHelp: () => void
}

/** The question: words, time, live or not. Enter asks. */
export function QueryBar(props: QueryBarProps) {
  const { view, nowMs, running, problem, onChange, onRun, onCancel, onHelp } = props
  const [draft, setDraft] = useState(view.q)
  const history = useQueryHistory()
  const suggest = useSuggestions(view.range)
  // Links, filters and the browser's Back change the query from outside.
  useEffect(() => setDraft(view.q), [view.q])

  function submit() {
    history.add(draft)
    if (draft.trim() === view.q) onRun()
    else onChange({ q: draft.trim() })
  }

  const faulty = problem !== null && problem.column !== null && draft === view.q
  return (
    <search className="query">
      <form
        className="query-bar"
        onSubmit={(event) => {
          event.preventDefault()
          // The keys of the page work again, and a phone takes its keyboard away.
          if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur()
          submit()
        }}
      >
        <div className="query-field">
          <Icon name="search" />
          <QueryField
            text={draft}
            problem={faulty ? problem : null}
            onChange={setDraft}
            onRun={submit}
            recall={history.recall}
            suggest={suggest}
          />
          {draft !== view.q && <span className="hint enter-hint">Enter to run</span>}
          {draft === view.q && <kbd aria-hidden="true">/</kbd>}
        </div>
        <div className="query-controls">
          <RangePicker range={view.range} nowMs={nowMs} onPick={(range) => onChange({ range })} />
          <LiveToggle view={view} onChange={onChange} />
          <RunButton running={running} onCancel={onCancel} />
          <ShareMenu view={view} nowMs={nowMs} />
          <HelpButton onHelp={onHelp} />
        </div>
      </form>
      <div id="query-problem" role="alert">
        {faulty && <SyntaxProblem problem={problem} />}
      </div>
    </search>
  )
}

function HelpButton({ onHelp }: Pick<QueryBarProps, 'onHelp'>) {
  return (
    <button
      type="button"
      className="button square help-button"
      aria-label="Help: keys and queries"
      aria-keyshortcuts="?"
      title="Help: keys and queries (?)"
      onClick={onHelp}
    >
      ?
    </button>
  )
}

function LiveToggle({ view, onChange }: Pick<QueryBarProps, 'view' | 'onChange'>) {
  const fixed = view.range.kind === 'absolute'
  const title = fixed ? 'A fixed time range has no live tail' : 'Follow lines as they arrive (l)'
  return (
    <button
      type="button"
      className="button live-toggle"
      aria-pressed={view.live}
      aria-keyshortcuts="l"
      disabled={fixed}
      title={title}
      onClick={() => onChange({ live: !view.live })}
    >
      <span className="live-dot" aria-hidden="true" />
      Live
    </button>
  )
}

/** Two buttons with two keys: as one element, Cancel would become the submit button in the middle of its own click. */
function RunButton({ running, onCancel }: Pick<QueryBarProps, 'running' | 'onCancel'>) {
  return running ? (
    <button key="cancel" type="button" className="button run" aria-label="Cancel" onClick={onCancel}>
      <span className="spinner" aria-hidden="true" />
      <span className="label">Cancel</span>
    </button>
  ) : (
    <button
      key="run"
      type="submit"
      className="button primary run"
      aria-label="Run"
      aria-keyshortcuts="r"
      title="Ask again (r)"
    >
      <Icon name="refresh" />
      <span className="label">Run</span>
    </button>
  )
}

/** What the server could not read; the editor underlines where. */
function SyntaxProblem({ problem }: { problem: Problem }) {
  return (
    <p className="syntax-problem">
      <Icon name="alert" />
      <span>
        {visible(problem.message)} <span className="hint">(column {problem.column})</span>
      </span>
    </p>
  )
}
