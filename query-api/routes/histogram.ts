import { z } from 'zod'
import { ServiceError } from '../../core/errors.ts'
import { HISTOGRAM_BY } from '../../core/ports.ts'
import type { TimeRange } from '../../core/ports.ts'
import { parseQuery } from '../../core/query/parse.ts'
import { parseDuration } from '../../core/query/time.ts'
import { metaSchema } from '../answers.ts'
import { assertBuckets, pleasantIntervalMs } from '../interval.ts'
import type { Queries } from '../queries.ts'
import { assertSites, iso, metaOf, naming, q, range, resolveRange, sites, timeout } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Counts in one answer, all buckets and values together: some 2 MB of JSON. */
const CELLS_MAX = 100_000

export function histogramRoutes(app: App, { config, site, store, clock }: Services, queries: Queries): void {
  const schema = {
    summary: 'Count records over time.',
    querystring: z.strictObject({
      q,
      ...range,
      interval: z
        .string()
        .optional()
        .describe('Width of a bucket: `30s`, `1m`, or ms. Default: about 60 buckets of a pleasant width.'),
      by: z.enum(HISTOGRAM_BY).optional().describe('Also count by the values of this field.'),
      sites,
      timeout: timeout(config.query.timeoutMs),
    }),
    response: {
      200: z.object({
        intervalMs: z.number().int(),
        buckets: z
          .array(
            z.object({
              start: z.iso.datetime(),
              total: z.number().int(),
              by: z.record(z.string(), z.number().int()).readonly(),
            }),
          )
          .describe('Oldest first; buckets without a record are left out.'),
        meta: metaSchema,
      }),
    },
  }

  app.get('/v1/histogram', { schema, config: { role: 'search' } }, async (request, reply) => {
    const ask = request.query
    assertSites(ask.sites, site)
    const nowMs = clock.nowMs()
    const plan = parseQuery(ask.q, { nowMs })
    const range = resolveRange(ask, nowMs)
    const intervalMs = intervalOf(ask.interval, range)
    assertBuckets(range, intervalMs)

    const { answer, judged, tookMs } = await queries.run(
      { response: reply.raw, timeoutMs: ask.timeout, range },
      (signal) => store.histogram({ plan, range, intervalMs, by: ask.by }, signal),
    )
    const buckets = answer.buckets.map(({ startMs, total, by }) => ({ start: iso(startMs), total, by }))
    const cells = buckets.reduce((sum, { by }) => sum + Object.keys(by).length, 0)
    if (cells > CELLS_MAX) {
      throw new ServiceError('QUERY_TOO_BROAD', 'by: the field has too many values for so many buckets', {
        cells,
        cellsMax: CELLS_MAX,
      })
    }
    const returned = buckets.reduce((sum, { total }) => sum + total, 0)
    const meta = metaOf({ query: ask.q, range, site, tookMs, scanned: answer.scanned, returned, judged })
    return { intervalMs, buckets, meta }
  })
}

function intervalOf(text: string | undefined, range: TimeRange): number {
  return text === undefined ? pleasantIntervalMs(range) : naming('interval', () => parseDuration(text))
}
