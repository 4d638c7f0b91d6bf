import { z } from 'zod'
import { toPublicRecord } from '../../core/record.ts'
import { metaSchema, publicRecordSchema } from '../answers.ts'
import { interval, readInterval } from '../interval.ts'
import { findPatterns } from '../patterns.ts'
import type { Queries } from '../queries.ts'
import { countParameters, iso, readCount, limitUpTo } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const LIMIT_DEFAULT = 20
const LIMIT_MAX = 200
const time = z.iso.datetime()
const count = z.number().int()

const patternSchema = z.object({
  pattern: z.string().describe('Its id, as the field `pattern`; empty: records without one.'),
  template: z.string().describe('The message with its variable parts removed.'),
  count,
  share: z.number().describe('Of the records that match.'),
  first: time,
  last: time,
  trend: z.array(z.object({ start: time, count })).describe('Oldest first; empty buckets are left out.'),
  example: publicRecordSchema.describe('The newest record.'),
})

export function patternRoutes(app: App, services: Services, queries: Queries): void {
  const { config, store } = services
  const schema = {
    summary: 'The shapes of the messages that match.',
    querystring: z.strictObject({
      ...countParameters(config.query.timeoutMs),
      limit: limitUpTo(LIMIT_MAX, LIMIT_DEFAULT, 'Most patterns in the answer.'),
      interval,
    }),
    response: {
      200: z.object({
        patterns: z.array(patternSchema).describe('Most frequent first.'),
        distinct: count.describe('Different patterns; records without one count as one.'),
        matched: count.describe('Records that match.'),
        intervalMs: count.describe('Width of the buckets of `trend`.'),
        meta: metaSchema,
      }),
    },
  }

  app.get('/v1/patterns', { schema, config: { role: 'search' } }, async (request, reply) => {
    const { limit } = request.query
    const question = readCount(request.query, services)
    const { plan, range } = question
    const intervalMs = readInterval(request.query.interval, range)
    const { answer, meta } = await queries.run({ ...question, kind: 'patterns', request, reply }, (signal) =>
      findPatterns(store, { plan, range, limit, intervalMs }, signal),
    )
    const { matched, distinct, scanned } = answer
    const patterns = answer.patterns.map(({ firstMs, lastMs, trend, example, ...found }) => ({
      ...found,
      share: found.count / matched,
      first: iso(firstMs),
      last: iso(lastMs),
      trend: trend.map(({ startMs, count }) => ({ start: iso(startMs), count })),
      example: toPublicRecord(example),
    }))
    return { patterns, distinct, matched, intervalMs, meta: meta({ scanned, returned: matched }) }
  })
}
