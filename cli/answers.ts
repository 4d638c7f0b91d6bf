import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'

/** What the CLI reads of the API's answers. Newer nodes may say more, and use words that this version does not know. */
const gapSchema = z.looseObject({
  reason: z.string(),
  from: z.string(),
  to: z.string(),
  collector: z.string().optional(),
  host: z.string().optional(),
  records: z.number().optional(),
  detail: z.string().optional(),
})
export type ShownGap = z.infer<typeof gapSchema>

export const completenessSchema = z.looseObject({
  complete: z.boolean(),
  completeTo: z.string().nullable(),
  gaps: z.array(gapSchema),
  gapsTotal: z.number(),
})

const siteSchema = completenessSchema.extend({
  status: z.string().default('ok'),
  error: z.string().optional(),
})
export type ShownSite = z.infer<typeof siteSchema>
export type ShownSites = Readonly<Record<string, ShownSite>>

const metaSchema = z.looseObject({
  from: z.string(),
  to: z.string(),
  truncated: z.boolean(),
  cursor: z.string().optional(),
  complete: z.boolean(),
  sites: z.record(z.string(), siteSchema),
})
export type ShownMeta = z.infer<typeof metaSchema>

export const recordSchema = z.record(z.string(), z.unknown())
export const searchSchema = z.looseObject({ records: z.array(recordSchema), meta: metaSchema })
export const histogramSchema = z.looseObject({
  intervalMs: z.number().positive(),
  buckets: z.array(
    z.looseObject({ start: z.string(), total: z.number(), by: z.record(z.string(), z.number()).default({}) }),
  ),
  meta: metaSchema,
})
export type ShownBucket = z.infer<typeof histogramSchema>['buckets'][number]
export const sitesSchema = z.looseObject({ sites: z.record(z.string(), siteSchema) })
export const collectorsSchema = z.looseObject({ collectors: z.array(recordSchema) })
export const importSchema = z.looseObject({
  imported: z.number(),
  refusedTotal: z.number(),
  refused: z.array(z.looseObject({ line: z.number(), problem: z.string() })),
})

/** An answer of the API; UNREACHABLE when it is not one. */
export function parseAnswer<T>(schema: z.ZodType<T>, answer: unknown, url: string): T {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  throw new ServiceError(
    'UNREACHABLE',
    `${url} does not answer as this version of noctule expects`,
    {},
    parsed.error,
  )
}
