import { Readable } from 'node:stream'
import { z } from 'zod'
import { toPublicRecord } from '../../core/record.ts'
import type { PublicRecord } from '../../core/record.ts'
import { metaSchema, publicRecordSchema } from '../answers.ts'
import { NDJSON, listingParameters, planLine, readListing } from '../listing.ts'
import { countBySite } from '../queries.ts'
import type { Queries } from '../queries.ts'
import { limitUpTo } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const LIMIT_DEFAULT = 100
/** Lines that go to the socket together. */
const LINES_PER_CHUNK = 200

export function searchRoutes(app: App, services: Services, queries: Queries): void {
  const { config, store } = services
  const { limitMax, timeoutMs } = config.query
  const schema = {
    summary: 'Search records.',
    description:
      'With `Accept: application/x-ndjson` or `format=ndjson`: a line `{"plan":…}`, a record a line, and a last line `{"meta":…}`; an answer without it was cut off.',
    querystring: z.strictObject({
      ...listingParameters(timeoutMs),
      limit: limitUpTo(limitMax, LIMIT_DEFAULT, 'Most records in this page.'),
      format: z.enum(['json', 'ndjson']).optional().describe('Default: what `Accept` asks for, else JSON.'),
    }),
    response: { 200: z.object({ records: z.array(publicRecordSchema), meta: metaSchema }) },
  }

  app.get(
    '/v1/search',
    { schema, config: { role: 'search', produces: ['application/json', NDJSON] } },
    async (request, reply) => {
      const { limit, format } = request.query
      const listing = readListing(request.query, services)
      const { answer, meta } = await queries.run({ ...listing, kind: 'search', request, reply }, (signal) =>
        store.search({ ...listing.search, limit }, signal),
      )
      const last = answer.records.at(-1)
      const next = answer.more && last !== undefined ? { timeMs: last.timeMs, id: last.id } : null
      const records = answer.records.map(toPublicRecord)
      const envelope = {
        meta: meta({
          scanned: answer.scanned,
          returned: records.length,
          returnedOf: countBySite(answer.records),
          cursor: listing.cursorAt(next),
        }),
      }
      if (!wantsNdjson(format, request.headers.accept)) return { records, ...envelope }
      const first = planLine(listing, { limit, holds: services.holds })
      return reply.type(NDJSON).send(Readable.from(lines(first, records, envelope)) as never)
    },
  )
}

function wantsNdjson(format: 'json' | 'ndjson' | undefined, accept: string | undefined): boolean {
  return format === undefined ? (accept?.includes(NDJSON) ?? false) : format === 'ndjson'
}

/** Made line by line as the socket takes them. */
function* lines(first: string, records: readonly PublicRecord[], last: object): Generator<string> {
  yield first
  for (let at = 0; at < records.length; at += LINES_PER_CHUNK) {
    const chunk = records.slice(at, at + LINES_PER_CHUNK)
    yield chunk.map((record) => `${JSON.stringify(record)}\n`).join('')
  }
  yield `${JSON.stringify(last)}\n`
}
