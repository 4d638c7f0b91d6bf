import { orAborted } from '../../core/abort.ts'
import { ServiceError } from '../../core/errors.ts'
import { createGate } from '../../core/gate.ts'
import type { BatchFate } from '../../core/ledger/apply.ts'
import type { Clock, StoredBatch } from '../../core/ports.ts'
import type { LogRecord } from '../../core/record.ts'
import { createPurgedCount } from '../store-purged.ts'
import type { Purged, PurgedCount } from '../store-purged.ts'
import { assertHoldable } from '../store-record.ts'
import { pauseMs } from './backoff.ts'
import { DocumentsRefused } from './bulk.ts'
import type { BulkWriter } from './bulk.ts'
import { assertIndexable, batchId, createDocumentLines, documentId } from './documents.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure, isPassing, toServiceError } from './failures.ts'
import type { LedgerDocuments } from './ledger-documents.ts'
import { deleteDocuments, lookUpBatch } from './look-up.ts'
import type { DocumentAt, FoundBatch } from './look-up.ts'
import type { Names } from './names.ts'
import { POSITION_STEP } from './positions.ts'
import type { Positions } from './positions.ts'
import type { Refresher } from './refresher.ts'
import type { Policies, Slots } from './slots.ts'
import { split } from './split.ts'

/**
 * Of batches that are being written at once, estimated: their records in memory are about that large. Those behind them wait, so
 * that what may be there in part after a crash stays short.
 */
export const WRITTEN_BYTES_MAX = 64 << 20
/** What a record costs besides its texts. */
const RECORD_BYTES = 512
/** What fails for a moment is tried again for so long before the caller hears of it. */
const TRIED_FOR_MS = 10_000

export interface Appender {
  /** `Store.append`. */
  append(batch: StoredBatch, signal: AbortSignal): Promise<'stored' | 'duplicate'>
  /** Resolves when nothing is being written any more. */
  idle(): Promise<void>
}

export interface AppenderParts {
  readonly elastic: Elastic
  readonly names: Names
  readonly ledger: LedgerDocuments
  readonly bulk: BulkWriter
  readonly refresher: Refresher
  readonly slots: Slots
  readonly policies: Policies
  readonly positions: Positions
  readonly clock: Clock
  /** Called when records have arrived. */
  readonly arrived: () => void
}

/**
 * Every batch goes its own way through four steps that many batches take together: said to be attempted, written, refreshed, said to be
 * stored. Whatever happens in between, the ledger names the batches that may be there in part.
 */
export function createAppender(parts: AppenderParts): Appender {
  const { ledger, positions, clock } = parts
  const lines = createDocumentLines()
  const running = new Map<string, Promise<unknown>>()
  const gate = createGate(WRITTEN_BYTES_MAX)

  async function store(batch: StoredBatch, id: string): Promise<'stored' | 'duplicate'> {
    const { facts, records } = batch
    if (records.length === 0)
      return answer(await ledger.stored({ facts, batch: id, top: 0, expired: [] }), facts)
    const attempt = { batch: id, digest: facts.digest, floor: positions.floor(), atMs: clock.nowMs() }
    const { fate, before } = await ledger.attempt(facts, attempt)
    if (fate !== 'new') return fate === 'conflict' ? conflict(facts) : 'duplicate'
    const found = before === null ? NOTHING : await lookUp(id, facts.digest)
    const work = await createWork(parts, { batch, id, found, lines })
    await write(work)
    await patiently(clock, () => parts.refresher.refreshed(work.indices))
    const stored = await ledger.stored({ facts, batch: id, top: work.top, expired: work.expired() })
    if (stored === 'conflict') await work.undo()
    if (stored === 'new') parts.arrived()
    return answer(stored, facts)
  }

  async function lookUp(batch: string, digest: string): Promise<FoundBatch> {
    const found = await patiently(clock, () => lookUpBatch(parts, { batch, digest }))
    await patiently(clock, () => deleteDocuments(parts.elastic, found.foreign))
    return found
  }

  async function write(work: Work): Promise<void> {
    try {
      await parts.bulk.write(work.job)
    } catch (error) {
      if (!(error instanceof DocumentsRefused)) throw error
      await work.undo()
      const index = Math.min(...error.at.map((at) => work.recordIndex(at)))
      const reason = { index, reason: error.message.slice(0, 500) }
      throw new ServiceError(
        'RECORD_REFUSED',
        'a record cannot be kept: Elasticsearch refuses it',
        reason,
        error,
      )
    }
  }

  async function storeOnce(batch: StoredBatch, id: string): Promise<'stored' | 'duplicate'> {
    for (let same = running.get(id); same !== undefined; same = running.get(id)) await same.catch(() => {})
    const storing = store(batch, id)
    running.set(id, storing)
    try {
      return await storing
    } catch (error) {
      throw toServiceError(error)
    } finally {
      running.delete(id)
    }
  }

  return {
    async append({ facts, records }, signal) {
      signal.throwIfAborted()
      records.forEach(assertHoldable)
      records.forEach(assertIndexable)
      const batch = { facts, records: [...records] }
      const leave = await gate.enter(bytesOf(records), signal)
      return await orAborted(storeOnce(batch, batchId(facts)).finally(leave), signal)
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled(running.values())
    },
  }
}

const NOTHING: FoundBatch = { own: new Map(), top: 0, foreign: [] }

function answer(fate: BatchFate, facts: StoredBatch['facts']): 'stored' | 'duplicate' {
  if (fate === 'conflict') return conflict(facts)
  return fate === 'new' ? 'stored' : 'duplicate'
}

function conflict({ site, collector, epoch, seq }: StoredBatch['facts']): never {
  const details = { site, collector, epoch, seq }
  throw new ServiceError('SEQUENCE_CONFLICT', 'another batch is stored under this number', details)
}

/** The documents of one batch. */
interface Work {
  readonly job: Parameters<BulkWriter['write']>[0]
  /** Indices that they go to. */
  readonly indices: ReadonlySet<string>
  /** Highest position; 0: there is no document. */
  readonly top: number
  /** What is too old to be kept. */
  expired(): readonly Purged[]
  /** Place in the job → index in the batch. */
  recordIndex(at: number): number
  /** Deletes what is there of the batch, and says so. */
  undo(): Promise<void>
}

interface WorkInput {
  readonly batch: StoredBatch
  readonly id: string
  readonly found: FoundBatch
  readonly lines: ReturnType<typeof createDocumentLines>
}

async function createWork(parts: AppenderParts, { batch, id, found, lines }: WorkInput): Promise<Work> {
  const { names, slots, policies, positions, clock } = parts
  const { facts, records } = batch
  const late = createLate(facts.site, clock.nowMs())
  const kept: Kept[] = []
  const nameOf = createNameOf(names, facts.site)
  for (const [index, record] of records.entries()) {
    const place = policies.place(record, clock.nowMs())
    if (place === null) late.add(record, policies.classOf(record))
    else if (!found.own.has(record.id)) kept.push({ index, record, name: nameOf(place) })
  }
  const slotOfName = (name: string) => names.parse(name) ?? { site: '', class: '', slotMs: 0 }
  const ensureAll = (all: Iterable<string>) =>
    Promise.all(Array.from(all, (name) => slots.ensure(slotOfName(name))))
  const indices = new Set(kept.map(({ name }) => name))
  await patiently(clock, () => ensureAll(indices))
  const first = positions.take(Math.max(1, kept.length))
  const place = { digest: facts.digest, batch: id }

  const job = {
    count: kept.length,
    lines(at: number): string {
      const one = kept[at]
      if (one === undefined) return ''
      return lines(one.record, {
        ...place,
        alias: names.alias(one.name),
        arrival: first + at * POSITION_STEP,
      })
    },
    async missing(places: readonly number[]): Promise<readonly number[]> {
      const gone = new Set(places.flatMap((at) => kept[at]?.name ?? []))
      const due = new Set([...gone].filter((name) => policies.purgeAtMs(slotOfName(name)) <= clock.nowMs()))
      for (const name of gone) slots.forget(name)
      await ensureAll([...gone].filter((name) => !due.has(name)))
      const [wanted, dropped] = split(places, (at) => !due.has(kept[at]?.name ?? ''))
      for (const at of dropped) {
        const one = kept[at]
        if (one !== undefined) late.add(one.record, slotOfName(one.name).class)
      }
      return wanted
    },
  }

  return {
    job,
    indices,
    top: kept.length === 0 ? found.top : Math.max(found.top, first + (kept.length - 1) * POSITION_STEP),
    expired: () => late.purged(),
    recordIndex: (at) => kept[at]?.index ?? 0,
    async undo() {
      const written = kept.map(({ record, name }): DocumentAt => ({
        index: name,
        id: documentId(record.id, facts.digest),
      }))
      await patiently(clock, () => deleteDocuments(parts.elastic, [...written, ...found.own.values()]))
      await parts.ledger.abandon(facts, id)
    },
  }
}

interface Kept {
  /** In the batch. */
  readonly index: number
  readonly record: LogRecord
  /** Of its Elasticsearch index. */
  readonly name: string
}

/** Records that come together mostly lie in the same slot. */
function createNameOf(names: Names, site: string): (place: { class: string; slotMs: number }) => string {
  let last = { class: '', slotMs: NaN, name: '' }
  return ({ class: its, slotMs }) => {
    if (its !== last.class || slotMs !== last.slotMs)
      last = { class: its, slotMs, name: names.index({ site, class: its, slotMs }) }
    return last.name
  }
}

/** Counts what is too old to be kept, by class. */
function createLate(site: string, atMs: number) {
  const counts = new Map<string, PurgedCount>()
  return {
    add(record: LogRecord, its: string): void {
      const count = counts.get(its) ?? createPurgedCount()
      count.add(record)
      counts.set(its, count)
    },
    purged: (): readonly Purged[] =>
      [...counts].flatMap(
        ([its, count]) => count.purged({ site, class: its, reason: 'expired', atMs }) ?? [],
      ),
  }
}

function bytesOf(records: readonly LogRecord[]): number {
  let bytes = 0
  for (const { message, attrs } of records) {
    bytes += RECORD_BYTES + message.length
    for (const key in attrs) bytes += key.length + sizeOf(attrs[key])
  }
  return bytes
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return Array.isArray(value) ? value.reduce<number>((sum, one) => sum + sizeOf(one), 0) : 8
}

/** Tries again what fails for a moment. */
async function patiently<T>(clock: Clock, run: () => Promise<T>): Promise<T> {
  const startMs = clock.monotonicMs()
  for (let tries = 0; ; tries++) {
    try {
      return await run()
    } catch (error) {
      const passing = error instanceof ElasticFailure && isPassing(error)
      if (!passing || clock.monotonicMs() - startMs > TRIED_FOR_MS) throw error
      await clock.sleep(pauseMs(tries))
    }
  }
}
