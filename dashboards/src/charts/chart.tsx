import { useEffect, useEffectEvent, useRef, useState, type KeyboardEvent } from 'react'
import type uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useColours } from '../hooks/use-colours.ts'
import { useWidth } from '../hooks/use-width.ts'
import type { ChartData } from '../model/chart-lines.ts'
import type { Span } from '../model/coverage.ts'
import './chart.css'
import { PLOT_COLOURS, createPlot, plotData } from './plot.ts'
import { Readout } from './readout.tsx'

export interface ChartProps {
  /** What is drawn, for who cannot see it. */
  readonly label: string
  readonly data: ChartData
  readonly range: Span
  readonly missing?: readonly Span[]
  readonly area?: boolean
  readonly height: number
  readonly syncKey?: string | null
  /** Keys of the lines that are not drawn. */
  readonly hidden?: ReadonlySet<string>
  /** Key of the line that stands out. */
  readonly focused?: string | null
  readonly onZoom?: (range: Span) => void
}

const NONE: ReadonlySet<string> = new Set()

/** Lines over time: hover or the arrow keys read a moment, a drag zooms into a span. */
export function Chart(props: ChartProps) {
  const { label, data, range, missing = [], area = false, height, syncKey = null, hidden = NONE } = props
  const [frame, width] = useWidth<HTMLDivElement>()
  const colours = useColours(PLOT_COLOURS)
  const plot = useRef<uPlot | null>(null)
  const [pointed, setPointed] = useState<{ index: number; leftPx: number } | null>(null)
  const facts = useRef({ data, range, missing, area, syncKey, colours, width, height })
  facts.current = { data, range, missing, area, syncKey, colours, width, height }
  const zoom = useEffectEvent((span: Span) => props.onZoom?.(span))
  // Lines that look the same are not set up anew: a chart that is renewed each second only gets new numbers.
  const shape = JSON.stringify([
    data.lines.map(({ key, colour, dash }) => [key, colour, dash]),
    area,
    colours,
    height,
  ])

  useEffect(() => {
    if (frame.current === null || width === 0) return undefined
    const place = frame.current
    const created = createPlot(place, () => facts.current, { zoom, point: setPointed })
    plot.current = created
    return () => {
      created.destroy()
      plot.current = null
    }
  }, [shape, width])

  useEffect(() => {
    plot.current?.setData(plotData(data))
  }, [data, range.fromMs, range.toMs, missing])

  useEffect(() => {
    data.lines.forEach(({ key }, at) => {
      const show = !hidden.has(key)
      if (plot.current?.series[at + 1]?.show !== show) plot.current?.setSeries(at + 1, { show })
    })
  }, [hidden, shape, width])

  useEffect(() => {
    const at = data.lines.findIndex(({ key }) => key === props.focused)
    plot.current?.setSeries(at < 0 ? null : at + 1, { focus: true })
  }, [props.focused])

  const visible = { ...data, lines: data.lines.filter(({ key }) => !hidden.has(key)) }
  return (
    <div
      ref={frame}
      className="chart"
      role="group"
      aria-label={`${label}. Arrow keys read it step by step.`}
      tabIndex={0}
      style={{ height }}
      onKeyDown={(event) => step(event, plot.current, data.times.length)}
      onBlur={() => point(plot.current, null)}
    >
      {pointed !== null && <Readout data={visible} {...pointed} width={width} missing={missing} />}
    </div>
  )
}

/** Moves the crosshair: the arrow keys by a step, with Shift by ten; Esc takes it away. */
function step(event: KeyboardEvent, plot: uPlot | null, length: number): void {
  const moves: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, Home: -length, End: length }
  const move = moves[event.key]
  if (plot === null || (move === undefined && event.key !== 'Escape')) return
  if (event.key === 'Escape') return point(plot, null)
  event.preventDefault()
  const before = plot.cursor.idx ?? length
  point(plot, Math.min(length - 1, Math.max(0, before + (move ?? 0) * (event.shiftKey ? 10 : 1))))
}

function point(plot: uPlot | null, index: number | null): void {
  const timeMs = index === null ? undefined : plot?.data[0][index]
  if (timeMs === undefined) plot?.setCursor({ left: -10, top: -10 })
  else plot?.setCursor({ left: Math.round(plot.valToPos(timeMs, 'x')), top: 10 })
}
