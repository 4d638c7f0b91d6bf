import type { MouseEvent } from 'react'
import { count } from '../model/format.ts'
import { SPLITS, type Counts, type Series, type Split } from '../model/histogram.ts'
import { Icon } from './icons.tsx'
import { SeriesMark, seriesLook } from './level.tsx'

interface SummaryProps {
  readonly counts: Counts
  /** Null: not known yet. */
  readonly total: number | null
  readonly atLeast: boolean
  readonly tookMs: number | null
  readonly hatched: boolean
  readonly stale: boolean
  readonly by: Split
  readonly onSplit: (by: Split) => void
  readonly onFilter: (by: Split, value: string, options: { exclude: boolean }) => void
  readonly onZoomOut: () => void
}

/** How many lines, of which level or host: the legend of the chart below it. */
export function Summary(props: SummaryProps) {
  const { counts, total, atLeast, tookMs, hatched, stale, by, onSplit, onFilter, onZoomOut } = props
  return (
    <div className="summary">
      <p className={stale ? 'total stale' : 'total'}>
        <strong>
          {atLeast && total !== null && 'at least '}
          {total === null ? '–' : count(total)}
        </strong>{' '}
        {total === 1 ? 'line' : 'lines'}
        {tookMs !== null && <span className="hint took"> in {Math.max(1, Math.round(tookMs))} ms</span>}
      </p>
      <ul className={stale ? 'legend stale' : 'legend'} aria-label={`Lines by ${counts.by}`}>
        {counts.series.map((series, index) => (
          <li key={series.value ?? 0}>
            <LegendEntry {...{ by: counts.by, series, index, onFilter }} />
          </li>
        ))}
        {hatched && (
          <li className="hint">
            <i className="hatched" />
            missing
          </li>
        )}
      </ul>
      <div className="chart-tools">
        <SplitPicker by={by} onSplit={onSplit} />
        <button
          type="button"
          className="tool"
          aria-label="Zoom out"
          aria-keyshortcuts="o"
          title="Zoom out: a longer range (o)"
          onClick={onZoomOut}
        >
          <Icon name="zoomOut" />
        </button>
      </div>
    </div>
  )
}

function LegendEntry(props: Pick<SummaryProps, 'by' | 'onFilter'> & { series: Series; index: number }) {
  const { by, series, index, onFilter } = props
  const { name } = seriesLook(by, series, index)
  const { value } = series
  const named = value !== null && value !== ''
  const press = (event: MouseEvent) => {
    if (named) onFilter(by, value, { exclude: event.altKey })
  }
  return (
    <button
      type="button"
      disabled={!named}
      title={named ? `Only ${name}; with Alt: without it` : name}
      onClick={press}
    >
      <SeriesMark {...{ by, series, index }} />
      <span className="clipped">{name}</span> <b>{count(series.count)}</b>
    </button>
  )
}

function SplitPicker({ by, onSplit }: Pick<SummaryProps, 'by' | 'onSplit'>) {
  return (
    <label className="split">
      <span className="hint">by</span>
      <select
        aria-label="Split the chart by"
        value={by}
        onChange={({ target }) => onSplit(SPLITS.find((split) => split === target.value) ?? 'level')}
      >
        {SPLITS.map((split) => (
          <option key={split}>{split}</option>
        ))}
      </select>
    </label>
  )
}
