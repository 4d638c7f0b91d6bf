import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What becomes of a request; anything but `pass` is a fault. */
export type Fate =
  | { readonly type: 'pass' }
  /** Elasticsearch does not hear of it: this is answered. */
  | { readonly type: 'answer'; readonly status: number; readonly error: string }
  /** Elasticsearch gets it, or the first lines of it, and the answer is lost. */
  | { readonly type: 'lose'; readonly lines?: number }
  /** Nothing happens until the client gives up, or something else is decided. */
  | { readonly type: 'hang' }

export interface Seen {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly body: string
}

export interface ElasticProxy extends AsyncDisposable {
  readonly url: string
  /** Decides about every request; all pass until it is set. Setting it closes the connections that hang. */
  decide: (seen: Seen) => Fate
  /** Requests so far. */
  readonly seen: readonly Seen[]
}

export const PASS: Fate = { type: 'pass' }

/** Stands between a store and its Elasticsearch, and lets requests fail. */
export async function startElasticProxy(target: string): Promise<ElasticProxy> {
  const seen: Seen[] = []
  const hanging = new Set<ServerResponse>()
  let decide: ElasticProxy['decide'] = () => PASS
  const server = createServer((incoming, outgoing) => {
    void bodyOf(incoming).then((body) => {
      const one = { method: incoming.method ?? '', path: incoming.url ?? '', body }
      seen.push(one)
      const fate = decide(one)
      if (fate.type === 'hang') hanging.add(outgoing)
      else handle(target, { incoming, outgoing, body }, fate)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    get decide() {
      return decide
    },
    set decide(next) {
      decide = next
      for (const outgoing of hanging) outgoing.destroy()
      hanging.clear()
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly body: string
}

function handle(target: string, exchange: Exchange, fate: Exclude<Fate, { type: 'hang' }>): void {
  const { outgoing, body } = exchange
  if (fate.type === 'answer') {
    const headers = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' }
    const error = { type: fate.error, reason: 'made by a test' }
    outgoing.writeHead(fate.status, headers).end(JSON.stringify({ error, status: fate.status }))
  } else if (fate.type === 'pass') forward(target, exchange, body)
  else {
    const lines = fate.lines === undefined ? body : `${body.split('\n').slice(0, fate.lines).join('\n')}\n`
    forward(target, exchange, lines, () => outgoing.destroy())
  }
}

function forward(target: string, { incoming, outgoing }: Exchange, body: string, lose?: () => void): void {
  const { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = incoming.headers
  const options = {
    method: incoming.method,
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
  }
  const passed = request(new URL(incoming.url ?? '/', target), options, (answer) => {
    if (lose !== undefined) {
      answer.resume().on('end', lose)
      return
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(outgoing)
  })
  passed.on('error', () => outgoing.destroy())
  passed.end(body)
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
