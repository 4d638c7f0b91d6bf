import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { metricNames, type ApiMetricName, type ApiMetricTag } from '../api/metrics.ts'
import { readFilter } from '../model/chart-view.ts'
import { count } from '../model/format.ts'
import { rangeParameters, type TimeRange } from '../model/time-range.ts'
import { visible } from '../model/visible.ts'
import { Combo } from './combo.tsx'
import { Icon } from './icons.tsx'

const NAMES_OFFERED_MAX = 100
const FILTERS_OFFERED_MAX = 100

/** Names of metrics that start so. */
export function useMetricNames(prefix: string, range: TimeRange) {
  return useQuery({
    queryKey: ['metric names', prefix, rangeParameters(range)],
    queryFn: ({ signal }) =>
      metricNames({ prefix, ...rangeParameters(range), limit: NAMES_OFFERED_MAX }, signal),
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  })
}

/** What the server's answer to a prefix is made of: names that start so, or have a part that does. */
function isNameFor(name: string, prefix: string): boolean {
  return name.startsWith(prefix) || name.includes(`.${prefix}`) || name.includes(`_${prefix}`)
}

interface NameFieldProps {
  readonly name: string
  readonly range: TimeRange
  readonly onPick: (name: string, kind: string) => void
}

export function NameField({ name, range, onPick }: NameFieldProps) {
  const [text, setText] = useState('')
  const typed = text.trim()
  const { data, error, isPlaceholderData } = useMetricNames(typed, range)
  // Names for what was typed before stand until the new ones come: those that fit already, so that Enter never takes another one.
  const names = (data?.names ?? []).filter((found) => !isPlaceholderData || isNameFor(found.name, typed))
  const more = (data?.total ?? 0) - names.length
  const note =
    error !== null
      ? error.message
      : more > 0
        ? `and ${count(more)} more: write the start of a name`
        : names.length === 0 && data !== undefined
          ? 'No metric in this range has a name like that.'
          : ''
  const options = names.map((found) => ({
    value: found.name,
    // A name can be of several kinds.
    label: isAmbiguous(found) ? `${found.name} (${found.kind})` : found.name,
    hint: `${found.kind}, ${count(found.series)} series`,
  }))
  function isAmbiguous({ name: shared, kind }: ApiMetricName): boolean {
    return names.some((other) => other.name === shared && other.kind !== kind)
  }
  return (
    <Combo
      className="name-field"
      label="Metric"
      placeholder="Choose a metric: the start of its name"
      shortcut="/"
      value={name}
      options={options}
      note={note}
      onText={setText}
      onPick={(picked, option) =>
        onPick(picked, option === null ? '' : (names[options.indexOf(option)]?.kind ?? ''))
      }
    />
  )
}

interface FilterFieldProps {
  readonly known: readonly ApiMetricTag[]
  readonly tags: readonly string[]
  readonly onAdd: (filter: string) => void
}

/** Adds `tag:value`; with `!` in front it excludes. */
export function FilterField({ known, tags, onAdd }: FilterFieldProps) {
  const [text, setText] = useState('')
  const [problem, setProblem] = useState('')
  const excluding = text.startsWith('!')
  const wanted = text.replace(/^!/u, '').toLowerCase()
  const all = known.flatMap(({ tag, values }) =>
    values.map(({ value, series }) => ({
      value: `${excluding ? '!' : ''}${tag}:${value}`,
      label: `${excluding ? 'not ' : ''}${tag}:${value}`,
      hint: `${count(series)} series`,
    })),
  )
  const fitting = all.filter(({ value }) => value.toLowerCase().includes(wanted) && !tags.includes(value))
  return (
    <Combo
      className="filter-field"
      label="Filter by tag"
      placeholder="Filter: tag:value, !tag:value"
      shortcut="f"
      value=""
      options={fitting.slice(0, FILTERS_OFFERED_MAX)}
      note={
        problem ||
        (known.length === 0 ? 'This metric has no tags.' : '`*` stands for anything, `!` in front excludes.')
      }
      onText={(typed) => {
        setText(typed)
        setProblem('')
      }}
      onPick={(picked) => {
        const filter = readFilter(picked)
        if (filter === null) setProblem('A filter is tag:value.')
        else if (!tags.includes(filter)) onAdd(filter)
      }}
    />
  )
}

export function FilterChips({
  tags,
  onChange,
}: {
  tags: readonly string[]
  onChange: (tags: readonly string[]) => void
}) {
  return tags.map((tag) => (
    <span key={tag} className="chip">
      {visible(tag)}
      <button
        type="button"
        className="tool"
        aria-label={`Remove the filter ${visible(tag)}`}
        onClick={() => onChange(tags.filter((other) => other !== tag))}
      >
        <Icon name="cross" />
      </button>
    </span>
  ))
}
