import { count } from '../model/format.ts'
import { levelTotals, type Bar } from '../model/histogram.ts'
import { Icon } from './icons.tsx'
import { levelClass, levelName } from './level.tsx'

interface SummaryProps {
  readonly bars: readonly Bar[]
  /** Null: not known yet. */
  readonly total: number | null
  readonly atLeast: boolean
  readonly tookMs: number | null
  readonly hatched: boolean
  readonly stale: boolean
  readonly onLevel: (level: string) => void
  readonly onZoomOut: () => void
}

/** How many lines, of which level: the legend of the chart below it. */
export function Summary({ bars, total, atLeast, tookMs, hatched, stale, onLevel, onZoomOut }: SummaryProps) {
  return (
    <div className={stale ? 'summary stale' : 'summary'}>
      <p className="total">
        <strong>
          {atLeast && total !== null && 'at least '}
          {total === null ? '–' : count(total)}
        </strong>{' '}
        {total === 1 ? 'line' : 'lines'}
        {tookMs !== null && <span className="hint took"> in {Math.max(1, Math.round(tookMs))} ms</span>}
      </p>
      <ul className="legend" aria-label="Lines by level">
        {levelTotals(bars).map(({ level, count: lines }) => (
          <li key={level}>
            <button
              type="button"
              disabled={level === ''}
              title={level === '' ? 'Lines that say no level' : `Only ${level}`}
              onClick={() => onLevel(level)}
            >
              <i className={levelClass(level)} />
              {levelName(level)} <b>{count(lines)}</b>
            </button>
          </li>
        ))}
        {hatched && (
          <li className="hint">
            <i className="hatched" />
            missing
          </li>
        )}
      </ul>
      <button
        type="button"
        className="tool"
        aria-label="Zoom out"
        title="Zoom out: a longer range"
        onClick={onZoomOut}
      >
        <Icon name="zoomOut" />
      </button>
    </div>
  )
}
