import { z } from 'zod'
import { ServiceError } from '../../core/errors.ts'
import { HISTOGRAM_BY, QUANTILE_OF } from '../../core/ports.ts'
import type { HistogramBucket, Quantile } from '../../core/ports.ts'
import { metaSchema } from '../answers.ts'
import { assertCells, interval, readInterval } from '../interval.ts'
import type { Queries } from '../queries.ts'
import { countParameters, iso, readCount } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const bucketSchema = z.object({
  start: z.iso.datetime(),
  total: z.number().int(),
  by: z.record(z.string(), z.number().int()).readonly(),
  quantiles: z
    .record(z.string(), z.number())
    .readonly()
    .exactOptional()
    .describe('With `quantile`: per value of `by`, without `by` under the empty name.'),
})

export function histogramRoutes(app: App, services: Services, queries: Queries): void {
  const { config, store } = services
  const schema = {
    summary: 'Count records over time.',
    querystring: z.strictObject({
      ...countParameters(config.query.timeoutMs),
      interval,
      by: z.enum(HISTOGRAM_BY).optional().describe('Also count by the values of this field.'),
      quantile: z
        .string()
        .regex(/^p(?:[1-9]\d?|99\.9)$/, 'expected p1 to p99, or p99.9')
        .optional()
        .describe('Also this quantile of the numbers in `of`, by nearest rank: `p1` to `p99`, `p99.9`.'),
      of: z.enum(QUANTILE_OF).optional().describe('What `quantile` is taken of. Default: `latency_ms`.'),
    }),
    response: {
      200: z.object({
        intervalMs: z.number().int(),
        buckets: z.array(bucketSchema).describe('Oldest first; buckets without a record are left out.'),
        meta: metaSchema,
      }),
    },
  }

  app.get('/v1/histogram', { schema, config: { role: 'search' } }, async (request, reply) => {
    const { by } = request.query
    const question = readCount(request.query, services)
    const { plan, range } = question
    const intervalMs = readInterval(request.query.interval, range)
    const quantile = readQuantile(request.query)

    const { answer, meta } = await queries.run({ ...question, kind: 'histogram', request, reply }, (signal) =>
      store.histogram({ plan, range, intervalMs, by, quantile }, signal),
    )
    assertCells(answer.buckets)
    const buckets = answer.buckets.map(publicBucket)
    const returned = buckets.reduce((sum, { total }) => sum + total, 0)
    return { intervalMs, buckets, meta: meta({ scanned: answer.scanned, returned }) }
  })
}

function readQuantile(ask: {
  quantile?: string | undefined
  of?: Quantile['of'] | undefined
}): Quantile | undefined {
  if (ask.quantile === undefined) {
    if (ask.of !== undefined) throw new ServiceError('BAD_REQUEST', 'of: say which `quantile` of it')
    return undefined
  }
  // Tenths of a percent are whole numbers: 99.9 / 100 would be a little more than 0.999.
  return { of: ask.of ?? 'latency_ms', p: Math.round(Number(ask.quantile.slice(1)) * 10) / 1_000 }
}

function publicBucket({ startMs, total, by, quantiles }: HistogramBucket): z.infer<typeof bucketSchema> {
  return { start: iso(startMs), total, by, ...(quantiles === undefined ? {} : { quantiles }) }
}
