import { z } from 'zod'
import { metaSchema } from '../answers.ts'
import { FIELD_TYPES, summariseFields } from '../fields.ts'
import type { Queries } from '../queries.ts'
import { countParameters, readCount } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const SAMPLE_DEFAULT = 2_000
const SAMPLE_MAX = 10_000
const count = z.number().int()

const fieldSchema = z.object({
  name: z
    .string()
    .describe(
      'As in a query; `attrs.x` is an attr that has the name of a record field, which queries mean by it.',
    ),
  types: z.array(z.enum(FIELD_TYPES)),
  share: z.number().describe('Of the sampled records.'),
  distinct: count.describe('Different values in the sample; of a list, its elements.'),
  examples: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .describe('The most frequent values, at most 5; texts are cut after 200 characters.'),
})

export function fieldRoutes(app: App, services: Services, queries: Queries): void {
  const { config, store } = services
  const schema = {
    summary: 'What fields the newest matching records have.',
    description: 'A sample: `sampled` says of how many records, `of` how many match, when that is known.',
    querystring: z.strictObject({
      ...countParameters(config.query.timeoutMs),
      sample: z.coerce
        .number()
        .int()
        .min(1)
        .max(SAMPLE_MAX)
        .default(SAMPLE_DEFAULT)
        .describe('How many of the newest matching records to look at.'),
    }),
    response: {
      200: z.object({
        fields: z.array(fieldSchema).describe('Most frequent first, at most 1,000.'),
        fieldsTotal: count.describe('Different names in the sample, listed or not.'),
        sampled: count,
        of: count.exactOptional().describe('How many records match; absent: more than `sampled`.'),
        meta: metaSchema,
      }),
    },
  }

  app.get('/v1/fields', { schema, config: { role: 'search' } }, async (request, reply) => {
    const { sample } = request.query
    const question = readCount(request.query, services)
    const { plan, range } = question
    const { answer, meta } = await queries.run(
      { ...question, kind: 'fields', request, reply },
      async (signal) => {
        const { records, more, scanned } = await store.search({ plan, range, limit: sample }, signal)
        return { ...(await summariseFields(records, signal)), sampled: records.length, more, scanned }
      },
    )
    const { fields, total, sampled, more, scanned } = answer
    return {
      fields,
      fieldsTotal: total,
      sampled,
      ...(more ? {} : { of: sampled }),
      meta: meta({ scanned, returned: sampled }),
    }
  })
}
