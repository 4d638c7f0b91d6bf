import { Worker } from 'node:worker_threads'
import { ServiceError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { errorOf } from './messages.ts'
import type { Method, Reply, Request, WorkerData } from './messages.ts'

/** Opens an engine in a thread of its own, so that nothing it does holds up this one. Throws DATA_DIR_IN_USE. */
export async function openRemoteEngine(options: EngineOptions, log: Logger): Promise<Engine> {
  const { dir, segmentRecords, segmentAgeMsMax, memoryMbMax, threads, retention } = options
  const workerData: WorkerData = { dir, segmentRecords, segmentAgeMsMax, memoryMbMax, threads, retention }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
  const calls = new Map<number, PromiseWithResolvers<unknown>>()
  const listeners = new Set<() => void>()
  const opened = Promise.withResolvers<void>()
  const exited = Promise.withResolvers<void>()
  let lastId = 0
  let gone: Error | undefined

  const lost = (error: Error): void => {
    gone ??= error
    opened.reject(error)
    for (const { reject } of calls.values()) reject(error)
    calls.clear()
    exited.resolve()
  }

  worker.on('message', (reply: Reply) => {
    if (reply.type === 'opened') opened.resolve()
    else if (reply.type === 'refused') opened.reject(errorOf(reply.failure))
    else if (reply.type === 'arrival') for (const listener of listeners) listener()
    else if (reply.type === 'log') log[reply.level](reply.fields, reply.message)
    else if (reply.type === 'done') settle(reply.id)?.resolve(reply.value)
    else settle(reply.id)?.reject(errorOf(reply.failure))
  })
  worker.on('error', (error) => {
    log.error({ problem: String(error) }, 'the thread of the store failed')
    lost(new ServiceError('STORE_UNAVAILABLE', 'the thread of the store failed', {}, error))
  })
  worker.on('exit', () => lost(new ServiceError('SHUTTING_DOWN', 'the store is closed')))

  function settle(id: number): PromiseWithResolvers<unknown> | undefined {
    const call = calls.get(id)
    calls.delete(id)
    return call
  }

  function post(request: Request, transfer: ArrayBuffer[] = []): void {
    worker.postMessage(request, transfer)
  }

  async function call<T>(
    method: Method,
    argument?: unknown,
    { signal, transfer }: { signal?: AbortSignal; transfer?: ArrayBuffer[] } = {},
  ): Promise<T> {
    signal?.throwIfAborted()
    if (gone !== undefined) throw gone
    const id = ++lastId
    const done = Promise.withResolvers<unknown>()
    const abort = () => {
      settle(id)?.reject(signal?.reason)
      post({ type: 'abort', id })
    }
    calls.set(id, done)
    post({ type: 'call', id, method, argument }, transfer)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return (await done.promise) as T
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  await opened.promise
  return {
    append: (batch, signal) =>
      call('append', batch, { signal, transfer: batch.chunks.map(({ buffer }) => buffer as ArrayBuffer) }),
    note: (notes) => call('note', notes),
    ledger: () => call('ledger'),
    search: (request, signal) => call('search', request, { signal }),
    exportPage: (request, signal) => call('exportPage', request, { signal }),
    histogram: (request, signal) => call('histogram', request, { signal }),
    top: (request, signal) => call('top', request, { signal }),
    explain: (request, signal) => call('explain', request, { signal }),
    arrivals: (request, signal) => call('arrivals', request, { signal }),
    head: () => call('head'),
    onArrival(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stats: () => call('stats'),
    purged: (request) => call('purged', request),
    purge: () => call('purge'),
    async close() {
      if (gone === undefined) await call('close')
      await exited.promise
    },
  }
}
