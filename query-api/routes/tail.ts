import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { z } from 'zod'
import { publicCompleteness } from '../../core/answer.ts'
import { ServiceError } from '../../core/errors.ts'
import { parseQuery } from '../../core/query/parse.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { toPublicRecord } from '../../core/record.ts'
import { createBell } from '../bell.ts'
import { clientSignal } from '../client.ts'
import { problemOf } from '../problem.ts'
import { RECENT_MS, assertSites, q, sites } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const PAGE_RECORDS = 500
/** Text that is gathered before it goes to the socket. */
const CHUNK_CHARS = 64 << 10
const META_EVERY_MS = 1_000
/** How long a client may take to read the last event. */
const LAST_WORDS_MS = 1_000
const SSE = 'text/event-stream'

/** `stopping` aborts when the program stops: every tail then ends with an event that says so. */
export function tailRoutes(app: App, services: Services, stopping: AbortSignal): void {
  const { config, site, store, clock, metrics } = services
  const { tailsMax } = config.query
  const position = z.coerce.number().int().nonnegative()
  const schema = {
    summary: 'Follow records as they arrive.',
    description:
      'Server-sent events: `plan`, then `record` (its id is its position), about once a second `meta`, and `end` with a problem when the server stops. Resume with the header Last-Event-ID or `after`; with neither, only what arrives from now on is given. A slow reader pauses the stream, and misses nothing.',
    querystring: z.strictObject({
      q,
      after: position.optional().describe('Give what arrived behind this position.'),
      sites,
    }),
    headers: z.looseObject({ 'last-event-id': position.optional() }),
    response: { 200: z.string() },
  }
  let tails = 0
  metrics.gauge('noctule_tails', 'Live tails that are open.', () => tails)

  app.get('/v1/tail', { schema, config: { role: 'search', produces: [SSE] } }, async (request, reply) => {
    const { q, after, sites } = request.query
    assertSites(sites, site)
    const plan = parseQuery(q, { nowMs: clock.nowMs() })
    if (tails >= tailsMax) throw new ServiceError('OVERLOADED', 'too many tails are open', { tailsMax })
    tails += 1
    reply.raw.once('close', () => (tails -= 1))

    const head = await store.head()
    // A position that the store has not reached is of another store: nothing was missed in this one.
    const start = Math.min(request.headers['last-event-id'] ?? after ?? head, head)
    reply.headers({
      'content-type': SSE,
      'x-accel-buffering': 'no',
      connection: 'close', // Nothing follows a tail, and an idle connection would hold up a stop.
    })
    reply.hijack()
    reply.raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders)
    await tail(services, { response: reply.raw, plan, start, stopping })
  })
}

interface Tail {
  readonly response: ServerResponse
  readonly plan: QueryPlan
  readonly start: number
  readonly stopping: AbortSignal
}

/** Sends until the client goes or the program stops. Holds at most one page. */
async function tail(services: Services, { response, plan, start, stopping }: Tail): Promise<void> {
  const { site, store, completeness, clock, log } = services
  const signal = AbortSignal.any([clientSignal(response), stopping])
  const send = (text: string) => write(response, text, signal)
  const news = createBell(clock)
  const stopListening = store.onArrival(() => news.ring())
  let position = start
  let metaAtMs = -Infinity

  async function sendMeta() {
    metaAtMs = clock.monotonicMs()
    const nowMs = clock.nowMs()
    const judged = publicCompleteness(completeness.judge({ fromMs: nowMs - RECENT_MS, toMs: nowMs }))
    await send(sseEvent('meta', { ...judged, position }, position))
  }

  /** Sends what is there now; true when there may be more at once. */
  async function sendPage(): Promise<boolean> {
    const page = await store.arrivals({ plan, after: position, limit: PAGE_RECORDS }, signal)
    let text = ''
    for (const { position: id, record } of page.arrivals) {
      text += sseEvent('record', toPublicRecord(record), id)
      if (text.length < CHUNK_CHARS) continue
      await send(text)
      text = ''
    }
    if (text !== '') await send(text)
    const moved = page.position > position
    position = page.position
    return moved
  }

  try {
    await send(sseEvent('plan', { query: plan.text, sites: [site], position: start }))
    while (!signal.aborted) {
      const moved = await sendPage()
      if (clock.monotonicMs() - metaAtMs >= META_EVERY_MS) await sendMeta()
      if (!moved) await news.wait(META_EVERY_MS, signal)
    }
    throw signal.reason
  } catch (error) {
    const problem = problemOf(log, signal.aborted ? signal.reason : error, { route: '/v1/tail' })
    response.end(sseEvent('end', problem))
    // A reader that stands still must not hold up the stop of the program.
    response.once(
      'close',
      clock.after(LAST_WORDS_MS, () => response.destroy()),
    )
  } finally {
    stopListening()
  }
}

/** Waits while the socket is full, so that a slow reader costs one chunk of memory. */
async function write(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (!response.write(text)) await once(response, 'drain', { signal })
}

function sseEvent(event: string, data: object, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
