import { z } from 'zod'
import type { TimeRange } from '../../core/ports.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import { parseTime } from '../../core/query/time.ts'
import { toPublicRecord } from '../../core/record.ts'
import { metaSchema, publicRecordSchema } from '../answers.ts'
import { CONTEXT_OF, byId, findContext, lookedAt } from '../context.ts'
import { countBySite } from '../queries.ts'
import type { Queries } from '../queries.ts'
import { naming, ofSites, range, resolveRange, sites, timeout } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const LINES_DEFAULT = 20
const LINES_MAX = 500
const ID_CHARS_MAX = 1_024
/** Where a record is looked for when only its id is known. */
const LOOKUP_MS = 24 * 3_600_000

const lines = z.coerce.number().int().min(0).max(LINES_MAX).default(LINES_DEFAULT)

export function contextRoutes(app: App, services: Services, queries: Queries): void {
  const { config, clock, holds, store } = services
  const schema = {
    summary: 'The lines around a line.',
    description:
      'Of the same file or host, by time, up to a day away. `meta` is about what was looked at: from the first given line to the last, or to the end of that day where fewer lines were found than asked for. 404 when there is no such record.',
    querystring: z.strictObject({
      id: z.string().min(1).max(ID_CHARS_MAX).describe('The id of the line.'),
      time: z
        .string()
        .optional()
        .describe('Its time, as the record says it. Without it the line is looked for from `from` to `to`.'),
      from: range.from.describe('Where to look for the line. Default: a day before `to`.'),
      to: range.to,
      before: lines.describe('Most lines before it.'),
      after: lines.describe('Most lines after it.'),
      of: z
        .enum(CONTEXT_OF)
        .default('file')
        .describe('Lines of the same file (site, host, path), or of the same host (site, host).'),
      sites,
      timeout: timeout(config.query.timeoutMs),
    }),
    response: {
      200: z.object({
        before: z.array(publicRecordSchema).describe('Oldest first.'),
        record: publicRecordSchema,
        after: z.array(publicRecordSchema).describe('Oldest first.'),
        meta: metaSchema,
      }),
    },
  }

  app.get('/v1/context', { schema, config: { role: 'search' } }, async (request, reply) => {
    const ask = request.query
    ofSites(MATCH_ALL, ask.sites, holds)
    const nowMs = clock.nowMs()
    const wanted = { ...ask, within: placeOf(ask, nowMs) }
    const look = (signal: AbortSignal, reach?: TimeRange) => findContext(store, { ...wanted, reach }, signal)
    const { answer, meta } = await queries.run(
      {
        kind: 'context',
        text: byId(ask.id).text,
        plan: MATCH_ALL, // A purge may have taken any line around it.
        range: wanted.within,
        timeoutMs: ask.timeout,
        // The ledger must speak of the range before it is read, so it is looked at twice.
        narrow: async (signal) => lookedAt(await look(signal), ask, nowMs),
        request,
        reply,
      },
      look,
    )
    const { before, record, after, scanned } = answer
    return {
      before: before.map(toPublicRecord),
      record: toPublicRecord(record),
      after: after.map(toPublicRecord),
      meta: meta({
        scanned,
        returned: before.length + 1 + after.length,
        returnedOf: countBySite([...before, record, ...after]),
      }),
    }
  })
}

interface Place {
  readonly time?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
}

function placeOf({ time, from, to }: Place, nowMs: number): TimeRange {
  if (time === undefined) return resolveRange({ from, to }, nowMs, LOOKUP_MS)
  const timeMs = naming('time', () => parseTime(time, nowMs))
  return { fromMs: timeMs, toMs: timeMs + 1 }
}
