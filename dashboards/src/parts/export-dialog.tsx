import { useEffect, useRef } from 'react'
import type { Question } from '../api.ts'
import { useExport, type ExportState } from '../hooks/use-export.ts'
import { coverageOf, headline, severity } from '../model/coverage.ts'
import { byteCount } from '../model/export.ts'
import { count, plural, span } from '../model/format.ts'
import { asCommand } from '../model/share.ts'
import { visible } from '../model/visible.ts'
import { CopyButton } from './copy-button.tsx'
import { Icon } from './icons.tsx'

interface ExportDialogProps {
  readonly open: boolean
  /** Null before the first answer. */
  readonly question: Question | null
  /** Lines that the chart counted; null: not known. */
  readonly expected: number | null
  readonly nowMs: number
  readonly onClose: () => void
}

/** Every matching line to a file, with the truth about its end. */
export function ExportDialog({ open, onClose, ...rest }: ExportDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (open) dialog.current?.showModal()
    else dialog.current?.close()
  }, [open])
  return (
    <dialog ref={dialog} className="help export" aria-labelledby="export-title" onClose={onClose}>
      {open && <Body {...rest} onClose={onClose} />}
    </dialog>
  )
}

function Body({ question, expected, nowMs, onClose }: Omit<ExportDialogProps, 'open'>) {
  const { state, start, cancel } = useExport()
  if (question === null) return <p className="help-body">There is no answer to export yet.</p>
  const running = state.phase === 'running'
  const command = asCommand(question).replace('noctule search', 'noctule export')
  return (
    <div className="help-body">
      <h2 id="export-title">Export lines</h2>
      <p>
        {expected === null ? 'All lines' : `About ${plural(expected, 'line')}`} of{' '}
        {question.q === '' ? 'everything' : <code dir="ltr">{visible(question.q)}</code>},{' '}
        {span(Date.parse(question.from), Date.parse(question.to), nowMs)}, newest first, as NDJSON: one JSON
        object a line. The last line says what is missing; a file without it was cut off.
      </p>
      <Progress state={state} expected={expected} nowMs={nowMs} />
      <div className="export-actions">
        {running ? (
          <button type="button" className="button" onClick={cancel}>
            Cancel
          </button>
        ) : (
          <button type="button" className="button primary" onClick={() => start(question)}>
            <Icon name="download" />
            {state.phase === 'ready' ? 'Save to a file' : 'Export again'}
          </button>
        )}
        <CopyButton text={() => command} label="Copy the command">
          Copy as command
        </CopyButton>
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
    </div>
  )
}

function Progress(props: { state: ExportState; expected: number | null; nowMs: number }) {
  const { state, expected } = props
  return (
    <div className="export-progress">
      {state.phase === 'running' && (
        <progress
          aria-label="Lines exported"
          {...(expected === null ? {} : { value: state.lines, max: expected })}
        />
      )}
      <p role="status">
        <Words {...props} />
      </p>
    </div>
  )
}

function Words({ state, expected, nowMs }: { state: ExportState; expected: number | null; nowMs: number }) {
  if (state.phase === 'ready') return null
  if (state.phase === 'cancelled') return 'Cancelled; nothing was saved.'
  if (state.phase === 'failed') return <span className="answer-note bad">{state.why}</span>
  const came = `${plural(state.lines, 'line')}, ${byteCount(state.bytes)}`
  if (state.phase === 'running')
    return `${came}${expected === null ? '' : ` of about ${count(expected)} lines`}`
  const { end } = state
  if (end.kind === 'cut') {
    return (
      <span className="answer-note bad">
        <Icon name="alert" />
        <span>
          Cut off after {came}. {end.reason === '' ? 'The connection broke.' : visible(end.reason)} The file
          has what came, and not all that was asked for.
        </span>
      </span>
    )
  }
  const coverage = coverageOf(end.meta)
  const tone = severity(coverage)
  return (
    <span className={`answer-note ${tone}`}>
      <Icon name={tone === 'good' ? 'check' : 'alert'} />
      <span>
        Saved whole: {came}. {headline(coverage, nowMs)}
      </span>
    </span>
  )
}
