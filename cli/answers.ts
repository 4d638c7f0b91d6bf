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

/** What is said of every answer; `id` is the one that the query had among the running ones. */
const metaSchema = z.looseObject({
  id: z.string().optional(),
  from: z.string(),
  to: z.string(),
  truncated: z.boolean(),
  cursor: z.string().optional(),
  complete: z.boolean(),
  completeTo: z.string().nullish(),
  sites: z.record(z.string(), siteSchema),
})
export type ShownMeta = z.infer<typeof metaSchema>

export const recordSchema = z.record(z.string(), z.unknown())
export const searchSchema = z.looseObject({ records: z.array(recordSchema), meta: metaSchema })
export const histogramSchema = z.looseObject({
  intervalMs: z.number().positive(),
  buckets: z.array(
    z.looseObject({
      start: z.string(),
      total: z.number(),
      by: z.record(z.string(), z.number()).default({}),
      quantiles: z.record(z.string(), z.number()).optional(),
    }),
  ),
  meta: metaSchema,
})
export type ShownBucket = z.infer<typeof histogramSchema>['buckets'][number]

/** How often, and when first and last. */
const seen = { count: z.number(), share: z.number(), first: z.string(), last: z.string() }
export const topSchema = z.looseObject({
  field: z.string(),
  values: z.array(z.looseObject({ value: z.string(), ...seen })),
  matched: z.number(),
  having: z.number(),
  distinct: z.number(),
  approximate: z.boolean(),
  meta: metaSchema,
})
export type ShownTop = z.infer<typeof topSchema>

export const fieldsSchema = z.looseObject({
  fields: z.array(
    z.looseObject({
      name: z.string(),
      types: z.array(z.string()),
      share: z.number(),
      distinct: z.number(),
      examples: z.array(z.unknown()),
    }),
  ),
  /** Different names in the sample, listed or not. */
  fieldsTotal: z.number().optional(),
  sampled: z.number(),
  /** How many records match, if that is known. */
  of: z.number().optional(),
  meta: metaSchema,
})
export type ShownFields = z.infer<typeof fieldsSchema>
export type ShownField = ShownFields['fields'][number]

export const contextSchema = z.looseObject({
  before: z.array(recordSchema),
  record: recordSchema,
  after: z.array(recordSchema),
  meta: metaSchema,
})

export const patternsSchema = z.looseObject({
  patterns: z.array(
    z.looseObject({
      pattern: z.string(),
      template: z.string(),
      ...seen,
      trend: z.array(z.looseObject({ start: z.string(), count: z.number() })),
      example: recordSchema.optional(),
    }),
  ),
  distinct: z.number(),
  matched: z.number(),
  intervalMs: z.number().positive(),
  meta: metaSchema,
})
export type ShownPattern = z.infer<typeof patternsSchema>['patterns'][number]

export const explainSchema = z.looseObject({
  plan: z.unknown(),
  partitions: z.number(),
  partitionsRead: z.number(),
  blocks: z.looseObject({
    total: z.number(),
    outOfRange: z.number(),
    excludedByValues: z.number(),
    excludedByWords: z.number(),
    read: z.number(),
  }),
  records: z.number(),
  bytes: z.number(),
  exact: z.boolean(),
  meta: metaSchema,
})
export type ShownExplanation = z.infer<typeof explainSchema>

export const queriesSchema = z.looseObject({
  queries: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.string(),
      query: z.string(),
      user: z.string(),
      from: z.string().nullable(),
      to: z.string().nullable(),
      startedAt: z.string(),
      runningMs: z.number(),
      state: z.string(),
    }),
  ),
})
export type ShownQuery = z.infer<typeof queriesSchema>['queries'][number]

const metricLineSchema = z.looseObject({
  tags: z.record(z.string(), z.string()),
  kind: z.string(),
  /** Start of the step in ms, then a value for each aggregate. */
  points: z.array(z.tuple([z.number()], z.number().nullable())),
})
export type ShownMetricLine = z.infer<typeof metricLineSchema>

export const metricValuesSchema = z.looseObject({
  lines: z.array(metricLineSchema),
  linesTotal: z.number(),
  /** ms */
  step: z.number().positive(),
  aggregates: z.array(z.string()),
  lost: z.looseObject({
    total: z.number(),
    byReason: z.record(z.string(), z.number()),
    byHost: z.record(z.string(), z.number()),
  }),
  hint: z.looseObject({ detail: z.string(), names: z.array(z.string()) }).optional(),
  meta: metaSchema,
})
export type ShownMetricValues = z.infer<typeof metricValuesSchema>

export const metricNamesSchema = z.looseObject({
  names: z.array(z.looseObject({ name: z.string(), kind: z.string(), series: z.number() })),
  total: z.number(),
  meta: metaSchema,
})
export type ShownMetricName = z.infer<typeof metricNamesSchema>['names'][number]

export const metricTagsSchema = z.looseObject({
  tags: z.array(
    z.looseObject({
      tag: z.string(),
      values: z.array(z.looseObject({ value: z.string(), series: z.number() })),
      valuesTotal: z.number(),
    }),
  ),
  series: z.number(),
  meta: metaSchema,
})

/** A line of an export that is no record: the first says the plan, the last what is missing or why it ends too early. */
export const exportLineSchema = z.looseObject({ meta: metaSchema.optional(), error: z.unknown().optional() })
export const sitesSchema = z.looseObject({ sites: z.record(z.string(), siteSchema) })
export const collectorsSchema = z.looseObject({ collectors: z.array(recordSchema) })
const hostSchema = z.looseObject({
  site: z.string(),
  host: z.string(),
  tier: z.string(),
  state: z.string(),
  since: z.string().nullable(),
  reportedAt: z.string().nullable(),
  version: z.string(),
  checks: z.array(z.looseObject({ name: z.string(), state: z.string(), message: z.string() })),
  facts: z
    .looseObject({
      cpu: z.looseObject({ busy: z.number() }),
      memory: z.looseObject({ totalBytes: z.number(), availableBytes: z.number() }),
      disks: z.array(z.looseObject({ mount: z.string(), totalBytes: z.number(), usedBytes: z.number() })),
    })
    .nullable()
    .default(null),
})
export type ShownHost = z.infer<typeof hostSchema>
export const hostsSchema = z.looseObject({
  at: z.string(),
  source: z.string(),
  tiers: z.array(
    z.looseObject({ name: z.string(), expected: z.number().nullable(), hosts: z.number(), up: z.number() }),
  ),
  hostsTotal: z.number(),
  hosts: z.array(hostSchema),
})
export type ShownHosts = z.infer<typeof hostsSchema>
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
