import type { LogRecord } from '../api.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { fieldsOf, filterTerm, isCountable, type Field } from '../model/fields.ts'
import { visible } from '../model/visible.ts'
import { CopyButton } from './copy-button.tsx'
import { FilterButtons } from './filter-buttons.tsx'
import { Icon } from './icons.tsx'
import { LongText } from './long-text.tsx'

interface RecordDetailProps {
  readonly record: LogRecord
  readonly pattern: RegExp | null
  readonly q: string
  readonly actions: RecordActions
}

/** All fields of a line, and what can be done with them. */
export function RecordDetail({ record, pattern, q, actions }: RecordDetailProps) {
  return (
    <div className="detail">
      <div className="detail-tools">
        <button
          type="button"
          className="button small"
          aria-keyshortcuts="c"
          title="What the same file or host wrote before and after (c)"
          onClick={() => actions.onAround(record)}
        >
          <Icon name="around" />
          Lines around this one
        </button>
        <CopyButton text={() => JSON.stringify(record, null, 2)} label="Copy this line as JSON">
          Copy as JSON
        </CopyButton>
      </div>
      <table>
        <tbody>
          {fieldsOf(record).map((field) => (
            <FieldRow key={field.name} {...{ field, pattern, q, actions }} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function FieldRow(props: { field: Field; pattern: RegExp | null; q: string; actions: RecordActions }) {
  const { field, pattern, q, actions } = props
  const { name, text, value } = field
  const shown = visible(name)
  return (
    <tr>
      <th scope="row">{shown}</th>
      <td className="field-tools">
        {value !== null && <FilterButtons term={filterTerm(name, value)} q={q} onFilter={actions.onFilter} />}
        {value !== null && isCountable(name) && (
          <button
            type="button"
            className="tool"
            aria-label={`Top values of ${shown}`}
            title={`Top values of ${shown}`}
            onClick={() => actions.onTop(name)}
          >
            <Icon name="bars" />
          </button>
        )}
        <CopyButton text={() => text} label={`Copy the value of ${shown}`} />
      </td>
      <td className="field-value">
        <LongText text={text} pattern={name === 'time' || name === 'id' ? null : pattern} />
      </td>
    </tr>
  )
}
