import { memo } from 'react'
import type { LogRecord } from '../api.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { clockTimeMs, dayLabel } from '../model/format.ts'
import { levelClass, levelName } from './level.tsx'
import { Marked, RecordDetail } from './record-detail.tsx'

/** A line longer than this is cut in the list; its detail has all of it. */
const MESSAGE_CHARS_MAX = 4000

interface RowProps {
  readonly record: LogRecord
  readonly index: number
  readonly selected: boolean
  readonly expanded: boolean
  /** The list spans several days, so a clock time alone says too little. */
  readonly withDay: boolean
  readonly pattern: RegExp | null
  readonly actions: RecordActions
  readonly onPress: (id: string) => void
}

export const Row = memo(function Row(props: RowProps) {
  const { record, index, selected, expanded, withDay, pattern, actions, onPress } = props
  const { id, level = '', service = '', host = '', message = '' } = record
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
          if (getSelection()?.toString() === '') onPress(id)
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
          <Marked text={message.slice(0, MESSAGE_CHARS_MAX)} pattern={pattern} />
        </span>
      </div>
      {expanded && (
        <div role="row">
          <div role="gridcell">
            <RecordDetail record={record} pattern={pattern} actions={actions} />
          </div>
        </div>
      )}
    </>
  )
})

/** The element id of a line's row: what aria-activedescendant names. */
export function rowId(id: string): string {
  return `line-${id}`
}
