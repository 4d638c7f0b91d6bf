import type { NamedSeries } from './naming.ts'

/** The live series, numbered from 0; numbers of those that left are given again. */
export interface LiveSeries {
  readonly size: number
  /** One more than the highest number that was ever given. */
  readonly end: number
  /** The number of a series, new or known, or the limit that it hits. */
  numberOf(kind: number, named: NamedSeries): number | 'series' | 'name_series'
  prefixOf(series: number): string
  kindOf(series: number): number
  isLive(series: number): boolean
  remove(series: number): void
}

interface Entry {
  readonly kind: number
  readonly name: string
  readonly prefix: string
}

export function createLiveSeries(limits: { seriesMax: number; seriesPerNameMax: number }): LiveSeries {
  const numbers = new Map<string, number>()
  const entries: (Entry | null)[] = []
  const perName = new Map<string, number>()
  const free: number[] = []

  return {
    get size() {
      return numbers.size
    },
    get end() {
      return entries.length
    },
    numberOf(kind, { name, prefix }) {
      const known = numbers.get(prefix)
      if (known !== undefined) return known
      const sameName = perName.get(name) ?? 0
      if (sameName >= limits.seriesPerNameMax) return 'name_series'
      if (numbers.size >= limits.seriesMax) return 'series'
      const series = free.pop() ?? entries.length
      entries[series] = { kind, name, prefix }
      numbers.set(prefix, series)
      perName.set(name, sameName + 1)
      return series
    },
    prefixOf: (series) => entries[series]?.prefix ?? '',
    kindOf: (series) => entries[series]?.kind ?? 0,
    isLive: (series) => (entries[series] ?? null) !== null,
    remove(series) {
      const entry = entries[series] ?? null
      if (entry === null) return
      entries[series] = null
      numbers.delete(entry.prefix)
      free.push(series)
      const left = (perName.get(entry.name) ?? 1) - 1
      if (left === 0) perName.delete(entry.name)
      else perName.set(entry.name, left)
    },
  }
}
