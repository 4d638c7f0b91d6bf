import { z } from 'zod'
import type { AnswerMeta } from '../core/answer.ts'

const time = z.iso.datetime().describe('RFC 3339')

export const publicRecordSchema = z
  .record(z.string(), z.unknown())
  .describe(
    'A record: `time id ingested message level service version host site tier path offset trace pattern status latency_ms bytes attrs`; absent fields are left out.',
  )

const gapSchema = z.object({
  reason: z.enum(['late', 'backlog', 'tombstone', 'lost', 'silent', 'purged', 'ledger-stale']),
  from: time,
  to: time,
  site: z.string().exactOptional(),
  collector: z.string().exactOptional(),
  host: z.string().exactOptional(),
  records: z.number().int().exactOptional().describe('How many are missing, when that is known.'),
  detail: z.string().exactOptional(),
})

/** What the ledger says of a range. */
export const completenessSchema = z.object({
  complete: z.boolean().describe('True only when the ledger covers the whole range.'),
  completeTo: time
    .nullable()
    .describe('Covered without a gap up to here; null: nothing is known to be covered.'),
  gaps: z.array(gapSchema).readonly().describe('What is known to be missing.'),
  gapsTotal: z.number().int().describe('`gaps` lists at most 20 of them.'),
})

const siteAnswerSchema = completenessSchema.extend({
  status: z.enum(['ok', 'partial', 'timeout', 'unreachable', 'error', 'denied', 'unsupported']),
  holder: z.string().describe('The site whose store answered.'),
  tookMs: z.number(),
  returned: z
    .number()
    .int()
    .exactOptional()
    .describe('Absent when a store holds several sites and the count is not told apart.'),
  error: z.string().exactOptional(),
})

/** `meta` of every answer. */
export const metaSchema = z.object({
  id: z
    .string()
    .describe('Of the query, also in the header `x-query-id`: `DELETE /v1/queries/{id}` cancels it.'),
  query: z.string().describe('The query as it was asked.'),
  from: time.describe('Start of the range, resolved; included.'),
  to: time.describe('End of the range, resolved; not included.'),
  tookMs: z.number().describe('From the question to the answer, waiting included.'),
  scanned: z.number().int().describe('Records, or points of metrics, that were looked at.'),
  returned: z.number().int().describe('Records given, or counted; of metrics, steps given.'),
  truncated: z.boolean().describe('More match: ask again with `cursor`.'),
  cursor: z.string().exactOptional().describe('Where the next page starts.'),
  complete: z.boolean().describe('True only when the ledger of every asked site covers the range.'),
  completeTo: time
    .nullable()
    .describe('The earliest `completeTo` of the asked sites; null when one of them knows nothing.'),
  sites: z
    .record(z.string(), siteAnswerSchema)
    .describe('What each asked site did, and what is missing from it.'),
}) satisfies z.ZodType<AnswerMeta>
