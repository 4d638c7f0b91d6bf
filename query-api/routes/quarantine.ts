import { z } from 'zod'
import { toPublicRecord } from '../../core/record.ts'
import { publicRecordSchema } from '../answers.ts'
import { clientSignal } from '../client.ts'
import { iso, limitUpTo } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1_000
const count = z.number().int()

/** What could not be kept. */
export function quarantineRoutes(app: App, { quarantine }: Services): void {
  const list = {
    summary: 'What could not be kept, newest first.',
    querystring: z.strictObject({
      limit: limitUpTo(LIMIT_MAX, LIMIT_DEFAULT, 'Most entries in the answer.'),
    }),
    response: {
      200: z.object({
        total: count,
        entries: z.array(
          z.object({
            id: z.string(),
            at: z.iso.datetime(),
            reason: z.string(),
            site: z.string(),
            sender: z.string(),
            text: z.string(),
            record: publicRecordSchema.optional(),
          }),
        ),
      }),
    },
  }
  app.get('/v1/quarantine', { schema: list, config: { role: 'admin' } }, async ({ query }) => {
    const { total, entries } = await quarantine.list(query.limit)
    return {
      total,
      entries: entries.map(({ atMs, record, ...entry }) => ({
        ...entry,
        at: iso(atMs),
        ...(record === undefined ? {} : { record: toPublicRecord(record) }),
      })),
    }
  })

  const replay = {
    summary: 'Try to store again what stands in the quarantine.',
    response: { 200: z.object({ stored: count, refused: count }) },
  }
  app.post('/v1/quarantine/replay', { schema: replay, config: { role: 'admin' } }, (_request, reply) =>
    quarantine.replay(clientSignal(reply.raw)),
  )
}
