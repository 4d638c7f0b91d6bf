import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useEffectEvent, useRef, type ReactNode } from 'react'
import type { LogRecord } from '../api.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { sameDay } from '../model/format.ts'
import { ColumnNames } from './column-names.tsx'
import { Row, rowId } from './row.tsx'

const ROW_PX = 25
/** Two lines of text on a narrow screen. */
const NARROW_ROW_PX = 58
const OVERSCAN_ROWS = 12
/** Ask for the next page this many rows before the end comes into view. */
const AHEAD_ROWS = 40
const TOP_PX = 8
/** The names of the columns cover this much. */
const HEAD_PX = 26
const AROUND_ROWS = 2

interface ResultsProps {
  readonly rows: readonly LogRecord[]
  readonly selectedId: string | null
  readonly expandedId: string | null
  readonly pattern: RegExp | null
  readonly wrap: boolean
  readonly stale: boolean
  readonly actions: RecordActions
  readonly onPress: (id: string) => void
  readonly onNearEnd: () => void
  readonly onScrolledAway: (away: boolean) => void
  /** What stands after the last line. */
  readonly footer: ReactNode
}

/** The lines, newest first. Only those in view exist in the page. */
export function Results(props: ResultsProps) {
  const { rows, selectedId, expandedId, pattern, wrap, stale, actions, onPress, footer } = props
  const scroller = useRef<HTMLDivElement>(null)
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (matchMedia('(max-width: 720px)').matches ? NARROW_ROW_PX : ROW_PX),
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: OVERSCAN_ROWS,
  })
  const items = virtualizer.getVirtualItems()
  const lastShown = items.at(-1)?.index ?? 0

  useEffect(() => virtualizer.measure(), [wrap, virtualizer])

  const nearEnd = useEffectEvent(props.onNearEnd)
  useEffect(() => {
    if (rows.length > 0 && lastShown >= rows.length - AHEAD_ROWS) nearEnd()
  }, [lastShown, rows.length])

  const reveal = useEffectEvent((id: string) => {
    const item = virtualizer.measurementsCache[rows.findIndex((record) => record.id === id)]
    if (item !== undefined && scroller.current !== null) bringIntoView(scroller.current, item.start)
  })
  useEffect(() => {
    if (selectedId !== null) reveal(selectedId)
  }, [selectedId])

  const [first, last] = [rows[0], rows.at(-1)]
  const withDay =
    first !== undefined && last !== undefined && !sameDay(Date.parse(first.time), Date.parse(last.time))
  return (
    <div
      ref={scroller}
      className={`results${wrap ? ' wrap' : ''}${stale ? ' stale' : ''}${withDay ? ' with-day' : ''}`}
      role="grid"
      aria-label="Log lines, newest first"
      aria-rowcount={rows.length + 1}
      aria-activedescendant={selectedId === null ? undefined : rowId(selectedId)}
      aria-busy={stale}
      tabIndex={0}
      onScroll={(event) => props.onScrolledAway(event.currentTarget.scrollTop > TOP_PX)}
    >
      <ColumnNames />
      <div className="rows" role="presentation" style={{ height: virtualizer.getTotalSize() }}>
        {items.map(({ index, key, start }) => {
          const record = rows[index]
          if (record === undefined) return null
          return (
            <div
              key={key}
              data-index={index}
              ref={virtualizer.measureElement}
              className="row-frame"
              role="rowgroup"
              style={{ transform: `translateY(${start}px)` }}
            >
              <Row
                record={record}
                index={index}
                selected={record.id === selectedId}
                expanded={record.id === expandedId}
                withDay={withDay}
                pattern={pattern}
                actions={actions}
                onPress={onPress}
              />
            </div>
          )
        })}
      </div>
      <div className="results-end" role="presentation">
        {footer}
      </div>
    </div>
  )
}

/** Scrolls by as little as shows the line that starts at `top`, with a little of what is around it. */
function bringIntoView(scroller: HTMLElement, top: number): void {
  const { scrollTop, clientHeight } = scroller
  const around = AROUND_ROWS * ROW_PX
  const lowest = top + ROW_PX + around + HEAD_PX - clientHeight
  if (top - around < scrollTop) scroller.scrollTop = top - around
  else if (lowest > scrollTop) scroller.scrollTop = lowest
}
