import { useQuery, keepPreviousData } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { asProblem, type LogRecord } from '../api.ts'
import { context, type ContextAnswer } from '../api/search.ts'
import { clockTimeMs, plural, sameDay, dayLabel } from '../model/format.ts'
import { cut, visible } from '../model/visible.ts'
import { AnswerNote, AnswerProblem } from './answer-note.tsx'
import { Icon } from './icons.tsx'
import { levelClass, levelName } from './level.tsx'
import { Marked } from './marked.tsx'

const LINES_FIRST = 20
const LINES_STEP = 80
/** The server gives no more. */
const LINES_MAX = 500
const MESSAGE_CHARS_MAX = 1000

interface ContextDrawerProps {
  /** Null: closed. */
  readonly record: LogRecord | null
  readonly nowMs: number
  readonly onClose: () => void
}

/** Beside the page: what the same file or host wrote before and after a line, whatever the query says. */
export function ContextDrawer({ record, nowMs, onClose }: ContextDrawerProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (record === null) dialog.current?.close()
    else dialog.current?.showModal()
  }, [record])
  return (
    <dialog
      ref={dialog}
      className="drawer"
      aria-labelledby="drawer-title"
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && onClose()}
    >
      {record !== null && <Around key={record.id} record={record} nowMs={nowMs} onClose={onClose} />}
    </dialog>
  )
}

type Of = 'file' | 'host'

function Around({ record, nowMs, onClose }: { record: LogRecord; nowMs: number; onClose: () => void }) {
  const hasFile = typeof record['path'] === 'string' && record['path'] !== ''
  const [of, setOf] = useState<Of>(hasFile ? 'file' : 'host')
  const [asked, setAsked] = useState({ before: LINES_FIRST, after: LINES_FIRST })
  const { id, time } = record
  const result = useQuery({
    queryKey: ['context', id, of, asked],
    queryFn: ({ signal }) => context({ id, time, of, ...asked }, signal),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  })
  const place = of === 'file' ? record['path'] : record.host
  return (
    <div className="drawer-body">
      <header className="drawer-head">
        <h2 id="drawer-title">Lines around {clockTimeMs(Date.parse(time))}</h2>
        <button type="button" className="tool" aria-label="Close" autoFocus onClick={onClose}>
          <Icon name="cross" />
        </button>
        <div className="segments" role="group" aria-label="Lines of">
          {(['file', 'host'] as const).map((choice) => (
            <button
              key={choice}
              type="button"
              className="button small toggle"
              aria-pressed={of === choice}
              disabled={choice === 'file' && !hasFile}
              onClick={() => setOf(choice)}
            >
              Same {choice}
            </button>
          ))}
        </div>
        <span className="hint clipped">{typeof place === 'string' ? visible(place) : ''}</span>
      </header>
      {result.error !== null && (
        <AnswerProblem problem={asProblem(result.error)} onRetry={() => void result.refetch()} />
      )}
      {result.data === undefined && result.error === null && <p className="hint drawer-wait">Looking…</p>}
      {result.data !== undefined && (
        <>
          <AnswerNote meta={result.data.meta} nowMs={nowMs} />
          <AroundLines
            answer={result.data}
            asked={asked}
            stale={result.isPlaceholderData}
            onMore={(side) => setAsked({ ...asked, [side]: Math.min(LINES_MAX, asked[side] + LINES_STEP) })}
          />
        </>
      )}
    </div>
  )
}

interface AroundLinesProps {
  readonly answer: ContextAnswer
  readonly asked: { readonly before: number; readonly after: number }
  readonly stale: boolean
  readonly onMore: (side: 'before' | 'after') => void
}

function AroundLines({ answer, asked, stale, onMore }: AroundLinesProps) {
  const frame = useRef<HTMLDivElement>(null)
  const { before, record, after } = answer
  // The line stays where it is when lines come above it.
  useEffect(() => {
    frame.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'center' })
  }, [before])
  const withDay = !sameDay(Date.parse((before[0] ?? record).time), Date.parse((after.at(-1) ?? record).time))
  const line = (shown: LogRecord) => (
    <AroundLine key={shown.id} record={shown} current={shown.id === record.id} withDay={withDay} />
  )
  return (
    <div
      ref={frame}
      className={stale ? 'around stale' : 'around'}
      tabIndex={0}
      aria-label="Lines, oldest first"
    >
      <MoreLines side="before" held={before.length} asked={asked.before} onMore={onMore} />
      <ol>{[...before, record, ...after].map(line)}</ol>
      <MoreLines side="after" held={after.length} asked={asked.after} onMore={onMore} />
    </div>
  )
}

function MoreLines(props: {
  side: 'before' | 'after'
  held: number
  asked: number
  onMore: AroundLinesProps['onMore']
}) {
  const { side, held, asked, onMore } = props
  const word = side === 'before' ? 'older' : 'newer'
  if (held < asked) return <p className="hint">No {word} lines within a day.</p>
  if (asked >= LINES_MAX) return <p className="hint">{plural(LINES_MAX, `${word} line`)} are the most.</p>
  return (
    <button type="button" className="button small" onClick={() => onMore(side)}>
      Show {word} lines
    </button>
  )
}

function AroundLine(props: { record: LogRecord; current: boolean; withDay: boolean }) {
  const { record, current, withDay } = props
  const { level = '', message = '' } = record
  const timeMs = Date.parse(record.time)
  return (
    <li className={levelClass(level)} aria-current={current || undefined}>
      <time dateTime={record.time}>
        {withDay && `${dayLabel(timeMs)} `}
        {clockTimeMs(timeMs)}
      </time>
      <span className="cell-level">{level === '' ? '' : levelName(level)}</span>
      <span className="around-message">
        <Marked text={cut(message, MESSAGE_CHARS_MAX)} pattern={null} />
        {message.length > MESSAGE_CHARS_MAX && ' …'}
      </span>
    </li>
  )
}
