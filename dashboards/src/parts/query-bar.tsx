import { useEffect, useState } from 'react'
import type { Problem } from '../api.ts'
import type { ViewState } from '../model/url-state.ts'
import { Icon } from './icons.tsx'
import { RangePicker } from './range-picker.tsx'

interface QueryBarProps {
  readonly view: ViewState
  readonly nowMs: number
  readonly running: boolean
  readonly problem: Problem | null
  readonly onChange: (change: Partial<ViewState>) => void
  readonly onRun: () => void
  readonly onCancel: () => void
}

/** The question: words, time, live or not. Enter asks. */
export function QueryBar({ view, nowMs, running, problem, onChange, onRun, onCancel }: QueryBarProps) {
  const [draft, setDraft] = useState(view.q)
  // Links, filters and the browser's Back change the query from outside.
  useEffect(() => setDraft(view.q), [view.q])

  function submit() {
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
          <input
            type="text"
            value={draft}
            placeholder="Search all lines: words, field:value, AND, OR, NOT"
            aria-label="Query"
            aria-keyshortcuts="/"
            aria-invalid={faulty}
            aria-describedby="query-problem"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            enterKeyHint="search"
            onChange={(event) => setDraft(event.target.value)}
            onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
          />
          {draft !== view.q && <span className="hint enter-hint">Enter to run</span>}
          {draft === view.q && <kbd aria-hidden="true">/</kbd>}
        </div>
        <div className="query-controls">
          <RangePicker range={view.range} nowMs={nowMs} onPick={(range) => onChange({ range })} />
          <LiveToggle view={view} onChange={onChange} />
          <RunButton running={running} onCancel={onCancel} />
        </div>
      </form>
      <div id="query-problem" role="alert">
        {faulty && <SyntaxProblem query={view.q} problem={problem} />}
      </div>
    </search>
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
    <button key="cancel" type="button" className="button run" onClick={onCancel}>
      <span className="spinner" aria-hidden="true" />
      Cancel
    </button>
  ) : (
    <button
      key="run"
      type="submit"
      className="button primary run"
      aria-keyshortcuts="r"
      title="Ask again (r)"
    >
      <Icon name="refresh" />
      Run
    </button>
  )
}

/** The query with a caret below the place that could not be read. */
function SyntaxProblem({ query, problem }: { query: string; problem: Problem }) {
  const column = Math.min(Math.max(1, problem.column ?? 1), query.length + 1)
  return (
    <div className="syntax-problem">
      <pre>
        {`${query}\n${' '.repeat(column - 1)}`}
        <b>^</b>
      </pre>
      <p>
        <Icon name="alert" /> {problem.message}
      </p>
    </div>
  )
}
