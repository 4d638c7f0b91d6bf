import { loadavg } from 'node:os'
import { baselineOf, besideBaseline, keepBaseline, rounded, type Figures } from './support.ts'

/** One line of the table. */
export interface Row {
  readonly what: string
  /** A number, or why there is none. */
  readonly result: number | string
  readonly unit?: string
  /** The best value that is still good enough, and which side of it is good. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number }
  /** What VictoriaLogs needed for the same on this kind of data and machine. */
  readonly rival?: number | string
  /** First run, CPU and the like. */
  readonly note?: string
  /** The answer was wrong, or there was none. */
  readonly problem?: string
}

const HEADS = ['what', 'result', 'target', '', 'VictoriaLogs', 'baseline', 'beside']

/** Prints the rows beside targets and the stored baseline, and stores them as the new one when asked to. */
export function printTable(name: string, rows: readonly Row[]): void {
  const before = baselineOf(name)
  const cells = [HEADS, ...rows.map((row) => cellsOf(row, before))]
  const widths = HEADS.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  console.log(`${name} (load ${loadavg()[0]?.toFixed(1)})`)
  for (const row of cells)
    console.log(
      row.map((cell, n) => (n === 0 ? cell.padEnd(widths[0] ?? 0) : padded(cell, widths[n], n))).join('  '),
    )
  for (const { what, problem } of rows) if (problem !== undefined) console.log(`WRONG ${what}: ${problem}`)
  const figures: Figures = Object.fromEntries(rows.map(({ what, result }) => [what, shown(result)]))
  keepBaseline(name, figures)
}

const padded = (cell: string, width = 0, column: number) =>
  column >= HEADS.length - 1 ? cell : cell.padStart(width)
const shown = (result: number | string) =>
  typeof result === 'number' ? rounded(result, Math.abs(result) < 100 ? 2 : 0) : result

function cellsOf({ what, result, unit, target, rival, note, problem }: Row, before: Figures): string[] {
  return [
    unit === undefined ? what : `${what}, ${unit}`,
    String(shown(result)),
    target === undefined ? '' : 'atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`,
    problem === undefined ? verdict(result, target) : 'WRONG',
    rival === undefined ? '' : String(rival),
    besideBaseline(shown(result), before[what]),
    note ?? '',
  ]
}

function verdict(result: number | string, target: Row['target']): string {
  if (target === undefined || typeof result === 'string') return ''
  const met = 'atMost' in target ? result <= target.atMost : result >= target.atLeast
  return met ? 'met' : 'missed'
}
