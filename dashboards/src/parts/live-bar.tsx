import type { Tail } from '../hooks/use-tail.ts'
import { count, moment, plural } from '../model/format.ts'
import { TAIL_ROWS_MAX } from '../model/tail-buffer.ts'
import { Icon } from './icons.tsx'

const PHASE_WORDS = {
  off: 'Connecting…',
  connecting: 'Connecting…',
  open: 'Following',
  reconnecting: 'Reconnecting…',
  refused: 'Refused',
} as const

interface LiveStateProps {
  readonly tail: Tail
  /** New lines wait, for whatever reason. */
  readonly paused: boolean
  /** Somebody asked for the pause. */
  readonly held: boolean
  readonly nowMs: number
  readonly onHold: (hold: boolean) => void
}

/** The state of the live tail, and its pause. */
export function LiveState({ tail, paused, held, nowMs, onHold }: LiveStateProps) {
  const completeTo = tail.meta?.completeTo ?? null
  const words = paused && tail.phase === 'open' ? 'Paused' : PHASE_WORDS[tail.phase]
  return (
    <p className={`live-state ${tail.phase}${paused ? ' paused' : ''}`}>
      <span className="live-dot" aria-hidden="true" />
      <span role="status">{words}</span>
      <button
        type="button"
        className="button small toggle"
        aria-pressed={held}
        aria-keyshortcuts="p"
        title="New lines wait, and are counted (p)"
        onClick={() => onHold(!held)}
      >
        Pause
      </button>
      {tail.phase === 'open' && <span className="rate">{rateWords(tail.rate)}</span>}
      {completeTo !== null && (
        <span className="hint">covered to {moment(Date.parse(completeTo), nowMs)}</span>
      )}
    </p>
  )
}

function rateWords(rate: number): string {
  return `${rate < 10 ? rate.toFixed(1) : count(Math.round(rate))} lines/s`
}

/** Lines that arrived while the reader looked elsewhere. */
export function NewLines({ waiting, onShow }: { waiting: number; onShow: () => void }) {
  if (waiting === 0) return null
  return (
    <button type="button" className="new-lines" onClick={onShow}>
      <Icon name="arrowUp" />
      {waiting >= TAIL_ROWS_MAX
        ? `More than ${plural(TAIL_ROWS_MAX, 'new line')}`
        : plural(waiting, 'new line')}
    </button>
  )
}
