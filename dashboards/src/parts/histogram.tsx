import { useId, useState, type KeyboardEvent, type PointerEvent } from 'react'
import { useWidth } from '../hooks/use-width.ts'
import type { Span } from '../model/coverage.ts'
import { plural } from '../model/format.ts'
import { brushRange, type Bar, type Counts } from '../model/histogram.ts'
import { Chart, CHART_LEFT, type Brush } from './histogram-chart.tsx'
import { BarTooltip } from './histogram-tooltip.tsx'

interface HistogramProps {
  readonly counts: Counts
  /** Null before the first answer. */
  readonly range: Span | null
  readonly missing: readonly Span[]
  readonly stale: boolean
  readonly nowMs: number
  readonly onZoom: (range: Span) => void
}

/** Counts over time. Drag, or Shift and the arrow keys, select a part; what is hatched is missing. */
export function Histogram({ counts, range, missing, stale, nowMs, onZoom }: HistogramProps) {
  const { bars } = counts
  const [frame, width] = useWidth<HTMLDivElement>()
  const brushing = useBrush({ bars, range, width, onZoom })
  const hintId = useId()
  const total = bars.reduce((sum, bar) => sum + bar.total, 0)
  const hovered = brushing.at === null ? undefined : bars[brushing.at]
  return (
    <div
      ref={frame}
      className={stale ? 'histogram stale' : 'histogram'}
      role="group"
      aria-roledescription="histogram"
      aria-label={`${plural(total, 'line')} over time`}
      aria-describedby={hintId}
      tabIndex={0}
      {...brushing.handlers}
    >
      <span id={hintId} className="visually-hidden">
        Arrow keys move over the bars, with Shift they select, Enter zooms in.
      </span>
      {range !== null && width > 0 && (
        <Chart
          width={width}
          range={range}
          counts={counts}
          missing={missing}
          at={brushing.at}
          brush={brushing.brush}
        />
      )}
      {range !== null && total === 0 && <p className="histogram-empty">No lines in this range</p>}
      {range !== null && hovered !== undefined && (
        <BarTooltip
          bar={hovered}
          counts={counts}
          range={range}
          missing={missing}
          width={width}
          nowMs={nowMs}
        />
      )}
    </div>
  )
}

interface Brushing {
  /** The bar under the pointer, or the one that the arrow keys went to. */
  readonly at: number | null
  readonly brush: Brush | null
  readonly handlers: object
}

function useBrush(facts: {
  bars: readonly Bar[]
  range: Span | null
  width: number
  onZoom: (range: Span) => void
}): Brushing {
  const { bars, range, width, onZoom } = facts
  const [at, setAt] = useState<number | null>(null)
  const [anchor, setAnchor] = useState<number | null>(null)
  const [dragged, setDragged] = useState(false)

  function barAt(event: PointerEvent<HTMLElement>): number | null {
    if (range === null || bars.length === 0) return null
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left - CHART_LEFT
    const timeMs = range.fromMs + (x / (width - CHART_LEFT)) * (range.toMs - range.fromMs)
    const found = bars.findIndex((bar) => timeMs < bar.endMs)
    return found < 0 ? bars.length - 1 : found
  }

  function clear() {
    setAnchor(null)
    setDragged(false)
  }

  function zoom(from: number | null, to: number | null) {
    const [one, other] = [bars[from ?? -1], bars[to ?? -1]]
    clear()
    if (one === undefined || other === undefined) return
    const zoomed = brushRange(bars, Math.min(one.startMs, other.startMs), Math.max(one.endMs, other.endMs))
    if (zoomed !== null) onZoom(zoomed)
  }

  const handlers = {
    onPointerDown: (event: PointerEvent<HTMLElement>) => {
      if (event.button !== 0) return
      event.currentTarget.setPointerCapture(event.pointerId)
      setAnchor(barAt(event))
    },
    onPointerMove: (event: PointerEvent<HTMLElement>) => {
      const next = barAt(event)
      setAt(next)
      if (anchor !== null && next !== anchor) setDragged(true)
    },
    onPointerUp: (event: PointerEvent<HTMLElement>) => (dragged ? zoom(anchor, barAt(event)) : clear()),
    onPointerLeave: () => anchor === null && setAt(null),
    onPointerCancel: clear,
    onBlur: () => {
      setAt(null)
      clear()
    },
    onKeyDown: (event: KeyboardEvent<HTMLElement>) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
      if (step !== undefined && bars.length > 0) {
        const next = Math.min(Math.max(0, (at ?? (step < 0 ? bars.length : -1)) + step), bars.length - 1)
        setAnchor(event.shiftKey ? (anchor ?? at ?? next) : null)
        setDragged(event.shiftKey)
        setAt(next)
      } else if (event.key === 'Enter' && at !== null) zoom(anchor ?? at, at)
      else if (event.key === 'Escape' && (at !== null || anchor !== null)) {
        setAt(null)
        clear()
      } else return
      event.preventDefault()
    },
  }
  return {
    at,
    brush: dragged && anchor !== null && at !== null ? { one: anchor, other: at } : null,
    handlers,
  }
}
