import { Readable } from 'node:stream'
import { z } from 'zod'
import { parseQuery } from '../../core/query/parse.ts'
import { toPublicRecord } from '../../core/record.ts'
import type { PublicRecord } from '../../core/record.ts'
import { metaSchema, publicRecordSchema } from '../answers.ts'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import type { Queries } from '../queries.ts'
import { assertSites, iso, metaOf, q, range, resolveRange, sites, timeout } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const NDJSON = 'application/x-ndjson'
const LIMIT_DEFAULT = 100
/** Lines that go to the socket together. */
const LINES_PER_CHUNK = 200

export function searchRoutes(app: App, { config, site, store, clock }: Services, queries: Queries): void {
  const { limitMax, timeoutMs } = config.query
  const schema = {
    summary: 'Search records, newest first.',
    description:
      'With `Accept: application/x-ndjson` or `format=ndjson`: a line `{"plan":…}`, a record a line, and a last line `{"meta":…}`; an answer without it was cut off.',
    querystring: z.strictObject({
      q,
      ...range,
      limit: z.coerce
        .number()
        .int()
        .min(1)
        .max(limitMax)
        .default(Math.min(LIMIT_DEFAULT, limitMax))
        .describe('Most records in this page.'),
      cursor: z
        .string()
        .optional()
        .describe('`meta.cursor` of the page before; it brings `from` and `to` of the first page with it.'),
      sites,
      timeout: timeout(timeoutMs),
      format: z.enum(['json', 'ndjson']).optional().describe('Default: what `Accept` asks for, else JSON.'),
    }),
    response: { 200: z.object({ records: z.array(publicRecordSchema), meta: metaSchema }) },
  }

  app.get(
    '/v1/search',
    { schema, config: { role: 'search', produces: ['application/json', NDJSON] } },
    async (request, reply) => {
      const ask = request.query
      assertSites(ask.sites, site)
      const cursor = ask.cursor === undefined ? undefined : decodeCursor(ask.cursor)
      const nowMs = cursor?.nowMs ?? clock.nowMs()
      const plan = parseQuery(ask.q, { nowMs })
      const range = cursor ?? resolveRange(ask, nowMs)
      const { fromMs, toMs } = range

      const { answer, judged, tookMs } = await queries.run(
        { response: reply.raw, timeoutMs: ask.timeout, range },
        (signal) =>
          store.search({ plan, range: { fromMs, toMs }, limit: ask.limit, after: cursor?.after }, signal),
      )
      const last = answer.records.at(-1)
      const next = answer.more && last !== undefined ? { timeMs: last.timeMs, id: last.id } : undefined
      const meta = metaOf({
        query: ask.q,
        range,
        site,
        tookMs,
        scanned: answer.scanned,
        returned: answer.records.length,
        judged,
        cursor: next === undefined ? undefined : encodeCursor({ nowMs, fromMs, toMs, after: next }),
      })
      const records = answer.records.map(toPublicRecord)
      if (!wantsNdjson(ask.format, request.headers.accept)) return { records, meta }
      const first = {
        plan: { query: ask.q, from: iso(fromMs), to: iso(toMs), limit: ask.limit, sites: [site] },
      }
      return reply.type(NDJSON).send(Readable.from(lines(first, records, { meta })) as never)
    },
  )
}

function wantsNdjson(format: 'json' | 'ndjson' | undefined, accept: string | undefined): boolean {
  return format === undefined ? (accept?.includes(NDJSON) ?? false) : format === 'ndjson'
}

/** Made line by line as the socket takes them. */
function* lines(first: object, records: readonly PublicRecord[], last: object): Generator<string> {
  yield `${JSON.stringify(first)}\n`
  for (let at = 0; at < records.length; at += LINES_PER_CHUNK) {
    const chunk = records.slice(at, at + LINES_PER_CHUNK)
    yield chunk.map((record) => `${JSON.stringify(record)}\n`).join('')
  }
  yield `${JSON.stringify(last)}\n`
}
