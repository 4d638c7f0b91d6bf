import type { Series, Split } from '../model/histogram.ts'
import { visible } from '../model/visible.ts'

/** A level's name as it is written everywhere; '' is a line that says none. */
export function levelName(level: string): string {
  return level === '' ? 'none' : visible(level)
}

/** The class that carries a level's colour; levels that the page does not know get the colour of none. */
export function levelClass(level: string): string {
  return `level-${/^(?:fatal|error|warn|info|debug|trace)$/u.test(level) ? level : 'none'}`
}

/** How a series is told from the others: its colour, a letter or number for who does not see colours, its name. */
export function seriesLook(by: Split, { value }: Series, index: number) {
  if (value === null) return { className: 'series-others', mark: '+', name: 'others' }
  if (value === '') return { className: 'level-none', mark: '–', name: by === 'level' ? 'none' : `no ${by}` }
  if (by === 'level') {
    return { className: levelClass(value), mark: value.charAt(0).toUpperCase(), name: levelName(value) }
  }
  return { className: `series-${index + 1}`, mark: String(index + 1), name: visible(value) }
}

/** The coloured square of a series, with its letter. */
export function SeriesMark({ by, series, index }: { by: Split; series: Series; index: number }) {
  const { className, mark } = seriesLook(by, series, index)
  return (
    <i className={`series-mark ${className}`} aria-hidden="true">
      {mark}
    </i>
  )
}
