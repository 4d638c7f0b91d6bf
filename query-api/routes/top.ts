import { z } from 'zod'
import { ServiceError } from '../../core/errors.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import { metaSchema } from '../answers.ts'
import type { Queries } from '../queries.ts'
import { countParameters, iso, readCount, limitUpTo } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const LIMIT_DEFAULT = 10
const LIMIT_MAX = 1_000
const FIELD_CHARS_MAX = 1_024
const time = z.iso.datetime()
const count = z.number().int()

export function topRoutes(app: App, services: Services, queries: Queries): void {
  const { config, store } = services
  const schema = {
    summary: 'The most frequent values of a field.',
    querystring: z.strictObject({
      ...countParameters(config.query.timeoutMs),
      field: z
        .string()
        .min(1)
        .max(FIELD_CHARS_MAX)
        .describe('A keyword or number field, or the path of an attr: `host`, `status`, `http.method`.'),
      limit: limitUpTo(LIMIT_MAX, LIMIT_DEFAULT, 'Most values in the answer.'),
    }),
    response: {
      200: z.object({
        field: z.string(),
        values: z
          .array(
            z.object({
              value: z.string(),
              count,
              share: z.number().describe('Of the records that have the field.'),
              first: time,
              last: time,
            }),
          )
          .describe('Most frequent first. Of a list, each different element counts once.'),
        matched: count.describe('Records that match, with the field or without.'),
        having: count.describe('Of those, the ones that have the field.'),
        distinct: count.describe('Different values.'),
        approximate: z.literal(false).describe('Every record was counted.'),
        meta: metaSchema,
      }),
    },
  }

  app.get('/v1/top', { schema, config: { role: 'search' } }, async (request, reply) => {
    const { field, limit } = request.query
    assertCountable(field)
    const question = readCount(request.query, services)
    const { plan, range } = question
    const { answer, meta } = await queries.run({ ...question, kind: 'top', request, reply }, (signal) =>
      store.top({ plan, range, field, limit }, signal),
    )
    const { matched, having, distinct, scanned } = answer
    return {
      field,
      values: answer.values.map(({ value, count, firstMs, lastMs }) => ({
        value,
        count,
        share: count / having,
        first: iso(firstMs),
        last: iso(lastMs),
      })),
      matched,
      having,
      distinct,
      approximate: false as const,
      meta: meta({ scanned, returned: matched }),
    }
  })
}

/** Ids, texts and times differ from record to record: counting their values says nothing. */
function assertCountable(field: string): void {
  if (!isFieldName(field)) return
  const { kind } = RECORD_FIELDS[field]
  if (field !== 'id' && (kind === 'keyword' || kind === 'number')) return
  throw new ServiceError('UNSUPPORTED', `field: the values of ${field} are not counted`, { field })
}
