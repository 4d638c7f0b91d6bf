import type { LogRecord } from '../api.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { fieldsOf, filterTerm, type Field } from '../model/fields.ts'
import { highlight } from '../model/highlight.ts'
import { CopyButton } from './copy-button.tsx'
import { Icon } from './icons.tsx'

interface RecordDetailProps {
  readonly record: LogRecord
  readonly pattern: RegExp | null
  readonly actions: RecordActions
}

/** All fields of a line, and what can be done with them. */
export function RecordDetail({ record, pattern, actions }: RecordDetailProps) {
  return (
    <div className="detail">
      <div className="detail-tools">
        <CopyButton text={() => JSON.stringify(record, null, 2)} label="Copy this line as JSON">
          Copy as JSON
        </CopyButton>
        {record.host !== undefined && (
          <button type="button" className="button small" onClick={() => actions.onAround(record)}>
            <Icon name="zoomOut" />
            Lines around this one
          </button>
        )}
      </div>
      <table>
        <tbody>
          {fieldsOf(record).map((field) => (
            <FieldRow key={field.name} field={field} pattern={pattern} actions={actions} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function FieldRow(props: { field: Field; pattern: RegExp | null; actions: RecordActions }) {
  const { field, pattern, actions } = props
  const { name, text, value } = field
  const term = value === null ? null : filterTerm(name, value)
  return (
    <tr>
      <th scope="row">{name}</th>
      <td className="field-tools">
        {term !== null && (
          <>
            <button
              type="button"
              className="tool"
              aria-label={`Only ${term}`}
              title={`Only ${term}`}
              onClick={() => actions.onFilter(term, { exclude: false })}
            >
              <Icon name="plus" />
            </button>
            <button
              type="button"
              className="tool"
              aria-label={`Without ${term}`}
              title={`Without ${term}`}
              onClick={() => actions.onFilter(term, { exclude: true })}
            >
              <Icon name="minus" />
            </button>
          </>
        )}
        <CopyButton text={() => text} label={`Copy the value of ${name}`} />
      </td>
      <td className="field-value">
        <Marked text={text} pattern={name === 'time' || name === 'id' ? null : pattern} />
      </td>
    </tr>
  )
}

/** A text with the searched words marked. */
export function Marked({ text, pattern }: { text: string; pattern: RegExp | null }) {
  // Pieces of one text have no other identity than their place.
  // eslint-disable-next-line react/no-array-index-key
  return highlight(text, pattern).map(({ text: piece, hit }, at) =>
    hit ? <mark key={at}>{piece}</mark> : piece,
  )
}
