import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { complete, fields, top } from '../api/search.ts'
import type { Suggestions } from '../editor/editor.ts'
import { filterTerm, isQueryable } from '../model/fields.ts'
import { shortCount, percent } from '../model/format.ts'
import { rangeParameters, type TimeRange } from '../model/time-range.ts'

/** Whoever writes waits no longer than this for names and values; the server stops counting then, too. */
const KNOWN_TIMEOUT_MS = 1500
const VALUES_MAX = 200
const SHOWN_MAX = 40
const KNOWN_FOR_MS = 60_000

type Option = Suggestions['options'][number]

/** What may stand at a place of a query: what the language knows, and the fields and values of the lines in the range. */
export function useSuggestions(
  range: TimeRange,
): (text: string, cursor: number, signal: AbortSignal) => Promise<Suggestions | null> {
  const client = useQueryClient()
  return async (text, cursor, signal) => {
    try {
      const known = await complete({ q: text, cursor }, signal)
      const { typed, field, kinds } = known
      const question = { q: '', ...rangeParameters(range), timeout: KNOWN_TIMEOUT_MS }
      const [names, values] = await Promise.all([
        kinds.includes('field') && typed !== '' ? fieldNames(client, question) : [],
        field === null ? [] : fieldValues(client, { ...question, field }),
      ])
      const language = known.candidates.map(({ kind, text: what }) => ({ text: what, kind, detail: '' }))
      const stored = [...values, ...names].filter((option) => startsWith(option.text, typed))
      // What the lines have says how often, so it stands for the same word of the language.
      const counted = new Set(stored.map((option) => option.text))
      const options = [...stored, ...language.filter((option) => !counted.has(option.text))]
      return { from: known.fromColumn - 1, to: known.toColumn - 1, options: options.slice(0, SHOWN_MAX) }
    } catch {
      // Suggestions are a help: without them one writes on.
      return null
    }
  }
}

type Asked = Parameters<typeof fields>[0]

async function fieldNames(client: QueryClient, question: Asked): Promise<readonly Option[]> {
  const answer = client.fetchQuery({
    queryKey: ['search', 'known fields', question],
    queryFn: ({ signal }) => fields(question, signal),
    staleTime: KNOWN_FOR_MS,
    retry: false,
  })
  return await orNothing(
    answer.then(({ fields: found }) =>
      found
        .filter(({ name }) => isQueryable(name))
        .map(({ name, share }) => ({ text: `${name}:`, kind: 'field', detail: percent(share) })),
    ),
  )
}

async function fieldValues(
  client: QueryClient,
  question: Asked & { field: string },
): Promise<readonly Option[]> {
  const { field } = question
  const answer = client.fetchQuery({
    queryKey: ['search', 'known values', question],
    queryFn: ({ signal }) => top({ ...question, limit: VALUES_MAX }, signal),
    staleTime: KNOWN_FOR_MS,
    retry: false,
  })
  return await orNothing(
    answer.then(({ values }) =>
      values.map(({ value, count }) => ({
        text: filterTerm(field, value).slice(field.length + 1),
        kind: 'value',
        detail: shortCount(count),
      })),
    ),
  )
}

/** Nothing when it takes too long or fails. */
async function orNothing(options: Promise<readonly Option[]>): Promise<readonly Option[]> {
  let timer
  const late = new Promise<readonly Option[]>((resolve) => {
    timer = setTimeout(() => resolve([]), KNOWN_TIMEOUT_MS)
  })
  try {
    return await Promise.race([options, late])
  } catch {
    return []
  } finally {
    clearTimeout(timer)
  }
}

function startsWith(text: string, typed: string): boolean {
  return text.replace(/^"/u, '').toLowerCase().startsWith(typed.toLowerCase())
}
