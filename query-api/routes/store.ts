import { z } from 'zod'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const count = z.number().int()

/** What is kept. */
export function storeRoutes(app: App, { store }: Services): void {
  const stats = {
    summary: 'What the store holds.',
    response: {
      200: z.object({
        records: count,
        bytesOnDisk: count,
        segments: count,
        oldestMs: z.number().nullable(),
        newestMs: z.number().nullable(),
        setAside: z
          .array(
            z.object({
              file: z.string(),
              problem: z.string(),
              fromMs: z.number(),
              toMs: z.number(),
              records: count,
            }),
          )
          .readonly()
          .describe('Files that failed their checksum and are not served.'),
      }),
    },
  }
  app.get('/v1/store', { schema: stats, config: { role: 'dashboard' } }, () => store.stats())
}
