import { useState } from 'react'
import { sortLines, type ChartLine, type LegendColumn } from '../model/chart-lines.ts'
import { writeMeasure } from '../model/units.ts'
import { visible } from '../model/visible.ts'
import './chart.css'
import { Swatch } from './swatch.tsx'

const NUMBERS = ['last', 'min', 'max', 'avg'] as const

interface LegendProps {
  readonly lines: readonly ChartLine[]
  /** Key of the only line that is drawn; null: all are. */
  readonly isolated: string | null
  readonly onIsolate: (key: string | null) => void
  readonly onFocus: (key: string | null) => void
}

/** A row for each line, with what it came to in the range. A press isolates the line, another shows all again. */
export function Legend({ lines, isolated, onIsolate, onFocus }: LegendProps) {
  const [sort, setSort] = useState<{ column: LegendColumn; reverse: boolean }>({
    column: 'max',
    reverse: false,
  })
  const press = (column: LegendColumn) =>
    setSort((before) => ({ column, reverse: before.column === column && !before.reverse }))
  const head = { sort, onSort: press }
  return (
    <div className="legend-table">
      <table>
        <thead>
          <tr>
            <Head column="label" {...head} />
            {NUMBERS.map((column) => (
              <Head key={column} column={column} {...head} />
            ))}
          </tr>
        </thead>
        <tbody onPointerLeave={() => onFocus(null)}>
          {sortLines(lines, sort).map((line) => (
            <tr
              key={line.key}
              className={isolated !== null && isolated !== line.key ? 'off' : undefined}
              onPointerEnter={() => onFocus(line.key)}
            >
              <th scope="row">
                <button
                  type="button"
                  aria-pressed={isolated === line.key}
                  title="Only this line"
                  onClick={() => onIsolate(isolated === line.key ? null : line.key)}
                >
                  <Swatch line={line} />
                  <span>{visible(line.label)}</span>
                </button>
              </th>
              {NUMBERS.map((column) => (
                <td key={column}>{writeMeasure(line[column], line.measure)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface HeadProps {
  readonly column: LegendColumn
  readonly sort: { readonly column: LegendColumn; readonly reverse: boolean }
  readonly onSort: (column: LegendColumn) => void
}

function Head({ column, sort, onSort }: HeadProps) {
  const sorted = sort.column === column
  // Numbers go down first, names up.
  const ascending = (column === 'label') !== sort.reverse
  return (
    <th scope="col" aria-sort={sorted ? (ascending ? 'ascending' : 'descending') : undefined}>
      <button type="button" onClick={() => onSort(column)}>
        {column === 'label' ? 'line' : column}
        <span aria-hidden="true">{sorted ? (ascending ? ' ↑' : ' ↓') : ''}</span>
      </button>
    </th>
  )
}
