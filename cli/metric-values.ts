import type { ShownMetricLine, ShownMetricValues } from './answers.ts'
import { clockTime, counted, grouped, measured, stepName, valueLine, widthOf } from './format.ts'
import { csvLine, jsonLine } from './records.ts'
import type { Output } from './records.ts'
import { formatTable } from './table.ts'
import type { Column } from './table.ts'
import { harmless, hasColours, painter } from './terminal.ts'
import type { Terminal } from './terminal.ts'

const LINE_CHARS_MIN = 20
/** However wide the terminal, an eye follows no longer line. */
const LINE_CHARS_MAX = 120
const HOSTS_TOLD_MAX = 3

interface Look {
  /** Of the metric. */
  readonly name: string
  readonly output: Output
  readonly nowMs: number
  /** Width of the terminal. */
  readonly columns: number
}

/** One row of the table: a line of the chart, with one of its aggregates. */
interface Row {
  readonly tags: Readonly<Record<string, string>>
  readonly aggregate: string
  readonly last: number | null
  readonly min: number | null
  readonly max: number | null
  /** Of every step of the range. */
  readonly values: readonly (number | null)[]
}

/** `jsonl`: the lines as they are; `csv`: a row per line and step; `pretty`: a row per line, with its course. */
export function formatValues(answer: ShownMetricValues, look: Look, terminal: Terminal): string {
  if (look.output === 'jsonl') return answer.lines.map(jsonLine).join('')
  if (look.output === 'csv') return csvOf(answer)
  if (answer.lines.length === 0) return ''
  const rows = answer.lines.flatMap((line) => rowsOf(line, answer))
  const columns = columnsOf(rows, answer, look)
  const paint = painter(hasColours(terminal))
  return formatTable(rows, columns, { output: look.output, paint, widthMax: Infinity })
}

function csvOf({ lines, aggregates }: ShownMetricValues): string {
  const tags = tagsOf(lines)
  const rows = lines.flatMap((line) =>
    line.points.map(([startMs, ...values]) =>
      csvLine([new Date(startMs).toISOString(), ...tags.map((tag) => line.tags[tag]), ...values]),
    ),
  )
  return csvLine(['start', ...tags, ...aggregates]) + rows.join('')
}

const tagsOf = (lines: readonly ShownMetricLine[]) => Object.keys(lines[0]?.tags ?? {})

function rowsOf({ tags, points }: ShownMetricLine, { aggregates, step, meta }: ShownMetricValues): Row[] {
  const firstMs = Date.parse(meta.from)
  const count = Math.max(0, Math.ceil((Date.parse(meta.to) - firstMs) / step))
  // A step that is not over has counted less than it will.
  const overMs = Date.parse(meta.complete ? (meta.completeTo ?? meta.to) : meta.to)
  const over = points.filter(([startMs]) => startMs + step <= overMs)
  const judged = over.length === 0 ? points : over
  return aggregates.map((aggregate, at) => {
    const values = Array.from<number | null>({ length: count }).fill(null)
    for (const [startMs, ...all] of points) values[Math.round((startMs - firstMs) / step)] = all[at] ?? null
    const known = judged.map(([, ...all]) => all[at] ?? null).filter((value) => value !== null)
    const least = known.length === 0 ? null : Math.min(...known)
    const most = known.length === 0 ? null : Math.max(...known)
    return { tags, aggregate, last: known.at(-1) ?? null, min: least, max: most, values }
  })
}

function columnsOf(rows: readonly Row[], { lines, aggregates, meta }: ShownMetricValues, look: Look) {
  const tags = tagsOf(lines)
  const number = (name: 'last' | 'min' | 'max'): Column<Row> => ({
    name,
    value: (row) => row[name],
    shown: (row) => shownNumber(row[name], row.aggregate),
    align: 'right',
  })
  const named: Column<Row>[] =
    tags.length === 0
      ? [{ name: 'metric', value: () => look.name }]
      : tags.map((tag) => ({ name: tag, value: (row) => row.tags[tag] || '(none)' }))
  const aggregate: Column<Row>[] =
    aggregates.length > 1 ? [{ name: 'of', value: (row) => row.aggregate }] : []
  const columns = [...named, ...aggregate, number('last'), number('min'), number('max')]
  const taken = columns.reduce((sum, column) => sum + columnWidth(column, rows) + 2, 0)
  const chars = Math.min(LINE_CHARS_MAX, Math.max(LINE_CHARS_MIN, look.columns - taken))
  const range = `${clockTime(meta.from, look.nowMs)}–${clockTime(meta.to, look.nowMs)}`
  return [...columns, { name: range, value: (row: Row) => valueLine(row.values, chars) }]
}

function columnWidth({ name, shown, value }: Column<Row>, rows: readonly Row[]): number {
  return Math.max(
    widthOf(name),
    ...rows.map((row) => widthOf(harmless(shown ? shown(row) : String(value(row))))),
  )
}

function shownNumber(value: number | null, aggregate: string): string {
  if (value === null) return '–'
  return `${measured(value)}${aggregate === 'rate' ? '/s' : ''}`
}

/** What is to be said of an answer besides its completeness: `rate of a counter in steps of 30 s, 2 lines`; what was lost. */
export function valueRemarks({
  lines,
  linesTotal,
  aggregates,
  step,
  lost,
  hint,
}: ShownMetricValues): string[] {
  const remarks: string[] = []
  const [first] = lines
  if (first !== undefined) {
    const more = linesTotal > lines.length ? `${grouped(lines.length)} of ` : ''
    const narrower = more === '' ? '' : '; narrow with --tag'
    remarks.push(
      `${aggregates.join(', ')} of a ${first.kind} in steps of ${stepName(step)}, ${more}${counted(linesTotal, 'line')}${narrower}`,
    )
  } else if (hint !== undefined) {
    remarks.push(`${hint.detail}${hint.names.length === 0 ? '' : `; there are ${hint.names.join(', ')}`}`)
  }
  if (lost.total > 0) {
    const hosts = told(lost.byHost, HOSTS_TOLD_MAX)
    remarks.push(`at least ${grouped(lost.total)} lost (${told(lost.byReason)}), on ${hosts}`)
  }
  return remarks
}

/** `kernel 120, late 3` */
function told(counts: Readonly<Record<string, number>>, toldMax = Infinity): string {
  const all = Object.entries(counts)
  const some = all
    .slice(0, toldMax)
    .map(([what, count]) => `${what === '' ? '(none)' : what} ${grouped(count)}`)
  return [...some, ...(all.length > toldMax ? [`${all.length - toldMax} more`] : [])].join(', ')
}
