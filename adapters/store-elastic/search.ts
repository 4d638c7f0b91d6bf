import type { SearchPage, SearchRequest, TimeRange } from '../../core/ports.ts'
import { compileGrep } from '../../core/query/grep.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import type { LogRecord } from '../../core/record.ts'
import { askOnce, atOneMoment, pagesOf, visible } from './ask.ts'
import type { Ask, Asking } from './ask.ts'
import { allOf, planToDsl } from './dsl.ts'
import type { Condition } from './dsl.ts'

/** Of one request, so that most pages of a search need no second one. */
const ONE_REQUEST_MAX = 1_000

/** Newest first, or oldest first, until the page is full. */
export async function search(asking: Asking, request: SearchRequest): Promise<SearchPage> {
  const condition = planToDsl(request.plan, asking.patterns)
  const read = (ask: Ask) => readPage(asking, request, condition, ask)
  const isWhole =
    condition.maybe.length === 0 && request.grep === undefined && request.limit < ONE_REQUEST_MAX
  return isWhole ? read(askOnce(asking)) : atOneMoment(asking, read)
}

async function readPage(
  asking: Asking,
  request: SearchRequest,
  condition: Condition,
  ask: Ask,
): Promise<SearchPage> {
  const { limit, after, order = 'newest' } = request
  const isWanted = deciderOf(request, condition)
  const direction = order === 'newest' ? 'desc' : 'asc'
  const records: LogRecord[] = []
  let scanned = 0
  const listing = {
    query: allOf([visible(asking, rangeBehind(request)), condition.possible]),
    sort: [{ [RECORD_FIELDS.time.ecs]: direction }, { [RECORD_FIELDS.id.ecs]: direction }],
    after: after && [after.timeMs, after.id],
    firstMax: limit + 1,
  }
  for await (const page of pagesOf(ask, listing)) {
    for (const { record } of page) {
      scanned += 1
      if (!isWanted(record)) continue
      if (records.length === limit) return { records, more: true, scanned }
      records.push(record)
    }
  }
  return { records, more: false, scanned }
}

/** What Elasticsearch leaves open. */
function deciderOf({ plan, grep }: SearchRequest, { maybe }: Condition): (record: LogRecord) => boolean {
  const matches = maybe.length === 0 ? () => true : compileMatcher(plan)
  if (grep === undefined) return matches
  const hasText = compileGrep(grep)
  return (record) => matches(record) && hasText(record)
}

/** The range, cut at the cursor. */
function rangeBehind({ range, after, order = 'newest' }: SearchRequest): TimeRange {
  if (after === undefined) return range
  return order === 'newest'
    ? { ...range, toMs: Math.min(range.toMs, after.timeMs + 1) }
    : { ...range, fromMs: Math.max(range.fromMs, after.timeMs) }
}
