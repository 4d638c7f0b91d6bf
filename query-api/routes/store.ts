import { z } from 'zod'
import type { PartitionStats } from '../../core/ports.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const count = z.number().int()

const partitionSchema = z.object({
  class: z.string(),
  fromMs: z.number(),
  toMs: z.number(),
  segments: count,
  records: count,
  bytes: count,
  purgeAtMs: z.number().nullable().describe('When it goes, at the latest; null: never.'),
})

/** What is kept. */
export function storeRoutes(app: App, { store }: Services): void {
  const stats = {
    summary: 'What the store holds.',
    response: {
      200: z.object({
        records: count,
        bytesOnDisk: count,
        segments: count,
        partitions: z
          .array(partitionSchema)
          .describe('What purging drops: a retention class in a time slot. Oldest slot first.'),
        purged: z
          .object({ partitions: count, records: count, bytes: count })
          .describe('Since the store was made.'),
        oldestMs: z.number().nullable(),
        newestMs: z.number().nullable(),
        setAside: z
          .array(
            z.object({
              file: z.string(),
              problem: z.string(),
              atMs: z.number().describe('When it was noticed.'),
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
  app.get('/v1/store', { schema: stats, config: { role: 'dashboard' } }, async () => {
    const { partitions, ...rest } = await store.stats()
    return { ...rest, partitions: partitions.map(publicPartition) }
  })
}

/** JSON has no word for never. */
function publicPartition(partition: PartitionStats): z.infer<typeof partitionSchema> {
  return { ...partition, purgeAtMs: Number.isFinite(partition.purgeAtMs) ? partition.purgeAtMs : null }
}
