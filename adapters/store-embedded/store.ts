import { ServiceError } from '../../core/errors.ts'
import { systemClock } from '../../core/clock.ts'
import type { Clock, Logger, Store } from '../../core/ports.ts'
import { assertHoldable } from '../store-record.ts'
import { decodeChunks, encodeChunks } from './columns.ts'
import { openEngine } from './engine.ts'
import type { Engine, EngineOptions, EngineParts } from './engine.ts'
import { createExpiry } from './expiry.ts'
import { openRemoteEngine } from './remote-engine.ts'

/** Encoded batches on their way at most; more are refused with OVERLOADED. */
const APPEND_BYTES_MAX = 64 << 20

/** DuckDB over our own segments in one directory, in a worker thread. Throws DATA_DIR_IN_USE. */
export async function openEmbeddedStore(options: EngineOptions & { readonly log: Logger }): Promise<Store> {
  return storeOver(await openRemoteEngine(options, options.log), options, systemClock)
}

/** The same in this thread, with files and time of the caller's. */
export async function openStoreInThread(options: EngineOptions, parts: EngineParts): Promise<Store> {
  return storeOver(await openEngine(options, parts), options, parts.clock)
}

/** The front: what the caller's thread has to do for a batch or a page. */
function storeOver(engine: Engine, { retention }: EngineOptions, clock: Clock): Store {
  const expiry = createExpiry(retention, clock)
  let bytesUnderway = 0
  return {
    async append({ facts, records }, signal) {
      signal.throwIfAborted()
      records.forEach(assertHoldable)
      const { kept, expired } = expiry.sort(records)
      const chunks = await encodeChunks(kept)
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      if (bytesUnderway > 0 && bytesUnderway + bytes > APPEND_BYTES_MAX)
        throw new ServiceError('OVERLOADED', 'too many batches wait to be stored', { bytesUnderway })
      bytesUnderway += bytes
      try {
        return await engine.append({ facts, records: kept.length, chunks, expired }, signal)
      } finally {
        bytesUnderway -= bytes
      }
    },
    note: (notes) => engine.note(notes),
    ledger: () => engine.ledger(),
    async search(request, signal) {
      const { chunks, ...page } = await engine.search(request, signal)
      return { ...page, records: await decodeChunks(chunks) }
    },
    exportPage: (request, signal) => engine.exportPage(request, signal),
    histogram: (request, signal) => engine.histogram(request, signal),
    top: (request, signal) => engine.top(request, signal),
    explain: (request, signal) => engine.explain(request, signal),
    async arrivals(request, signal) {
      const { chunks, positions, position } = await engine.arrivals(request, signal)
      const records = await decodeChunks(chunks)
      return { arrivals: records.map((record, i) => ({ position: positions[i] ?? 0, record })), position }
    },
    head: () => engine.head(),
    onArrival: (listener) => engine.onArrival(listener),
    stats: () => engine.stats(),
    purged: (request) => engine.purged(request),
    purge: () => engine.purge(),
    close: () => engine.close(),
  }
}
