import type { Span } from '../model/coverage.ts'
import { count, span } from '../model/format.ts'
import type { Bar, Counts } from '../model/histogram.ts'
import { CHART_LEFT } from './histogram-chart.tsx'
import { SeriesMark, seriesLook } from './level.tsx'

const TOOLTIP_PX = 210

interface BarTooltipProps {
  readonly bar: Bar
  readonly counts: Counts
  readonly range: Span
  readonly missing: readonly Span[]
  readonly width: number
  readonly nowMs: number
}

export function BarTooltip({ bar, counts, range, missing, width, nowMs }: BarTooltipProps) {
  const middle = (bar.startMs + bar.endMs) / 2
  const x = CHART_LEFT + ((middle - range.fromMs) / (range.toMs - range.fromMs)) * (width - CHART_LEFT)
  const left = Math.min(Math.max(0, x + 12), width - TOOLTIP_PX)
  const flipped = x + 12 + TOOLTIP_PX > width ? Math.max(0, x - 12 - TOOLTIP_PX) : left
  const touched = missing.some((gap) => gap.fromMs < bar.endMs && gap.toMs > bar.startMs)
  return (
    <div className="tooltip" role="status" style={{ left: flipped, width: TOOLTIP_PX }}>
      <span className="tooltip-time">{span(bar.startMs, bar.endMs, nowMs)}</span>
      <strong>
        {touched ? 'at least ' : ''}
        {count(bar.total)}
      </strong>
      <ul>
        {counts.series.map((series, index) => {
          const { name } = seriesLook(counts.by, series, index)
          const lines = bar.parts[index] ?? 0
          if (lines === 0) return null
          return (
            <li key={name}>
              <SeriesMark {...{ by: counts.by, series, index }} />
              <span className="clipped">{name}</span>
              <b>{count(lines)}</b>
            </li>
          )
        })}
      </ul>
      {touched && <span className="tooltip-gap">Something is missing here</span>}
    </div>
  )
}
