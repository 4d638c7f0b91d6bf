import { z } from 'zod'
import { metaSchema } from '../answers.ts'
import type { Queries } from '../queries.ts'
import { countParameters, readCount } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const count = z.number().int()

export function explainRoutes(app: App, services: Services, queries: Queries): void {
  const { config, store } = services
  const schema = {
    summary: 'What a query means, and what it would have to read.',
    querystring: z.strictObject(countParameters(config.query.timeoutMs)),
    response: {
      200: z.object({
        plan: z.looseObject({ type: z.string() }).describe('The query as a tree.'),
        partitions: count.describe('In the store.'),
        partitionsRead: count,
        blocks: z
          .object({
            total: count,
            outOfRange: count,
            excludedByValues: count,
            excludedByWords: count,
            read: count,
          })
          .describe('Runs of records, by what becomes of them.'),
        records: count.describe('In the blocks that are read.'),
        bytes: count.describe('On disk, of the blocks that are read.'),
        exact: z
          .boolean()
          .describe(
            'True: the store decides every record by itself; false: some are looked at one by one, which is slower.',
          ),
        meta: metaSchema,
      }),
    },
  }

  app.get('/v1/explain', { schema, config: { role: 'search' } }, async (request, reply) => {
    const question = readCount(request.query, services)
    const { plan, range } = question
    const { answer, meta } = await queries.run({ ...question, kind: 'explain', request, reply }, (signal) =>
      store.explain({ plan, range }, signal),
    )
    return { plan: { ...plan.root }, ...answer, meta: meta({ scanned: 0, returned: 0 }) }
  })
}
