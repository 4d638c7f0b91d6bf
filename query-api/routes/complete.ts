import { z } from 'zod'
import { completeQuery } from '../../core/query/complete.ts'
import type { Completion } from '../../core/query/complete.ts'
import { QUERY_CHARS_MAX } from '../../core/query/parse.ts'
import type { App } from '../schema.ts'

const column = z.number().int()
const kind = z.enum(['field', 'word', 'value', 'operator', 'close'])

const completionSchema = z.object({
  fromColumn: column.describe('What a candidate replaces starts here, from 1.'),
  toColumn: column.describe('And ends before this.'),
  typed: z.string().describe('What stands between `fromColumn` and the cursor.'),
  kinds: z.array(kind).readonly().describe('What may stand here.'),
  field: z.string().nullable().describe('The field whose values may stand here: `/v1/top` knows them.'),
  candidates: z
    .array(z.object({ kind, text: z.string() }))
    .readonly()
    .describe('What the language itself knows, and what starts with `typed`.'),
}) satisfies z.ZodType<Completion>

export function completeRoutes(app: App): void {
  const schema = {
    summary: 'What may stand at a place of a query, for editors.',
    querystring: z.strictObject({
      q: z.string().max(QUERY_CHARS_MAX).default('').describe('The query so far.'),
      cursor: z.coerce
        .number()
        .int()
        .min(0)
        .max(QUERY_CHARS_MAX)
        .optional()
        .describe('How many UTF-16 units of it stand before the cursor. Default: all of them.'),
    }),
    response: { 200: completionSchema },
  }
  app.get('/v1/complete', { schema, config: { role: 'search' } }, async ({ query: { q, cursor } }) =>
    completeQuery(q, cursor ?? q.length),
  )
}
