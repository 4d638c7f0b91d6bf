import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../core/clock.ts'
import { nodeFs } from '../../core/fs.ts'
import type { Logger } from '../../core/ports.ts'
import { openEngine } from './engine.ts'
import type { Engine } from './engine.ts'
import { failureOf } from './messages.ts'
import type { LogLevel, Method, Reply, Request, WorkerData } from './messages.ts'

/** The thread that owns a store's files, its DuckDB and its ledger. */
const port = parentPort
if (port === null) throw new Error('worker.ts has to be started as a worker')

const aborts = new Map<number, AbortController>()

function send(reply: Reply, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(reply, transfer)
}

function logger(bound: object): Logger {
  const at = (level: LogLevel) => (fields: object, message: string) =>
    send({ type: 'log', level, fields: { ...bound, ...fields }, message })
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => logger({ ...bound, ...fields }),
  }
}

async function call(
  engine: Engine,
  { id, method, argument }: Extract<Request, { type: 'call' }>,
): Promise<void> {
  const abort = new AbortController()
  aborts.set(id, abort)
  try {
    // The other side types the call: each method takes one argument and a signal, or less.
    const run = engine[method] as (argument: unknown, signal: AbortSignal) => Promise<unknown>
    const value = await run(argument, abort.signal)
    send({ type: 'done', id, value }, buffersOf(value))
  } catch (error) {
    send({ type: 'failed', id, failure: failureOf(error) })
  } finally {
    aborts.delete(id)
  }
}

/** Encoded records are handed over, not copied. */
function buffersOf(value: unknown): ArrayBuffer[] {
  if (typeof value !== 'object' || value === null) return []
  if ('ndjson' in value) return [(value.ndjson as Uint8Array<ArrayBuffer>).buffer]
  if (!('chunks' in value)) return []
  return (value.chunks as Uint8Array<ArrayBuffer>[]).map(({ buffer }) => buffer)
}

async function serve(engine: Engine): Promise<void> {
  engine.onArrival(() => send({ type: 'arrival' }))
  port?.on('message', (request: Request) => {
    if (request.type === 'abort') aborts.get(request.id)?.abort()
    else void answer(engine, request)
  })
  send({ type: 'opened' })
}

const LAST: Method = 'close'

async function answer(engine: Engine, request: Extract<Request, { type: 'call' }>): Promise<void> {
  await call(engine, request)
  if (request.method === LAST) port?.close()
}

try {
  await serve(await openEngine(workerData as WorkerData, { fs: nodeFs, clock: systemClock, log: logger({}) }))
} catch (error) {
  send({ type: 'refused', failure: failureOf(error) })
  port.close()
}
