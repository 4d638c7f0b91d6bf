import { useId } from 'react'
import type { Span } from '../model/coverage.ts'
import { shortCount } from '../model/format.ts'
import { niceCeiling, timeTicks, type Bar, type Counts } from '../model/histogram.ts'
import { seriesLook } from './level.tsx'

export const CHART_LEFT = 36
const HEIGHT = 104
const TOP = 6
const BASE = HEIGHT - 18
const TICK_EVERY_PX = 96
/** A gap of a second in a week is still seen. */
const MISSING_PX_MIN = 3

/** Indexes of the bars at both ends of a selection. */
export interface Brush {
  readonly one: number
  readonly other: number
}

interface ChartProps {
  readonly width: number
  readonly range: Span
  readonly counts: Counts
  readonly missing: readonly Span[]
  readonly at: number | null
  readonly brush: Brush | null
}

export function Chart({ width, range, counts, missing, at, brush }: ChartProps) {
  const { bars } = counts
  const classes = counts.series.map((series, index) => seriesLook(counts.by, series, index).className)
  const hatchId = useId()
  const top = niceCeiling(Math.max(1, ...bars.map((bar) => bar.total)))
  const x = (timeMs: number) => {
    const part = (timeMs - range.fromMs) / (range.toMs - range.fromMs)
    return CHART_LEFT + Math.min(1, Math.max(0, part)) * (width - CHART_LEFT)
  }
  const hovered = at === null ? undefined : bars[at]
  const selected = brush === null ? null : brushSpan(bars, brush)
  return (
    <svg width={width} height={HEIGHT} aria-hidden="true">
      <defs>
        <pattern
          id={hatchId}
          width="6"
          height="6"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect className="hatch-back" width="6" height="6" />
          <rect className="hatch-line" width="2" height="6" />
        </pattern>
      </defs>
      <Axes width={width} range={range} top={top} x={x} />
      {hovered !== undefined && (
        <rect
          className="hovered"
          x={x(hovered.startMs)}
          y={TOP}
          width={x(hovered.endMs) - x(hovered.startMs)}
          height={BASE - TOP}
        />
      )}
      {bars.map((bar) => (
        <StackedBar key={bar.startMs} {...{ bar, classes, top }} left={x(bar.startMs)} right={x(bar.endMs)} />
      ))}
      {missing.map((span) => (
        <rect
          key={span.fromMs}
          className="missing"
          fill={`url(#${hatchId})`}
          x={Math.min(x(span.fromMs), width - MISSING_PX_MIN)}
          y={TOP}
          width={Math.max(MISSING_PX_MIN, x(span.toMs) - x(span.fromMs))}
          height={BASE - TOP}
        />
      ))}
      {selected !== null && (
        <rect
          className="brush"
          x={x(selected.fromMs)}
          y={TOP}
          width={x(selected.toMs) - x(selected.fromMs)}
          height={BASE - TOP}
        />
      )}
    </svg>
  )
}

function brushSpan(bars: readonly Bar[], { one, other }: Brush): Span | null {
  const [first, last] = [bars[Math.min(one, other)], bars[Math.max(one, other)]]
  return first === undefined || last === undefined ? null : { fromMs: first.startMs, toMs: last.endMs }
}

function Axes(props: { width: number; range: Span; top: number; x: (timeMs: number) => number }) {
  const { width, range, top, x } = props
  const ticks = timeTicks(range, Math.max(2, Math.floor((width - CHART_LEFT) / TICK_EVERY_PX)))
  return (
    <g className="axes">
      <line x1={CHART_LEFT} x2={width} y1={TOP + 0.5} y2={TOP + 0.5} className="grid" />
      <line x1={CHART_LEFT} x2={width} y1={BASE + 0.5} y2={BASE + 0.5} />
      <text x={CHART_LEFT - 6} y={TOP + 8} textAnchor="end">
        {shortCount(top)}
      </text>
      <text x={CHART_LEFT - 6} y={BASE} textAnchor="end">
        0
      </text>
      {ticks.map(({ timeMs, label }) => (
        <g key={timeMs}>
          <line x1={x(timeMs)} x2={x(timeMs)} y1={BASE} y2={BASE + 4} />
          <text
            x={Math.min(Math.max(x(timeMs), CHART_LEFT + 16), width - 20)}
            y={HEIGHT - 3}
            textAnchor="middle"
          >
            {label}
          </text>
        </g>
      ))}
    </g>
  )
}

function StackedBar(props: {
  bar: Bar
  classes: readonly string[]
  top: number
  left: number
  right: number
}) {
  const { bar, classes, top, left, right } = props
  const space = right - left > 4 ? 1.5 : right - left > 2 ? 0.5 : 0
  const width = Math.max(0.5, right - left - space)
  let below = 0
  return bar.parts.map((count, index) => {
    if (count === 0) return null
    const height = (count / top) * (BASE - TOP)
    const y = BASE - below - height
    below += height
    // A single error beside thousands of lines still shows.
    const shown = Math.max(height, 1.5)
    return (
      <rect
        key={classes[index]}
        className={classes[index]}
        x={left}
        y={Math.min(y, BASE - shown)}
        width={width}
        height={shown}
      />
    )
  })
}
