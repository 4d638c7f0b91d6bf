import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import type { TagFilter } from '../core/metrics/types.ts'

/** More than a person writes. */
const ENTRIES_MAX = 64
const CHARS_MAX = 8_192

/** A parameter that may be given several times, and have several entries, separated by commas, each time. */
export function listParameter(what: string) {
  const text = z.string().max(CHARS_MAX)
  return z
    .union([text, z.array(text).max(ENTRIES_MAX)])
    .optional()
    .describe(`${what} Separated by commas, or given several times.`)
}

/** Its entries, each once. `parameter` names it when there are too many. */
export function entriesOf(
  parameter: string,
  given: string | readonly string[] | undefined,
): readonly string[] {
  const texts = typeof given === 'string' ? [given] : (given ?? [])
  const entries = texts
    .flatMap((text) => text.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  if (entries.length > ENTRIES_MAX) {
    const details = { entries: entries.length, entriesMax: ENTRIES_MAX }
    throw new ServiceError('BAD_REQUEST', `${parameter}: more than ${ENTRIES_MAX} entries`, details)
  }
  return [...new Set(entries)]
}

/**
 * `env:prod`, `!host:web-1`, `queue:a*` → filters. The name of a tag ends at the first ':', so that a value may have more of them;
 * no value means series without the tag. Several entries of one tag match any of their values; different tags must all match.
 */
export function readTagFilters(entries: readonly string[]): readonly TagFilter[] {
  const filters = new Map<string, { tag: string; values: string[]; exclude: boolean }>()
  for (const entry of entries) {
    const exclude = entry.startsWith('!')
    const text = exclude ? entry.slice(1) : entry
    const end = text.indexOf(':')
    if (end < 1) {
      const remedy = end === 0 || text === '' ? 'env:prod' : `${text}:* or ${text}:prod`
      throw new ServiceError('BAD_REQUEST', `tags: expected tag:value, such as ${remedy}; found "${entry}"`)
    }
    const key = `${exclude ? '!' : ''}${text.slice(0, end)}`
    const filter = filters.get(key) ?? { tag: text.slice(0, end), values: [], exclude }
    filter.values.push(text.slice(end + 1))
    filters.set(key, filter)
  }
  return [...filters.values()]
}
