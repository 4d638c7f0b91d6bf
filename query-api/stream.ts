import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Clock } from '../core/ports.ts'

/** How long a client may take to read the last words of a stream that ends early. */
const LAST_WORDS_MS = 1_000

/** Takes the response out of the framework's hands and sends its head. The connection ends with the stream. */
export function startStream(
  reply: Pick<FastifyReply, 'raw' | 'hijack' | 'getHeaders'>,
  contentType: string,
): ServerResponse {
  const headers = reply.getHeaders() as OutgoingHttpHeaders
  reply.hijack()
  return reply.raw.writeHead(200, {
    ...headers,
    'content-type': contentType,
    'x-accel-buffering': 'no',
    connection: 'close', // An idle connection would hold up a stop.
  })
}

/** Waits while the socket is full, so that a slow reader costs one chunk of memory. */
export async function write(
  response: ServerResponse,
  chunk: string | Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  if (!response.write(chunk)) await once(response, 'drain', { signal })
}

/** Ends a stream with its last words. A reader that stands still must not hold up the stop of the program. */
export function endStream(clock: Clock, response: ServerResponse, lastWords: string): void {
  response.end(lastWords)
  destroyLate(clock, response)
}

/** Cuts a stream after its last words: without its proper end, no client takes it for a whole one. */
export function cutStream(clock: Clock, response: ServerResponse, lastWords: string): void {
  response.write(lastWords, () => response.destroy())
  destroyLate(clock, response)
}

function destroyLate(clock: Clock, response: ServerResponse): void {
  if (response.destroyed) return
  response.once(
    'close',
    clock.after(LAST_WORDS_MS, () => response.destroy()),
  )
}
