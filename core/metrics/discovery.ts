import { compileTagFilters } from './match.ts'
import type { MetricName, MetricSelection, MetricTag, Series } from './types.ts'
import { compareCodePoints } from './wire.ts'

/** Whether a name is one that somebody looks for who has typed `prefix`: it starts with it, or contains it behind a '.' or '_'. */
export function isNameFor(name: string, prefix: string): boolean {
  return name.startsWith(prefix) || name.includes(`.${prefix}`) || name.includes(`_${prefix}`)
}

/** The names of different series, in order of name and kind; at most `limit`. */
export function listNames(
  series: Iterable<Series>,
  limit: number,
): { readonly names: readonly MetricName[]; readonly total: number } {
  const counts = new Map<string, MetricName>()
  for (const { name, kind } of series) {
    const key = `${kind} ${name}`
    counts.set(key, { name, kind, series: (counts.get(key)?.series ?? 0) + 1 })
  }
  const names = [...counts.values()].sort(
    (one, other) => compareCodePoints(one.name, other.name) || compareCodePoints(one.kind, other.kind),
  )
  return { names: names.slice(0, limit), total: names.length }
}

/** Whether a selection means a series, whatever its time. */
export function compileSelection({ name, kind, tags }: MetricSelection): (series: Series) => boolean {
  const selects = compileTagFilters(tags)
  return (series) =>
    series.name === name && (kind === undefined || series.kind === kind) && selects(series.tags)
}

/** The tags of different series, in order of tag, each with its `limit` most frequent values. */
export function listTags(
  series: Iterable<Series>,
  limit: number,
): { readonly tags: readonly MetricTag[]; readonly series: number } {
  const tags = new Map<string, Map<string, number>>()
  let total = 0
  for (const one of series) {
    total += 1
    for (const [tag, value] of Object.entries(one.tags)) {
      const values = tags.get(tag) ?? new Map<string, number>()
      values.set(value, (values.get(value) ?? 0) + 1)
      tags.set(tag, values)
    }
  }
  const listed = [...tags].map(([tag, values]) => ({
    tag,
    values: [...values]
      .map(([value, count]) => ({ value, series: count }))
      .sort((one, other) => other.series - one.series || compareCodePoints(one.value, other.value))
      .slice(0, limit),
    valuesTotal: values.size,
  }))
  return { tags: listed.sort((one, other) => compareCodePoints(one.tag, other.tag)), series: total }
}
