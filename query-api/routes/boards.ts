import { z } from 'zod'
import { METRIC_AGGREGATES } from '../../core/metrics/types.ts'
import { boardsOf } from '../boards.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const boardSchema = z.object({
  name: z.string().describe('In the address of its page: `/boards/{name}`.'),
  title: z.string(),
  builtIn: z.boolean().describe('False: of the configuration.'),
  charts: z
    .array(
      z.object({
        title: z.string(),
        metric: z.string(),
        tags: z.array(z.string()).readonly().describe('As `tags` of /v1/metrics/query.'),
        by: z.array(z.string()).readonly(),
        aggregate: z.enum(METRIC_AGGREGATES).nullable().describe('null: what suits the kind of the metric.'),
      }),
    )
    .readonly(),
})

/** Which pages of charts there are. */
export function boardRoutes(app: App, { config }: Pick<Services, 'config'>): void {
  const boards = boardsOf(config.boards)
  const schema = {
    summary: 'The boards: pages of charts, built in and of the configuration.',
    response: { 200: z.object({ boards: z.array(boardSchema).readonly() }) },
  }
  app.get('/v1/boards', { schema, config: { role: 'dashboard' } }, async () => ({ boards }))
}
