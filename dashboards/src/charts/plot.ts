import './language.ts'
import uPlot from 'uplot'
import type { Colours } from '../hooks/use-colours.ts'
import { DASHES, type ChartData } from '../model/chart-lines.ts'
import type { Span } from '../model/coverage.ts'
import { timeTicks } from '../model/histogram.ts'
import { writeMeasure, type Measure } from '../model/units.ts'

/** Custom properties that a plot is drawn with. */
export const PLOT_COLOURS = [
  '--line-0',
  '--line-1',
  '--line-2',
  '--line-3',
  '--line-4',
  '--line-5',
  '--line-6',
  '--muted',
  '--border',
  '--warn',
] as const

const PIXELS_PER_TIME_TICK = 110
const PIXELS_PER_VALUE_TICK = 34
/** Steps of axes that a person can add up. */
const ROUND_STEPS = Array.from({ length: 36 }, (_, at) => 10 ** (at - 18)).flatMap((power) =>
  [1, 2, 2.5, 5].map((step) => step * power),
)
const POWERS_OF_TWO = Array.from({ length: 64 }, (_, at) => 2 ** (at - 3))
const FONT = '11px system-ui, sans-serif'

export interface PlotFacts {
  readonly data: ChartData
  readonly range: Span
  /** What the ledger says is missing. */
  readonly missing: readonly Span[]
  readonly area: boolean
  /** Charts of one board share their crosshair; null: alone. */
  readonly syncKey: string | null
  readonly colours: Colours
  readonly width: number
  readonly height: number
}

export interface PlotEvents {
  /** A drag selected these times. */
  readonly zoom: (range: Span) => void
  /** The crosshair stands at this step, so far from the left of the plot; null: nowhere. */
  readonly point: (at: { index: number; leftPx: number } | null) => void
}

/** Axes, lines, hatched gaps and a crosshair on a canvas. `facts` is asked again on every drawing; lines and size are fixed. */
export function createPlot(place: HTMLElement, facts: () => PlotFacts, events: PlotEvents): uPlot {
  const { data, colours, width, height, area, syncKey } = facts()
  const options: uPlot.Options = {
    width,
    height,
    ms: 1,
    padding: [10, 16, 0, 0],
    legend: { show: false },
    focus: { alpha: 0.25 },
    scales: {
      x: { time: false, range: () => [facts().range.fromMs, facts().range.toMs] },
      y: { range: (_plot, min, max) => valueRange(min, max) },
    },
    axes: [timeAxis(colours), valueAxis(colours, facts)],
    series: [
      {},
      ...data.lines.map((line): uPlot.Series => {
        const stroke = colours[`--line-${line.colour}`] ?? 'gray'
        return {
          label: line.label,
          stroke,
          width: 1.5,
          dash: [...(DASHES[line.dash] ?? [])],
          points: { size: 4 },
          ...(area && { fill: stroke.replace(/^rgb\((.*)\)$/u, 'rgba($1, 0.16)') }),
        }
      }),
    ],
    cursor: {
      drag: { x: true, y: false, setScale: false, dist: 5 },
      points: { size: 6 },
      bind: { dblclick: () => null },
      ...(syncKey !== null && { sync: { key: syncKey, scales: ['x', null] } }),
    },
    hooks: hooks(facts, events),
  }
  return new uPlot(options, plotData(data), place)
}

export function plotData({ times, lines }: ChartData): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])]
}

/** Always with zero in it: a chart that starts elsewhere makes small changes look great. */
function valueRange(min: number | null, max: number | null): uPlot.Range.MinMax {
  const [low, high] = [Math.min(0, min ?? 0), Math.max(0, max ?? 0)]
  if (low === high) return [0, 1]
  const room = (high - low) * 0.06
  return [low < 0 ? low - room : 0, high > 0 ? high + room : 0]
}

function timeAxis(colours: Colours): uPlot.Axis {
  const ticksOf = (plot: uPlot, fromMs: number, toMs: number) =>
    timeTicks({ fromMs, toMs }, Math.max(2, Math.floor(plot.width / PIXELS_PER_TIME_TICK)))
  return {
    ...axisLooks(colours),
    size: 28,
    splits: (plot, _axis, min, max) => ticksOf(plot, min, max).map(({ timeMs }) => timeMs),
    values: (plot, splits) => {
      const { min = 0, max = 0 } = plot.scales['x'] ?? {}
      const labels = new Map(ticksOf(plot, min, max).map(({ timeMs, label }) => [timeMs, label]))
      return splits.map((timeMs) => labels.get(timeMs) ?? '')
    },
  }
}

function valueAxis(colours: Colours, facts: () => PlotFacts): uPlot.Axis {
  return {
    ...axisLooks(colours),
    size: 66,
    space: PIXELS_PER_VALUE_TICK,
    incrs: () => (measureOfAxis(facts()).unit === 'bytes' ? POWERS_OF_TWO : ROUND_STEPS),
    values: (_plot, splits) => {
      const measure = measureOfAxis(facts())
      return splits.map((value) => writeMeasure(value, measure))
    },
  }
}

/** One axis for all lines: aggregates of one metric are mostly of one unit. */
function measureOfAxis({ data }: PlotFacts): Measure {
  return data.lines[0]?.measure ?? { unit: 'number', perSecond: false }
}

function axisLooks(colours: Colours): uPlot.Axis {
  const [muted = 'gray', border = 'gray'] = [colours['--muted'], colours['--border']]
  return {
    stroke: muted,
    font: FONT,
    gap: 6,
    grid: { stroke: border, width: 1, dash: [2, 4] },
    ticks: { stroke: border, width: 1, size: 4 },
    border: { show: true, stroke: border, width: 1 },
  }
}

function hooks(facts: () => PlotFacts, events: PlotEvents): uPlot.Hooks.Arrays {
  return {
    drawClear: [(plot) => hatch(plot, facts())],
    setSelect: [
      (plot) => {
        const { left, width } = plot.select
        if (width === 0) return
        const fromMs = Math.round(plot.posToVal(left, 'x'))
        const toMs = Math.round(plot.posToVal(left + width, 'x'))
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        if (fromMs < toMs) events.zoom({ fromMs, toMs })
      },
    ],
    setCursor: [
      (plot) => {
        const { idx, left } = plot.cursor
        if (typeof idx !== 'number' || left === undefined || left < 0) events.point(null)
        else events.point({ index: idx, leftPx: left })
      },
    ],
  }
}

/** Slanted lines over every span of which something is missing. */
function hatch(plot: uPlot, { missing, colours }: PlotFacts): void {
  const { ctx, bbox } = plot
  const step = 7 * devicePixelRatio
  for (const { fromMs, toMs } of missing) {
    const left = Math.max(bbox.left, plot.valToPos(fromMs, 'x', true))
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(toMs, 'x', true))
    if (right <= left) continue
    ctx.save()
    ctx.beginPath()
    ctx.rect(left, bbox.top, Math.max(right - left, 2 * devicePixelRatio), bbox.height)
    ctx.clip()
    ctx.strokeStyle = colours['--warn'] ?? 'orange'
    ctx.globalAlpha = 0.45
    ctx.lineWidth = devicePixelRatio
    ctx.beginPath()
    for (let x = left - bbox.height; x < right; x += step) {
      ctx.moveTo(x, bbox.top + bbox.height)
      ctx.lineTo(x + bbox.height, bbox.top)
    }
    ctx.stroke()
    ctx.restore()
  }
}
