import type { Readable } from 'node:stream'
import { z } from 'zod'
import type { RecordImport } from '../../core/ports.ts'
import { clientSignal } from '../client.ts'
import type { App } from '../schema.ts'
import { originOf } from './deliveries.ts'

/** Takes records that bring their own times. The body is read as it comes, so its size has no limit. */
export function importRoutes(app: App, recordImport: RecordImport, site: string): void {
  // Whatever the client calls it (curl says form-urlencoded), the body is NDJSON and is never gathered.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

  const schema = {
    summary: 'Import records.',
    description:
      'One record a line: the short names of a record, or the names of the Elastic Common Schema; unknown fields go to `attrs`. Good lines are kept, bad ones are named.',
    body: z.custom<Readable>().describe('NDJSON of any size.'),
    response: {
      200: z.object({
        imported: z.number().int(),
        refusedTotal: z.number().int(),
        refused: z
          .array(z.object({ line: z.number().int(), problem: z.string() }))
          .readonly()
          .describe('The first refused lines, numbered from 1.'),
      }),
    },
  }
  app.post(
    '/v1/import',
    { schema, config: { role: 'admin', consumes: 'application/x-ndjson' } },
    async (request, reply) =>
      recordImport.import(request.body, originOf(request, site), clientSignal(reply.raw)),
  )
}
