import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import type { TimeRange } from '../core/ports.ts'
import { parseQuery } from '../core/query/parse.ts'
import type { QueryPlan } from '../core/query/plan.ts'
import { mayMatch } from '../core/query/possible.ts'
import { parseTime } from '../core/query/time.ts'
import { narrowed, whole } from './narrow.ts'
import type { Services } from './services.ts'

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

/** A `limit`: how many things an answer holds at most. `what` describes it, e.g. "Most values in the answer." */
export function limitUpTo(max: number, byDefault: number, what: string) {
  return z.coerce.number().int().min(1).max(max).default(Math.min(byDefault, max)).describe(what)
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

/** The parameters of every question about records. */
export function questionParameters(defaultTimeoutMs: number) {
  return { q, ...range, sites, timeout: timeout(defaultTimeoutMs) }
}

/** The parameters of a question that counts records. */
export function countParameters(defaultTimeoutMs: number) {
  return {
    ...questionParameters(defaultTimeoutMs),
    grep: z
      .string()
      .optional()
      .describe('Refused with UNSUPPORTED: it reads records one by one, which only search and export do.'),
  }
}

/** A question about records, read and checked. */
export interface Question {
  readonly text: string
  readonly plan: QueryPlan
  readonly range: TimeRange
  /** What `now` means in it. */
  readonly nowMs: number
  readonly timeoutMs: number
}

interface Asked {
  readonly q: string
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly sites?: string | undefined
  readonly grep?: string | undefined
  readonly timeout: number
}

/** `resumed`: a question that was asked before brings its time and range. */
export function readQuestion(
  ask: Asked,
  { clock, holds }: Pick<Services, 'clock' | 'holds'>,
  resumed?: TimeRange & { readonly nowMs: number },
): Question {
  const nowMs = resumed?.nowMs ?? clock.nowMs()
  const plan = ofSites(parseQuery(ask.q, { nowMs }), ask.sites, holds)
  const { fromMs, toMs } = resumed ?? resolveRange(ask, nowMs)
  return { text: ask.q, plan, range: { fromMs, toMs }, nowMs, timeoutMs: ask.timeout }
}

/** A question that counts records; throws UNSUPPORTED for `grep`. */
export function readCount(ask: Asked, services: Pick<Services, 'clock' | 'holds'>): Question {
  if (ask.grep !== undefined) {
    throw new ServiceError('UNSUPPORTED', 'grep: only search and export take it; count without it')
  }
  return readQuestion(ask, services)
}

/** Absolute times of the range; throws BAD_REQUEST when it is empty or cannot be read. */
export function resolveRange(
  { from, to }: { from?: string | undefined; to?: string | undefined },
  nowMs: number,
  defaultMs = DEFAULT_RANGE_MS,
): TimeRange {
  const toMs = to === undefined ? nowMs : naming('to', () => parseTime(to, nowMs))
  const fromMs = from === undefined ? toMs - defaultMs : naming('from', () => parseTime(from, nowMs))
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

/** The plan, of only the sites named (separated by commas; none: all that are held); throws UNKNOWN_SITE for one that is not held. */
export function ofSites(plan: QueryPlan, names: string | undefined, holds: readonly string[]): QueryPlan {
  const named = (names ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  for (const site of named) {
    if (holds.includes(site)) continue
    const details = { site, known: holds.join(', ') }
    throw new ServiceError('UNKNOWN_SITE', `sites: ${site} is not a site whose records are here`, details)
  }
  if (named.length === 0 || holds.every((site) => named.includes(site))) return plan
  return narrowed(plan, { type: 'or', nodes: named.map((site) => whole('site', site)) })
}

/** The held sites that the plan may find records of. */
export function askedSites(plan: QueryPlan, holds: readonly string[]): readonly string[] {
  return holds.filter((site) => mayMatch(plan.root, { site: [site] }))
}

export const iso = (ms: number) => new Date(ms).toISOString()
