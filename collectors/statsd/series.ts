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
  /** Of a live one. */
  remove(series: number): void
}

export function createLiveSeries(limits: { seriesMax: number; seriesPerNameMax: number }): LiveSeries {
  const numbers = new Map<string, number>()
  /** By number; of one that is free '' and its last kind. */
  const prefixes: string[] = []
  const names: string[] = []
  const kinds: number[] = []
  const perName = new Map<string, number>()
  const free: number[] = []

  return {
    get size() {
      return numbers.size
    },
    get end() {
      return prefixes.length
    },
    numberOf(kind, { name, prefix }) {
      const known = numbers.get(prefix)
      if (known !== undefined) return known
      const sameName = perName.get(name) ?? 0
      if (sameName >= limits.seriesPerNameMax) return 'name_series'
      if (numbers.size >= limits.seriesMax) return 'series'
      const series = free.pop() ?? prefixes.length
      prefixes[series] = prefix
      names[series] = name
      kinds[series] = kind
      numbers.set(prefix, series)
      perName.set(name, sameName + 1)
      return series
    },
    prefixOf: (series) => prefixes[series] ?? '',
    kindOf: (series) => kinds[series] ?? 0,
    isLive: (series) => (prefixes[series] ?? '') !== '',
    remove(series) {
      const name = names[series] ?? ''
      numbers.delete(prefixes[series] ?? '')
      prefixes[series] = ''
      names[series] = ''
      free.push(series)
      const left = (perName.get(name) ?? 1) - 1
      if (left === 0) perName.delete(name)
      else perName.set(name, left)
    },
  }
}
