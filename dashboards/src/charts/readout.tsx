import type { ChartData, ChartLine } from '../model/chart-lines.ts'
import type { Span } from '../model/coverage.ts'
import { moment } from '../model/format.ts'
import { writeMeasure } from '../model/units.ts'
import { visible } from '../model/visible.ts'
import { Swatch } from './swatch.tsx'

const LINES_MAX = 10
/** The axis of the values takes so much at the left. */
const AXIS_PX = 66

interface ReadoutProps {
  readonly data: ChartData
  readonly index: number
  readonly leftPx: number
  readonly width: number
  readonly missing: readonly Span[]
}

/** The values where the crosshair stands, the greatest first. */
export function Readout({ data, index, leftPx, width, missing }: ReadoutProps) {
  const timeMs = data.times[index]
  if (timeMs === undefined) return null
  const values = data.lines
    .map((line) => ({ line, value: line.values[index] ?? null }))
    .filter((entry): entry is { line: ChartLine; value: number } => entry.value !== null)
    .toSorted((one, other) => other.value - one.value)
  const inGap = missing.some((span) => span.fromMs < timeMs + data.stepMs && span.toMs > timeMs)
  const onLeft = leftPx + AXIS_PX > width / 2
  const side = onLeft ? { right: width - leftPx - AXIS_PX + 14 } : { left: leftPx + AXIS_PX + 14 }
  return (
    <div className="readout" role="status" style={side}>
      <p className="readout-time">{moment(timeMs, Date.now())}</p>
      <ul>
        {values.slice(0, LINES_MAX).map(({ line, value }) => (
          <li key={line.key}>
            <Swatch line={line} />
            <span className="readout-label">{visible(line.label)}</span>
            <b>{writeMeasure(value, line.measure)}</b>
          </li>
        ))}
      </ul>
      {values.length > LINES_MAX && <p className="hint">and {values.length - LINES_MAX} more</p>}
      {values.length === 0 && <p className="hint">nothing was measured</p>}
      {inGap && <p className="readout-gap">data is missing here</p>}
    </div>
  )
}
