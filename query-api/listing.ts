import { z } from 'zod'
import type { SearchAfter, SearchRequest } from '../core/ports.ts'
import { compileGrep } from '../core/query/grep.ts'
import { ORDERS, decodeCursor, encodeCursor } from './cursor.ts'
import { askedSites, iso, naming, questionParameters, readQuestion } from './questions.ts'
import type { Question } from './questions.ts'
import type { Services } from './services.ts'

export const NDJSON = 'application/x-ndjson'

/** The parameters of a question whose answer is the records themselves. */
export function listingParameters(defaultTimeoutMs: number) {
  return {
    ...questionParameters(defaultTimeoutMs),
    order: z.enum(ORDERS).optional().describe('Which records come first. Default: `newest`.'),
    grep: z
      .string()
      .optional()
      .describe(
        'Only records with a text that this regular expression (RE2) finds, also across words. It reads what `q` finds one by one.',
      ),
    cursor: z
      .string()
      .optional()
      .describe(
        '`meta.cursor` of the page before; it brings `from`, `to` and `order` of the first page with it.',
      ),
  }
}

/** A question whose answer is the records themselves, read and checked. */
export interface Listing extends Question {
  /** What the store is asked, but for the limit. */
  readonly search: Omit<SearchRequest, 'limit'> & Required<Pick<SearchRequest, 'order'>>
  /** The cursor of the page behind a record; undefined when there is none. */
  readonly cursorAt: (next: SearchAfter | null) => string | undefined
}

type Asked = Parameters<typeof readQuestion>[0] & {
  readonly order?: (typeof ORDERS)[number] | undefined
  readonly cursor?: string | undefined
}

export function readListing(ask: Asked, services: Pick<Services, 'clock' | 'holds'>): Listing {
  const { grep } = ask
  if (grep !== undefined) naming('grep', () => compileGrep(grep))
  const cursor = ask.cursor === undefined ? undefined : decodeCursor(ask.cursor)
  const question = readQuestion(ask, services, cursor)
  const { plan, range, nowMs } = question
  const order = cursor?.order ?? ask.order ?? 'newest'
  return {
    ...question,
    search: { plan, range, order, grep, after: cursor?.after },
    cursorAt: (next) => (next === null ? undefined : encodeCursor({ nowMs, ...range, order, after: next })),
  }
}

/** The first line of a stream: what is being answered. */
export function planLine(
  { text, range, search: { plan: asked, order, grep } }: Listing,
  { limit, holds }: { limit: number | null; holds: readonly string[] },
): string {
  const plan = {
    query: text,
    from: iso(range.fromMs),
    to: iso(range.toMs),
    order,
    ...(grep === undefined ? {} : { grep }),
    limit,
    sites: askedSites(asked, holds),
  }
  return `${JSON.stringify({ plan })}\n`
}
