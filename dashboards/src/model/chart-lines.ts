import type { ApiMetricLine, MetricsAnswer } from '../api/metrics.ts'
import { measureOf, type Measure } from './units.ts'

/** More lines than this cannot be told apart in one chart. */
export const LINES_SHOWN_MAX = 20
/** A hole of more missing steps than this is left open; a shorter one is bridged. */
const BRIDGED_STEPS_MAX = 2
/** Aggregates that grow until their step is over. */
const GROWING: ReadonlySet<string> = new Set(['rate', 'sum', 'count'])
export const COLOURS = 7
export const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3]]

/** One drawn line: one aggregate of one group of series. */
export interface ChartLine {
  readonly key: string
  /** Values of the tags it was split by, and the aggregate where there are several: never empty. */
  readonly label: string
  readonly measure: Measure
  /** One for each of the chart's times; null: nothing, leave a hole; undefined: nothing, draw over it. */
  readonly values: readonly (number | null | undefined)[]
  /** 0 to COLOURS − 1. */
  readonly colour: number
  /** Index into DASHES: so that lines differ without colour, too. */
  readonly dash: number
  readonly last: number | null
  readonly min: number | null
  readonly max: number | null
  readonly avg: number | null
}

export interface ChartData {
  /** Starts of steps, ms since 1970, ascending and without holes. */
  readonly times: readonly number[]
  readonly stepMs: number
  readonly lines: readonly ChartLine[]
  /** Lines there would be, drawn or not. */
  readonly linesTotal: number
}

/** An answer as what is drawn: the lines with the greatest values, in order of their tags. */
export function chartData(answer: MetricsAnswer, name: string): ChartData {
  const { step: stepMs, aggregates } = answer
  const times = stepsOf(answer)
  const overMs = endOfKnown(answer)
  const groupsMax = Math.max(1, Math.floor(LINES_SHOWN_MAX / Math.max(1, aggregates.length)))
  const shown = greatest(answer.lines, groupsMax)
  const lines = shown.flatMap((line, at) =>
    aggregates.map((aggregate, of) =>
      chartLine(line, { name, times, stepMs, overMs, aggregate, of, at, aggregates, groups: shown.length }),
    ),
  )
  return { times, stepMs, lines, linesTotal: answer.linesTotal * aggregates.length }
}

/** Steps that end later are not over. */
function endOfKnown({ meta }: MetricsAnswer): number {
  return Date.parse(meta.complete ? (meta.completeTo ?? meta.to) : meta.to)
}

function stepsOf({ meta, step, lines }: MetricsAnswer): readonly number[] {
  if (!(step > 0)) return []
  const ends = lines
    .flatMap(({ points }) => [points[0]?.[0], points.at(-1)?.[0]])
    .filter((at) => at !== undefined)
  const first = Math.min(Math.floor(Date.parse(meta.from) / step) * step, ...ends)
  const last = Math.max(Math.ceil(Date.parse(meta.to) / step) * step - step, ...ends)
  return Array.from({ length: Math.round((last - first) / step) + 1 }, (_, at) => first + at * step)
}

/** The `most` lines whose first aggregate is the greatest on average, in the order they came. */
function greatest(lines: readonly ApiMetricLine[], most: number): readonly ApiMetricLine[] {
  if (lines.length <= most) return lines
  const size = ({ points }: ApiMetricLine) => points.reduce((sum, [, value]) => sum + Math.abs(value ?? 0), 0)
  const kept = new Set(lines.toSorted((one, other) => size(other) - size(one)).slice(0, most))
  return lines.filter((line) => kept.has(line))
}

interface LineFacts {
  readonly name: string
  readonly times: readonly number[]
  readonly stepMs: number
  readonly overMs: number
  readonly aggregate: string
  /** Which aggregate it is. */
  readonly of: number
  /** Which group it is. */
  readonly at: number
  readonly groups: number
  readonly aggregates: readonly string[]
}

function chartLine(line: ApiMetricLine, facts: LineFacts): ChartLine {
  const { name, times, stepMs, aggregate, of, at, groups, aggregates } = facts
  const firstMs = times[0] ?? 0
  const values = Array.from<number | null | undefined>({ length: times.length }).fill(null)
  const known: number[] = []
  for (const [startMs, ...all] of pointsToShow(line, facts)) {
    const value = all[of] ?? null
    values[Math.round((startMs - firstMs) / stepMs)] = value
    if (value !== null) known.push(value)
  }
  const several = aggregates.length > 1
  const tags = Object.values(line.tags).map((value) => (value === '' ? '(none)' : value))
  const label = [...tags, ...(several || tags.length === 0 ? [aggregate] : [])].join(' · ')
  return {
    key: JSON.stringify([line.kind, line.tags, aggregate]),
    label,
    measure: measureOf(name, aggregate, line.kind),
    values: bridge(values),
    // Groups differ by colour and aggregates by dashes; where only one of both varies, by colour, then by dashes.
    colour: (groups > 1 ? at : of) % COLOURS,
    dash: (groups > 1 && several ? of : Math.floor((groups > 1 ? at : of) / COLOURS)) % DASHES.length,
    last: known.at(-1) ?? null,
    min: known.length === 0 ? null : known.reduce((one, other) => Math.min(one, other)),
    max: known.length === 0 ? null : known.reduce((one, other) => Math.max(one, other)),
    avg: known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length,
  }
}

/** Without the step that is not over, where it would look like a fall; when there is no other, it is shown. */
function pointsToShow({ points }: ApiMetricLine, facts: Pick<LineFacts, 'aggregate' | 'stepMs' | 'overMs'>) {
  const { aggregate, stepMs, overMs } = facts
  if (!GROWING.has(aggregate)) return points
  const over = points.filter(([startMs]) => startMs + stepMs <= overMs)
  return over.length === 0 ? points : over
}

/** Holes of at most BRIDGED_STEPS_MAX steps between two values become `undefined`. */
export function bridge(values: (number | null | undefined)[]): readonly (number | null | undefined)[] {
  let before = -1
  values.forEach((value, at) => {
    if (value === null || value === undefined) return
    const missing = at - before - 1
    if (before >= 0 && missing > 0 && missing <= BRIDGED_STEPS_MAX) values.fill(undefined, before + 1, at)
    before = at
  })
  return values
}

export type LegendColumn = 'label' | 'last' | 'min' | 'max' | 'avg'

/** Numbers the greatest first, names from a to z; what has no number comes last. */
export function sortLines(
  lines: readonly ChartLine[],
  by: { column: LegendColumn; reverse: boolean },
): readonly ChartLine[] {
  const { column } = by
  const turn = by.reverse ? -1 : 1
  return lines.toSorted((one, other) => {
    if (column === 'label') return turn * one.label.localeCompare(other.label, 'en', { numeric: true })
    const [a, b] = [one[column], other[column]]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    return turn * (b - a)
  })
}
