import { useVirtualizer } from '@tanstack/react-virtual'
import { useCallback, useEffect, useEffectEvent, useRef, type ReactNode } from 'react'
import { useKeptFocus } from '../hooks/use-kept-focus.ts'
import { useMedia } from '../hooks/use-media.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import type { Selection } from '../hooks/use-selection.ts'
import { sameDay } from '../model/format.ts'
import type { Rows } from '../model/rows.ts'
import { ColumnNames } from './column-names.tsx'
import { Row, rowId } from './row.tsx'

const ROW_PX = 25
/** Two lines of text on a narrow screen. */
const NARROW_ROW_PX = 58
const OVERSCAN_ROWS = 12
/** Lines are placed by so many together: a million of them one by one would be placed anew with every page. */
const BLOCK_ROWS = 20
/** Ask for the next page this many rows before the end comes into view. */
const AHEAD_ROWS = 40
const TOP_PX = 8
/** The names of the columns cover this much. */
const HEAD_PX = 26
const AROUND_ROWS = 2
/** The page hears of what is looked at in steps of so many lines, not with every one. */
const LOOK_ROWS = 100
const NARROW = '(max-width: 720px)'

interface ResultsProps {
  readonly rows: Rows
  /** New lines come on top, so a line is known by its id, not by its place. */
  readonly live: boolean
  /** Changes with the question. */
  readonly subject: string
  readonly selection: Pick<Selection, 'place' | 'selectedId' | 'expandedId' | 'press'>
  readonly pattern: RegExp | null
  readonly q: string
  readonly wrap: boolean
  readonly stale: boolean
  readonly actions: RecordActions
  /** More can be asked for. */
  readonly ready: boolean
  readonly onNearEnd: () => void
  readonly onLook: (first: number, last: number) => void
  readonly onScrolledAway: (away: boolean) => void
  /** What stands after the last line. */
  readonly footer: ReactNode
}

/** The lines, newest first. Only those in view exist in the page. */
export function Results(props: ResultsProps) {
  const { rows, selection, wrap, stale, footer } = props
  const { scroller, virtualizer, items, blockRows } = useWindow(props)
  const focusHandlers = useKeptFocus(scroller)
  const withDay = rows.ends !== null && !sameDay(Date.parse(rows.ends.newest), Date.parse(rows.ends.oldest))
  return (
    <div
      ref={scroller}
      className={`results${wrap ? ' wrap' : ''}${stale ? ' stale' : ''}${withDay ? ' with-day' : ''}`}
      role="treegrid"
      aria-label="Log lines, newest first"
      aria-rowcount={rows.length + 1}
      aria-activedescendant={selection.selectedId === null ? undefined : rowId(selection.selectedId)}
      aria-busy={stale}
      tabIndex={0}
      {...focusHandlers}
      onScroll={(event) => props.onScrolledAway(event.currentTarget.scrollTop > TOP_PX)}
    >
      <ColumnNames />
      <div className="rows" role="presentation" style={{ height: virtualizer.getTotalSize() }}>
        {items.map(({ index, key, start }) => (
          <div
            key={key}
            data-index={index}
            ref={virtualizer.measureElement}
            className="row-frame"
            role="rowgroup"
            style={{ transform: `translateY(${start}px)` }}
          >
            {places(index, blockRows, rows.length).map((place) => (
              <PlacedRow key={place} {...props} index={place} withDay={withDay} />
            ))}
          </div>
        ))}
      </div>
      <div className="results-end" role="presentation">
        {footer}
      </div>
    </div>
  )
}

function PlacedRow(props: ResultsProps & { index: number; withDay: boolean }) {
  const { rows, index, selection, withDay, pattern, q, actions } = props
  const record = rows.at(index)
  if (record === undefined) return <div className="row dropped">…</div>
  return (
    <Row
      record={record}
      index={index}
      selected={record.id === selection.selectedId}
      expanded={record.id === selection.expandedId}
      withDay={withDay}
      pattern={pattern}
      q={q}
      actions={actions}
      onPress={selection.press}
    />
  )
}

/** The places of the lines of a block. */
function places(block: number, blockRows: number, length: number): readonly number[] {
  const first = block * blockRows
  return Array.from({ length: Math.min(blockRows, length - first) }, (_, at) => first + at)
}

/** Which lines are in view, and what follows from that. */
function useWindow(props: ResultsProps) {
  const { rows, live, subject, selection, wrap, ready } = props
  const scroller = useRef<HTMLDivElement>(null)
  const narrow = useMedia(NARROW)
  const rowPx = narrow ? NARROW_ROW_PX : ROW_PX
  const blockRows = live ? 1 : BLOCK_ROWS
  const keyOf = useCallback((index: number) => rows.at(index)?.id ?? index, [rows])
  const virtualizer = useVirtualizer({
    count: Math.ceil(rows.length / blockRows),
    getScrollElement: () => scroller.current,
    estimateSize: (index) => rowPx * Math.min(blockRows, rows.length - index * blockRows),
    ...(live ? { getItemKey: keyOf } : {}),
    overscan: Math.ceil(OVERSCAN_ROWS / blockRows),
  })
  const items = virtualizer.getVirtualItems()
  const first = (items[0]?.index ?? 0) * blockRows
  const last = Math.min(rows.length, ((items.at(-1)?.index ?? 0) + 1) * blockRows) - 1

  useEffect(() => virtualizer.measure(), [wrap, narrow, live, subject, virtualizer])

  const nearEnd = useEffectEvent(props.onNearEnd)
  useEffect(() => {
    if (ready && rows.length > 0 && last >= rows.length - AHEAD_ROWS) nearEnd()
  }, [last, rows.length, ready])

  const look = useEffectEvent(props.onLook)
  const from = Math.floor(first / LOOK_ROWS) * LOOK_ROWS
  const to = Math.ceil((last + 1) / LOOK_ROWS) * LOOK_ROWS
  useEffect(() => look(from, to), [from, to])

  const reveal = useEffectEvent((place: number) => {
    const frame = scroller.current
    const block = virtualizer.measurementsCache[Math.floor(place / blockRows)]
    if (frame === null || block === undefined) return
    bringIntoView(frame, block.start + (place % blockRows) * rowPx)
    // What is open or wrapped above it in its block has moved it further down.
    frame.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
    // Keys of the page move here from anywhere: from then on a screen reader reads the lines.
    if (document.activeElement === document.body) frame.focus({ preventScroll: true })
  })
  const { selectedId, place } = selection
  useEffect(() => {
    if (place >= 0) reveal(place)
  }, [selectedId, place])
  return { scroller, virtualizer, items, blockRows }
}

/** Scrolls by as little as shows the line that starts at `top`, with a little of what is around it. */
function bringIntoView(scroller: HTMLElement, top: number): void {
  const { scrollTop, clientHeight } = scroller
  const around = AROUND_ROWS * ROW_PX
  const lowest = top + ROW_PX + around + HEAD_PX - clientHeight
  if (top - around < scrollTop) scroller.scrollTop = top - around
  else if (lowest > scrollTop) scroller.scrollTop = lowest
}
