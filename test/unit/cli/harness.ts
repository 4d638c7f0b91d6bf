import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { addQueryCommands, createProgram, runProgram } from '../../../cli/commands.ts'
import type { Terminal } from '../../../cli/terminal.ts'
import { systemClock } from '../../../core/clock.ts'
import type { Clock } from '../../../core/ports.ts'

export const NOW_MS = Date.parse('2026-11-21T03:12:30Z')

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void

/** A node whose answers the test writes. */
export interface ScriptedNode extends AsyncDisposable {
  readonly url: string
  /** Every request so far. */
  readonly requests: {
    method: string | undefined
    path: string
    parameters: Record<string, string>
    headers: IncomingMessage['headers']
  }[]
}

/** `handlers` answer one request each, in this order; the last one answers all that follow. */
export async function scriptedNode(...handlers: Handler[]): Promise<ScriptedNode> {
  const requests: ScriptedNode['requests'] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://node')
    const handler = handlers[Math.min(requests.length, handlers.length - 1)]
    requests.push({
      method: request.method,
      path: url.pathname,
      parameters: Object.fromEntries(url.searchParams),
      headers: request.headers,
    })
    handler?.(request, response, url)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

export interface Run {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | undefined
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: string
  readonly columns?: number
  /** Standard output and standard error are a terminal. */
  readonly isTTY?: boolean
  /** Standard error alone is a terminal, as with `> file`. */
  readonly isWatched?: boolean
  readonly clock?: Clock
  /** Gets what was printed so far, after every write. */
  readonly onOutput?: (output: { stdout: string; stderr: string; interrupt: () => void }) => void
  /** Ctrl-C is pressed when this resolves. */
  readonly interruptAfter?: Promise<void>
  /** Standard output breaks with EPIPE after so many characters, as with `| head`. */
  readonly readerLeavesAfter?: number
}

class Exited extends Error {}

/** Runs a command in this process. */
export async function runCommandLine(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const output = { stdout: '', stderr: '' }
  let code: number | undefined
  let interrupt = () => {}
  const screen = (name: 'stdout' | 'stderr') => {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        output[name] += chunk.toString()
        const left = name === 'stdout' && output.stdout.length > (options.readerLeavesAfter ?? Infinity)
        options.onOutput?.({ ...output, interrupt })
        done(left ? Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) : null)
      },
    })
    const isTTY = options.isTTY === true || (name === 'stderr' && options.isWatched === true)
    return Object.assign(stream, { isTTY, columns: options.columns ?? 80 })
  }
  const environment = options.environment ?? {}
  const terminal: Terminal = {
    environment,
    stdin: Readable.from([Buffer.from(options.stdin ?? '')]),
    stdout: screen('stdout'),
    stderr: screen('stderr'),
    clock: options.clock ?? { ...systemClock, nowMs: () => NOW_MS },
    onInterrupt(listener) {
      interrupt = listener
      return () => (interrupt = () => {})
    },
    setExitCode: (given) => (code = given),
    exit(given) {
      code = given
      throw new Exited()
    },
  }
  void options.interruptAfter?.then(() => interrupt())
  const program = createProgram('0.0.0', terminal)
  addQueryCommands(program, terminal)
  try {
    await runProgram(program, args, terminal)
  } catch (error) {
    if (!(error instanceof Exited)) throw error
  }
  return { ...output, code }
}

/** Where the command finds its node. */
export const environment = (url: string) => ({ NOCTULE_URL: url, NOCTULE_TOKEN: 't' })

export const record = (second: number, more: object = {}) => ({
  time: `2026-11-21T03:12:${String(second).padStart(2, '0')}.000Z`,
  id: String(second).padStart(28, '0'),
  message: `message ${second}`,
  level: 'info',
  service: 'api',
  host: 'web-1',
  site: 'eu',
  ...more,
})

const COMPLETE = {
  status: 'ok',
  complete: true,
  completeTo: '2026-11-21T03:12:07.000Z',
  gaps: [],
  gapsTotal: 0,
}
const INCOMPLETE = {
  status: 'ok',
  complete: false,
  completeTo: '2026-11-21T03:10:01.000Z',
  gaps: [
    {
      reason: 'lost',
      host: 'web-3',
      records: 1024,
      from: '2026-11-21T03:10:01.000Z',
      to: '2026-11-21T03:10:04.000Z',
      detail: 'spool full',
    },
  ],
  gapsTotal: 1,
}

export const site = { complete: COMPLETE, incomplete: INCOMPLETE }

export function meta(more: { cursor?: string; complete?: boolean } = {}) {
  const { cursor, complete = true } = more
  return {
    id: '6f1c9a52-0d3e-4c8b-9b57-2f6f0f3d7a11',
    query: '',
    from: '2026-11-21T03:00:00.000Z',
    to: '2026-11-21T03:12:00.000Z',
    tookMs: 3,
    scanned: 10,
    returned: 1,
    truncated: cursor !== undefined,
    ...(cursor === undefined ? {} : { cursor }),
    complete,
    completeTo: null,
    sites: { local: complete ? COMPLETE : INCOMPLETE },
  }
}
