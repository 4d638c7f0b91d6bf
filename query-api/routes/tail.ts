import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { publicCompleteness } from '../../core/answer.ts'
import { judgeTogether } from '../../core/ledger/judge.ts'
import { parseQuery } from '../../core/query/parse.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { toPublicRecord } from '../../core/record.ts'
import { createBell } from '../bell.ts'
import { createPlaces } from '../places.ts'
import { problemOf } from '../problem.ts'
import { judging } from '../queries.ts'
import type { Queries } from '../queries.ts'
import { RECENT_MS, askedSites, ofSites, q, sites } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { endStream, startStream, write } from '../stream.ts'

const PAGE_RECORDS = 500
/** Text that is gathered before it goes to the socket. */
const CHUNK_CHARS = 64 << 10
const META_EVERY_MS = 1_000
const SSE = 'text/event-stream'

/** `stopping` aborts when the program stops: every tail then ends with an event that says so. */
export function tailRoutes(
  app: App,
  services: Services,
  { queries, stopping }: { queries: Queries; stopping: AbortSignal },
): void {
  const { config, holds, store, clock, metrics } = services
  const position = z.coerce.number().int().nonnegative()
  const schema = {
    summary: 'Follow records as they arrive.',
    description:
      'Server-sent events: `plan`, then `record` (its id is its position), about once a second `meta`, and `end` with a problem when the server stops or somebody cancels it. Resume with the header Last-Event-ID or `after`; with neither, only what arrives from now on is given. A slow reader pauses the stream, and misses nothing.',
    querystring: z.strictObject({
      q,
      after: position.optional().describe('Give what arrived behind this position.'),
      sites,
    }),
    headers: z.looseObject({ 'last-event-id': position.optional() }),
    response: { 200: z.string() },
  }
  const places = createPlaces('tails', config.query.tailsMax)
  metrics.gauge('noctule_tails', 'Live tails that are open.', () => places.taken)

  app.get('/v1/tail', { schema, config: { role: 'search', produces: [SSE] } }, async (request, reply) => {
    const { q: text, after, sites } = request.query
    const plan = ofSites(parseQuery(text, { nowMs: clock.nowMs() }), sites, holds)
    const leave = places.take()
    const query = queries.follow({ kind: 'tail', text, request, reply })
    try {
      const head = await store.head()
      // A position that the store has not reached is of another store: nothing was missed in this one.
      const start = Math.min(request.headers['last-event-id'] ?? after ?? head, head)
      const signal = AbortSignal.any([query.signal, stopping])
      await tail(services, { response: startStream(reply, SSE), plan, start, signal })
    } finally {
      query.close()
      leave()
    }
  })
}

interface Tail {
  readonly response: ServerResponse
  readonly plan: QueryPlan
  readonly start: number
  readonly signal: AbortSignal
}

/** Sends until the signal aborts, and then says why. Holds at most one page. */
async function tail(services: Services, { response, plan, start, signal }: Tail): Promise<void> {
  const { holds, store, clock, log } = services
  const send = (text: string) => write(response, text, signal)
  const news = createBell(clock)
  const stopListening = store.onArrival(() => news.ring())
  let position = start
  let metaAtMs = -Infinity

  async function sendMeta() {
    metaAtMs = clock.monotonicMs()
    const nowMs = clock.nowMs()
    const range = { fromMs: nowMs - RECENT_MS, toMs: nowMs }
    const judged = await judging(services, { plan, range })()
    await send(sseEvent('meta', { ...publicCompleteness(judgeTogether(judged)), position }, position))
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
    await send(sseEvent('plan', { query: plan.text, sites: askedSites(plan, holds), position: start }))
    while (!signal.aborted) {
      const moved = await sendPage()
      if (clock.monotonicMs() - metaAtMs >= META_EVERY_MS) await sendMeta()
      if (!moved) await news.wait(META_EVERY_MS, signal)
    }
    throw signal.reason
  } catch (error) {
    const problem = problemOf(log, signal.aborted ? signal.reason : error, { route: '/v1/tail' })
    endStream(clock, response, sseEvent('end', problem))
  } finally {
    stopListening()
  }
}

function sseEvent(event: string, data: object, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
