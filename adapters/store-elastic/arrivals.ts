import type { Arrival, ArrivalsPage, ArrivalsRequest } from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import { askOnce, pagesOf, visible } from './ask.ts'
import type { Asking } from './ask.ts'
import { allOf, planToDsl } from './dsl.ts'
import { DOCUMENT_FIELDS } from './mappings.ts'

/** Two writers may give the same position, so records are told apart by their ids. */
const SORT = [{ [DOCUMENT_FIELDS.arrival]: 'asc' }, { [RECORD_FIELDS.id.ecs]: 'asc' }]

/** `horizon`: nothing new gets a position below it, so who asks again behind a page misses no record. */
export async function arrivals(
  asking: Asking,
  { plan, after, limit }: ArrivalsRequest,
  horizon: number,
): Promise<ArrivalsPage> {
  const { possible, maybe } = planToDsl(plan, asking.patterns)
  const matches = maybe.length === 0 ? () => true : compileMatcher(plan)
  const within = { range: { [DOCUMENT_FIELDS.arrival]: { gt: after, lt: horizon } } }
  const query = allOf([visible(asking), within, possible])
  const listing = { query, sort: SORT, firstMax: limit + 1 }
  const found: Arrival[] = []
  for await (const page of pagesOf(askOnce(asking), listing)) {
    for (const { record, source } of page) {
      if (!matches(record)) continue
      const position = source[DOCUMENT_FIELDS.arrival] as number
      if (found.length >= limit && position !== found.at(-1)?.position) return fullPage(found, limit)
      found.push({ position, record })
    }
  }
  if (found.length > limit) return fullPage(found, limit)
  return { arrivals: found, position: Math.max(after, horizon - 1) }
}

/** Records of one position stay together, as a reader asks for what is behind it: all that begin in the page, or more than fit. */
function fullPage(found: readonly Arrival[], limit: number): ArrivalsPage {
  const last = found.at(-1)?.position ?? 0
  const before = found.filter(({ position }) => position !== last)
  const page = found.length <= limit || before.length === 0 ? found : before
  return { arrivals: page, position: page.at(-1)?.position ?? last }
}
