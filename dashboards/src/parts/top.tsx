import { useId, useState } from 'react'
import type { Question } from '../api.ts'
import { fields as askFields, top, type TopAnswer } from '../api/search.ts'
import { useCounted } from '../hooks/use-counted.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { MAIN_FIELDS, filterTerm } from '../model/fields.ts'
import { count, moment, percent, plural } from '../model/format.ts'
import { cut, visible } from '../model/visible.ts'
import { AnswerNote, AnswerProblem } from './answer-note.tsx'
import { FilterButtons } from './filter-buttons.tsx'

const VALUES_MAX = 100
const VALUE_CHARS_MAX = 600

interface TopProps {
  readonly field: string
  readonly question: Question | null
  /** The page asks something else by now. */
  readonly stale: boolean
  readonly nowMs: number
  readonly actions: RecordActions
}

/** The most frequent values of one field. */
export function Top({ field, question, stale: old, nowMs, actions }: TopProps) {
  const { answer, stale, problem, retry } = useCounted(`top ${field} all`, question, (asked, signal) =>
    top({ ...asked, field, limit: VALUES_MAX }, signal),
  )
  const shown = answer?.field === field ? answer : undefined
  return (
    <div className="panel-body">
      <FieldPicker key={field} {...{ field, question }} onPick={actions.onTop} />
      {problem !== null && <AnswerProblem problem={problem} onRetry={retry} />}
      {problem === null && shown === undefined && <p className="hint panel-wait">Counting…</p>}
      {problem === null && shown !== undefined && (
        <div className={stale || old ? 'stale' : undefined}>
          <AnswerNote meta={shown.meta} nowMs={nowMs} />
          <p className="hint panel-facts">
            {plural(shown.distinct, 'value')}; {count(shown.having)} of {plural(shown.matched, 'line')} have
            the field
          </p>
          <TopTable {...{ nowMs, actions }} answer={shown} q={question?.q ?? ''} />
        </div>
      )}
    </div>
  )
}

function FieldPicker(props: { field: string; question: Question | null; onPick: (field: string) => void }) {
  const { field, question, onPick } = props
  const [draft, setDraft] = useState(field)
  const listId = useId()
  const known = useCounted('fields', question, askFields).answer?.fields ?? []
  const names = new Set([...MAIN_FIELDS, ...known.map(({ name }) => name)])
  return (
    <form
      className="field-picker"
      onSubmit={(event) => {
        event.preventDefault()
        if (draft.trim() !== '') onPick(draft.trim())
      }}
    >
      <label>
        Field{' '}
        <input
          list={listId}
          value={draft}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={({ target }) => {
            setDraft(target.value)
            // A choice from the list needs no Enter.
            if (names.has(target.value)) onPick(target.value)
          }}
        />
      </label>
      <datalist id={listId}>
        {[...names].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <button type="submit" className="button small" disabled={draft.trim() === '' || draft.trim() === field}>
        Count
      </button>
    </form>
  )
}

function TopTable(props: { answer: TopAnswer; q: string } & Pick<TopProps, 'nowMs' | 'actions'>) {
  const { answer, q, nowMs, actions } = props
  if (answer.values.length === 0)
    return <p className="panel-wait">No line has the field {visible(answer.field)}.</p>
  return (
    <table className="counted">
      <thead>
        <tr>
          <th className="number">Lines</th>
          <th className="number">Share</th>
          <th>Value</th>
          <th className="time">First</th>
          <th className="time">Last</th>
          <th>
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {answer.values.map(({ value, count: lines, share, first, last }) => {
          const term = filterTerm(answer.field, value)
          return (
            <tr key={value}>
              <td className="number">{count(lines)}</td>
              <td className="number">{percent(share)}</td>
              <td className="top-value">
                <span>{value === '' ? '(empty)' : visible(cut(value, VALUE_CHARS_MAX))}</span>
                <i style={{ width: `${Math.max(0.3, share * 100)}%` }} aria-hidden="true" />
              </td>
              <td className="time">{moment(Date.parse(first), nowMs)}</td>
              <td className="time">{moment(Date.parse(last), nowMs)}</td>
              <td className="field-tools">
                <FilterButtons term={term} q={q} onFilter={actions.onFilter} />
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
