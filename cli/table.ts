import { cut, widthOf } from './format.ts'
import { csvLine, jsonLine, writeData } from './records.ts'
import type { Output } from './records.ts'
import { hasColours, harmless, painter } from './terminal.ts'
import type { Colour, Paint, Terminal } from './terminal.ts'

/** Between two columns. */
const SPACE = '  '
/** However narrow the terminal, so much of the last column is shown. */
const LAST_WIDTH_MIN = 20

export interface Column<Row> {
  readonly name: string
  /** What programs get in csv. */
  readonly value: (row: Row) => unknown
  /** What people see; by default the value as text. `null`: programs only. */
  readonly shown?: ((row: Row) => string) | null
  readonly align?: 'right'
}

/** In which colour people see a row; null: as it is. */
export type RowColour<Row> = (row: Row) => Colour | null

export interface Look {
  readonly output: Output
  readonly paint: Paint
  /** Columns of the terminal; lines are cut there. */
  readonly widthMax: number
}

/** Writes a table for people, or every row for programs. */
export async function writeTable<Row extends object>(
  terminal: Terminal,
  table: {
    readonly rows: readonly Row[]
    readonly columns: readonly Column<Row>[]
    readonly output: Output
    readonly colour?: RowColour<Row>
  },
  signal: AbortSignal,
): Promise<void> {
  const { stdout } = terminal
  const widthMax = stdout.isTTY === true ? (stdout.columns ?? Infinity) : Infinity
  const look = { output: table.output, paint: painter(hasColours(terminal)), widthMax }
  await writeData(terminal, formatTable(table.rows, table.columns, look, table.colour), table.output, signal)
}

/** `jsonl` has the rows as they are, `csv` the values, `pretty` aligned columns with a head. */
export function formatTable<Row extends object>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { output, paint, widthMax }: Look,
  colour: RowColour<Row> = () => null,
): string {
  if (output === 'jsonl') return rows.map(jsonLine).join('')
  if (output === 'csv') {
    const lines = rows.map((row) => columns.map(({ value }) => csvCell(value(row))))
    return [columns.map(({ name }) => name), ...lines].map(csvLine).join('')
  }
  const seen = columns.filter(({ shown }) => shown !== null)
  const head = seen.map(({ name }) => oneLine(name))
  const cells = rows.map((row) =>
    seen.map(({ value, shown }) => oneLine(shown ? shown(row) : plain(value(row)))),
  )
  const widths = head.map((_, at) => Math.max(...[head, ...cells].map((line) => widthOf(line[at] ?? ''))))
  const lineOf = (line: readonly string[]) => {
    const padded = line.map((text, at) => pad(text, widths[at] ?? 0, seen[at]?.align))
    return padded.join(SPACE).trimEnd()
  }
  const lastWidth = widths.at(-1) ?? 0
  const lineWidth = widths.reduce((sum, width) => sum + width, SPACE.length * (widths.length - 1))
  const fitting = Math.max(widthMax, lineWidth - lastWidth + LAST_WIDTH_MIN)
  const lines = rows.map((row, at) => {
    const text = cut(lineOf(cells[at] ?? []), fitting)
    const painted = colour(row)
    return `${painted === null ? text : paint(painted, text)}\n`
  })
  return `${paint('bold', cut(lineOf(head), fitting))}\n${lines.join('')}`
}

function pad(text: string, width: number, align: 'right' | undefined): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'right' ? blanks + text : text + blanks
}

/** A cell must not break its row: also ends of lines and tabs are shown as escapes. */
function oneLine(text: string): string {
  return harmless(text)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\t', String.raw`\t`)
}

function plain(value: unknown): string {
  const text = csvCell(value)
  if (text === null || text === undefined) return ''
  return typeof text === 'string' ? text : JSON.stringify(text)
}

function csvCell(value: unknown): unknown {
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : value
}
