import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { orAborted } from '../../core/abort.ts'
import type { ExportPage, SearchAfter } from '../../core/ports.ts'
import { beforeDeadline } from '../client.ts'
import { NDJSON, listingParameters, planLine, readListing } from '../listing.ts'
import type { Listing } from '../listing.ts'
import { createPlaces } from '../places.ts'
import { problemOf } from '../problem.ts'
import type { Queries } from '../queries.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { cutStream, startStream, write } from '../stream.ts'

/** Exports at once. Each keeps the store busy for as long as its reader keeps up, so queries must not wait behind many of them. */
export const EXPORTS_MAX = 2
/** Records asked of the store at a time: some 15 MB of text, held once. */
export const EXPORT_PAGE_RECORDS = 50_000

const ROUTE = '/v1/export'

/** `stopping` aborts when the program stops: every export is then cut. */
export function exportRoutes(
  app: App,
  services: Services,
  { queries, stopping }: { queries: Queries; stopping: AbortSignal },
): void {
  const { config, clock, holds, log, metrics } = services
  const schema = {
    summary: 'Stream every record that matches.',
    description:
      'NDJSON without a limit: a line `{"plan":…}`, a record a line, and a last line `{"meta":…}`. A stream without it was cut off; its last line may say why: `{"error":…}`, a problem. `timeout` bounds the reading of each page in the store, not the export. A slow reader pauses it.',
    querystring: z.strictObject({
      ...listingParameters(config.query.timeoutMs),
      limit: z.coerce.number().int().min(1).optional().describe('Most records; all of them by default.'),
    }),
    response: { 200: z.string() },
  }
  const places = createPlaces('exports', EXPORTS_MAX)
  metrics.gauge('noctule_exports', 'Exports that run.', () => places.taken)

  app.get(ROUTE, { schema, config: { role: 'search', produces: [NDJSON] } }, async (request, reply) => {
    const { limit = Infinity } = request.query
    const listing = readListing(request.query, services)
    const leave = places.take()
    const query = queries.open({ ...listing, kind: 'export', request, reply })
    const signal = AbortSignal.any([query.signal, stopping])
    const pages = readPages(services, { listing, limit, signal })
    let response: ServerResponse | undefined
    try {
      let page = await pages.next() // Before the head: what fails here is answered as a problem.
      response = startStream(reply, NDJSON)
      await write(response, planLine(listing, { limit: request.query.limit ?? null, holds }), signal)
      for (; page.done !== true; page = await pages.next()) await write(response, page.value, signal)
      const { next, ...counts } = page.value
      const meta = await query.meta({ ...counts, cursor: listing.cursorAt(next) })
      response.end(`${JSON.stringify({ meta })}\n`)
    } catch (error) {
      if (response === undefined) throw error
      const problem = problemOf(log, signal.aborted ? signal.reason : error, { route: ROUTE })
      cutStream(clock, response, `${JSON.stringify({ error: problem })}\n`)
    } finally {
      query.close()
      leave()
    }
  })
}

interface Pages {
  readonly listing: Listing
  readonly limit: number
  readonly signal: AbortSignal
}

/** Reads page by page, the next one only when it is asked for; returns what it came to. */
async function* readPages(
  { store, clock }: Pick<Services, 'store' | 'clock'>,
  { listing, limit, signal }: Pages,
): AsyncGenerator<ExportPage['ndjson'], { returned: number; scanned: number; next: SearchAfter | null }> {
  const { search, timeoutMs } = listing
  let after = search.after
  let returned = 0
  let scanned = 0
  for (;;) {
    const request = { ...search, after, limit: Math.min(EXPORT_PAGE_RECORDS, limit - returned) }
    const page = await beforeDeadline({ clock, timeoutMs, signal }, (deadline) =>
      orAborted(store.exportPage(request, deadline), deadline),
    )
    returned += page.records
    scanned += page.scanned
    if (page.records > 0) yield page.ndjson
    if (page.next === null || returned >= limit) return { returned, scanned, next: page.next }
    after = page.next
  }
}
