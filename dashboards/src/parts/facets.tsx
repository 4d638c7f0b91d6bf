import { useState, type KeyboardEvent, type ReactNode } from 'react'
import type { Question } from '../api.ts'
import { fields as askFields, top, type TopAnswer, type TopValue } from '../api/search.ts'
import { useCounted } from '../hooks/use-counted.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { useStoredSet } from '../hooks/use-stored-set.ts'
import { MAIN_FIELDS, filterTerm, isCountable, termState } from '../model/fields.ts'
import { count, shortCount } from '../model/format.ts'
import { cut, visible } from '../model/visible.ts'
import { AnswerProblem } from './answer-note.tsx'
import { Icon } from './icons.tsx'
import { levelClass } from './level.tsx'

const OPEN_AT_FIRST = ['level', 'service', 'host']
const VALUES_MAX = 8
const OTHER_FIELDS_MAX = 60
const VALUE_CHARS_MAX = 120

interface FacetsProps {
  /** Null before the first answer. */
  readonly question: Question | null
  /** The question is not the page's any more, and there is no newer one yet. */
  readonly stale: boolean
  readonly actions: RecordActions
  readonly onClose: () => void
}

/** The most frequent values of the fields; a press narrows the query to one. Only what is open is asked for. */
export function Facets({ question, stale, actions, onClose }: FacetsProps) {
  const [open, toggle] = useStoredSet('facets', OPEN_AT_FIRST)
  const [more, setMore] = useState(false)
  const facet = (field: string) => (
    <Facet
      key={field}
      {...{ field, question, actions }}
      open={open.has(field)}
      onToggle={() => toggle(field)}
    />
  )
  return (
    <aside className="facets" aria-label="Fields">
      <div className="facets-head">
        <h2>Fields</h2>
        <button
          type="button"
          className="tool"
          aria-label="Hide the fields"
          title="Hide (f)"
          onClick={onClose}
        >
          <Icon name="cross" />
        </button>
      </div>
      <div className={stale ? 'stale' : undefined}>{MAIN_FIELDS.map(facet)}</div>
      {more ? (
        <OtherFields question={question}>{facet}</OtherFields>
      ) : (
        <button type="button" className="link more-fields" onClick={() => setMore(true)}>
          More fields
        </button>
      )}
    </aside>
  )
}

/** What the newest lines have besides, by frequency. */
function OtherFields({
  question,
  children,
}: {
  question: Question | null
  children: (field: string) => ReactNode
}) {
  const { answer, problem, retry } = useCounted('fields', question, askFields)
  if (answer === undefined)
    return problem === null ? (
      <p className="hint">Looking…</p>
    ) : (
      <AnswerProblem problem={problem} onRetry={retry} />
    )
  const main: readonly string[] = MAIN_FIELDS
  const others = answer.fields
    .map(({ name }) => name)
    .filter((name) => !main.includes(name) && isCountable(name))
    .slice(0, OTHER_FIELDS_MAX)
  if (others.length === 0) return <p className="hint">These lines have no other fields.</p>
  return others.map(children)
}

interface FacetProps extends Pick<FacetsProps, 'question' | 'actions'> {
  readonly field: string
  readonly open: boolean
  readonly onToggle: () => void
}

function Facet({ field, question, actions, open, onToggle }: FacetProps) {
  return (
    <section className="facet">
      <h3>
        <button type="button" aria-expanded={open} onClick={onToggle}>
          <Icon name="chevron" />
          <span className="clipped">{visible(field)}</span>
        </button>
      </h3>
      {open && <Values {...{ field, question, actions }} />}
    </section>
  )
}

function Values({ field, question, actions }: Pick<FacetProps, 'field' | 'question' | 'actions'>) {
  const { answer, stale, problem, retry } = useCounted(`top ${field}`, question, (asked, signal) =>
    top({ ...asked, field, limit: VALUES_MAX }, signal),
  )
  if (problem !== null) return <AnswerProblem problem={problem} onRetry={retry} />
  if (answer === undefined) return <p className="hint facet-wait">Counting…</p>
  if (answer.values.length === 0) return <p className="hint">No line has it.</p>
  return (
    <div className={stale ? 'stale' : undefined}>
      <ul onKeyDown={moveFocus}>
        {answer.values.map((value) => (
          <Value key={value.value} {...{ field, value, answer, actions }} q={question?.q ?? ''} />
        ))}
      </ul>
      {answer.distinct > answer.values.length && (
        <button type="button" className="link" onClick={() => actions.onTop(field)}>
          {count(answer.distinct - answer.values.length)} more
        </button>
      )}
    </div>
  )
}

/** Arrow keys go up and down among the values. */
function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (step === undefined) return
  const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>('.value')]
  const at = buttons.findIndex((button) => button.parentElement?.contains(document.activeElement) === true)
  buttons[at + step]?.focus()
  event.preventDefault()
}

function Value(props: {
  field: string
  value: TopValue
  answer: TopAnswer
  q: string
  actions: RecordActions
}) {
  const { field, value, answer, q, actions } = props
  const term = filterTerm(field, value.value)
  const state = termState(q, term)
  const shown = value.value === '' ? '(empty)' : visible(cut(value.value, VALUE_CHARS_MAX))
  const least = answer.meta.complete ? '' : 'at least '
  const share = answer.values[0] === undefined ? 0 : value.count / answer.values[0].count
  return (
    <li className={state === null ? undefined : `filtered ${state}`}>
      <button
        type="button"
        className={`value${field === 'level' ? ` ${levelClass(value.value)}` : ''}`}
        aria-pressed={state === 'only'}
        title={`Only ${visible(term)} (${least}${count(value.count)}); with Alt: without it`}
        onClick={(event) => actions.onFilter(term, { exclude: event.altKey })}
      >
        <span className="clipped">{shown}</span>
        <b>
          {answer.meta.complete ? '' : '≥'}
          {shortCount(value.count)}
        </b>
        <i style={{ width: `${Math.max(1, share * 100)}%` }} aria-hidden="true" />
      </button>
      <button
        type="button"
        className="tool"
        aria-label={`Without ${visible(term)}`}
        aria-pressed={state === 'without'}
        title={`Without ${visible(term)}`}
        onClick={() => actions.onFilter(term, { exclude: true })}
      >
        <Icon name="minus" />
      </button>
    </li>
  )
}
