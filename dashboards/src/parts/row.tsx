import { memo } from 'react'
import type { LogRecord } from '../api.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { clockTimeMs, count, dayLabel } from '../model/format.ts'
import { cut, visible } from '../model/visible.ts'
import { levelClass, levelName } from './level.tsx'
import { Marked } from './marked.tsx'
import { RecordDetail } from './record-detail.tsx'

/** A line longer than this is cut in the list; its detail has all of it. */
const MESSAGE_CHARS_MAX = 4000
const NAME_CHARS_MAX = 200

interface RowProps {
  readonly record: LogRecord
  readonly index: number
  readonly selected: boolean
  readonly expanded: boolean
  /** The list spans several days, so a clock time alone says too little. */
  readonly withDay: boolean
  readonly pattern: RegExp | null
  readonly q: string
  readonly actions: RecordActions
  readonly onPress: (id: string, index: number) => void
}

export const Row = memo(function Row(props: RowProps) {
  const { record, index, selected, expanded, withDay, pattern, q, actions, onPress } = props
  const { id, level = '', message = '' } = record
  const service = shortText(record.service)
  const host = shortText(record.host)
  const timeMs = Date.parse(record.time)
  return (
    <>
      <div
        id={rowId(id)}
        className={`row ${levelClass(level)}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={selected}
        aria-expanded={expanded}
        onClick={() => {
          // A drag that marks text is no press.
          if (getSelection()?.toString() === '') onPress(id, index)
        }}
      >
        <span role="gridcell" className="cell-time">
          <time dateTime={record.time} title={`${record.time} (UTC)`}>
            {withDay && `${dayLabel(timeMs)} `}
            {clockTimeMs(timeMs)}
          </time>
        </span>
        <span role="gridcell" className="cell-level">
          {level === '' ? <span className="visually-hidden">no level</span> : levelName(level)}
        </span>
        <span role="gridcell" className="cell-service" title={service}>
          {service}
        </span>
        <span role="gridcell" className="cell-host" title={host}>
          {host}
        </span>
        <span role="gridcell" className="cell-message">
          <Marked text={cut(message, MESSAGE_CHARS_MAX)} pattern={pattern} />
          {message.length > MESSAGE_CHARS_MAX && (
            <em className="cut"> … {count(message.length - MESSAGE_CHARS_MAX)} more characters</em>
          )}
        </span>
      </div>
      {expanded && (
        <div role="row">
          <div role="gridcell">
            <RecordDetail {...{ record, pattern, q, actions }} />
          </div>
        </div>
      )}
    </>
  )
})

/** Anything may stand in a field: a name is text, harmless, and no longer than a tooltip. */
function shortText(value: unknown): string {
  return typeof value === 'string' ? visible(cut(value, NAME_CHARS_MAX)) : ''
}

/** The element id of a line's row: what aria-activedescendant names. */
export function rowId(id: string): string {
  return `line-${id}`
}
