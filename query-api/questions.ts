import { z } from 'zod'
import { publicCompleteness, summarise } from '../core/answer.ts'
import type { AnswerMeta } from '../core/answer.ts'
import { ServiceError } from '../core/errors.ts'
import type { SiteCompleteness } from '../core/ledger/types.ts'
import type { TimeRange } from '../core/ports.ts'
import { parseTime } from '../core/query/time.ts'

/** A deadline longer than this serves nobody who waits. */
const TIMEOUT_MS_MAX = 60_000
const DEFAULT_RANGE_MS = 15 * 60_000
/** What "now" looks at where no range is given: the sites page and the meta of a tail. */
export const RECENT_MS = 15 * 60_000

export const q = z
  .string()
  .default('')
  .describe('The query, in the language of the query reference; empty: everything.')
export const sites = z
  .string()
  .optional()
  .describe('Sites to ask, separated by commas; all of them by default.')
export const range = {
  from: z
    .string()
    .optional()
    .describe(
      'Start, included: RFC 3339, unix seconds or ms, `now-15m`, `now/d`. Default: 15 minutes before `to`.',
    ),
  to: z.string().optional().describe('End, not included. Default: now.'),
}

export function timeout(defaultMs: number) {
  return z.coerce
    .number()
    .int()
    .min(1)
    .max(TIMEOUT_MS_MAX)
    .default(Math.min(defaultMs, TIMEOUT_MS_MAX))
    .describe('Deadline in ms; 504 when it passes.')
}

/** Absolute times of the range; throws BAD_REQUEST when it is empty or cannot be read. */
export function resolveRange(
  { from, to }: { from?: string | undefined; to?: string | undefined },
  nowMs: number,
): TimeRange {
  const toMs = to === undefined ? nowMs : naming('to', () => parseTime(to, nowMs))
  const fromMs = from === undefined ? toMs - DEFAULT_RANGE_MS : naming('from', () => parseTime(from, nowMs))
  if (fromMs >= toMs) {
    throw new ServiceError('BAD_REQUEST', 'from: must be before `to`', { from: iso(fromMs), to: iso(toMs) })
  }
  return { fromMs, toMs }
}

/** Puts the name of the parameter before what is wrong with it. */
export function naming<T>(parameter: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    throw new ServiceError(error.code, `${parameter}: ${error.message}`, error.details, error)
  }
}

/** Throws UNKNOWN_SITE when another site than ours is named. */
export function assertSites(names: string | undefined, site: string): void {
  for (const name of (names ?? '').split(',').map((part) => part.trim())) {
    if (name !== '' && name !== site) {
      throw new ServiceError('UNKNOWN_SITE', `sites: ${name} is not a configured site`, {
        site: name,
        known: site,
      })
    }
  }
}

export const iso = (ms: number) => new Date(ms).toISOString()

interface Answered {
  readonly query: string
  readonly range: TimeRange
  readonly site: string
  readonly tookMs: number
  readonly scanned: number
  readonly returned: number
  readonly judged: SiteCompleteness
  readonly cursor?: string | undefined
}

/** The envelope of an answer of our own site. */
export function metaOf({
  query,
  range,
  site,
  tookMs,
  scanned,
  returned,
  judged,
  cursor,
}: Answered): AnswerMeta {
  return summarise({
    query,
    from: iso(range.fromMs),
    to: iso(range.toMs),
    tookMs,
    scanned,
    truncated: cursor !== undefined,
    ...(cursor === undefined ? {} : { cursor }),
    sites: { [site]: { status: 'ok', holder: site, tookMs, returned, ...publicCompleteness(judged) } },
  })
}
