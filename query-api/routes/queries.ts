import { z } from 'zod'
import { ServiceError } from '../../core/errors.ts'
import type { Principal } from '../access/access.ts'
import type { Queries } from '../queries.ts'
import { iso } from '../questions.ts'
import { QUERY_KINDS } from '../running.ts'
import type { App } from '../schema.ts'

const time = z.iso.datetime()
const querySchema = z.object({
  id: z.string(),
  kind: z.enum(QUERY_KINDS),
  query: z.string().describe('The query as it was asked.'),
  user: z.string().describe('Name of the credential.'),
  from: time.nullable().describe('null: a tail.'),
  to: time.nullable(),
  startedAt: time,
  runningMs: z.number().int().describe('Since it was asked, waiting included.'),
  state: z.enum(['running', 'waiting']),
})

/** The queries that run, to be seen and cancelled. */
export function queryRoutes(app: App, { running }: Queries): void {
  const list = {
    summary: 'The queries that run or wait: your own; all of them for an administrator.',
    response: { 200: z.object({ queries: z.array(querySchema).describe('Oldest first.') }) },
  }
  app.get('/v1/queries', { schema: list, config: { role: 'search' } }, async ({ principal }) => ({
    queries: running.seenBy(known(principal)).map(({ text, range, startedAtMs, ...query }) => ({
      ...query,
      query: text,
      from: range === null ? null : iso(range.fromMs),
      to: range === null ? null : iso(range.toMs),
      startedAt: iso(startedAtMs),
    })),
  }))

  const cancel = {
    summary: 'Cancel a query: one of your own, or any for an administrator.',
    description: 'The query is answered with the problem CANCELLED, which names who cancelled it.',
    params: z.strictObject({ id: z.string().min(1).describe('`meta.id` of the query.') }),
    response: { 204: z.void() },
  }
  app.delete('/v1/queries/:id', { schema: cancel, config: { role: 'search' } }, async (request, reply) => {
    running.cancel(request.params.id, known(request.principal))
    return reply.code(204).send()
  })
}

/** The guard lets nobody else come here. */
function known(principal: Principal | null): Principal {
  if (principal === null) throw new ServiceError('UNAUTHENTICATED', 'this needs a token or a session')
  return principal
}
