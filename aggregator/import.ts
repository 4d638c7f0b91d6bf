import { createHash } from 'node:crypto'
import { setImmediate as yieldNow } from 'node:timers/promises'
import { asServiceError, ServiceError } from '../core/errors.ts'
import { batchIdPrefix, eventId, streamId, type StreamKey } from '../core/event-id.ts'
import type { BatchFacts } from '../core/ledger/types.ts'
import type { Clock, ImportReport, RecordImport, Store } from '../core/ports.ts'
import type { LogRecord } from '../core/record.ts'
import { appendAccepted } from './append.ts'
import { linesOf, type Line } from './lines.ts'
import type { Enrich } from './pipeline.ts'

/** A longer line is refused. */
export const IMPORT_LINE_BYTES_MAX = 1 << 20
/** Refused lines that a report names; all are counted. */
export const REFUSALS_LISTED_MAX = 100
const BATCH_RECORDS_MAX = 5_000
const BATCH_BYTES_MAX = 1 << 20
/** The event loop waits no longer than this for a batch of lines. */
const BUSY_MS_MAX = 5

export interface ImportOptions {
  readonly store: Pick<Store, 'append'>
  readonly ledger: { stored(facts: BatchFacts): void }
  readonly enrich: Pick<Enrich, 'enrichImported'>
  readonly clock: Clock
  /** Stands as the host in what the ledger keeps of an import. */
  readonly node: string
  /** So many random bytes, in hex. */
  readonly randomHex: (bytes: number) => string
}

interface Report {
  imported: number
  refusedTotal: number
  readonly refused: { line: number; problem: string }[]
}

/** Every import is a stream of its own: the same file twice is there twice. */
export function createImport(options: ImportOptions): RecordImport {
  const { store, ledger, clock } = options

  async function flush(batch: ImportBatch, report: Report, signal: AbortSignal) {
    const facts = batch.facts(options.node)
    let refused = 0
    await appendAccepted(store, { facts, records: batch.records }, signal, async (_, index, error) => {
      refused += 1
      refuse(report, batch.lines[index] ?? 0, error.message)
    })
    ledger.stored(facts)
    report.imported += batch.records.length - refused
  }

  async function run(
    chunks: AsyncIterable<Uint8Array>,
    stream: StreamKey,
    report: Report,
    signal: AbortSignal,
  ) {
    let batch = createBatch(stream, 1)
    let busySinceMs = clock.monotonicMs()
    for await (const line of linesOf(chunks, IMPORT_LINE_BYTES_MAX)) {
      signal.throwIfAborted()
      take(line, batch, report)
      if (batch.full()) {
        await flush(batch, report, signal)
        batch = createBatch(stream, batch.seq + 1)
      }
      if (clock.monotonicMs() - busySinceMs < BUSY_MS_MAX) continue
      await yieldNow()
      busySinceMs = clock.monotonicMs()
    }
    if (batch.records.length > 0) await flush(batch, report, signal)
  }

  function take({ number, bytes, text }: Line, batch: ImportBatch, report: Report) {
    if (text === null) {
      refuse(report, number, `the line has ${bytes} bytes, at most ${IMPORT_LINE_BYTES_MAX} are taken`)
      return
    }
    if (text.trim() === '') return
    try {
      const context = { site: batch.stream.site, ingestedMs: clock.nowMs(), id: batch.nextId() }
      batch.add({ ...options.enrich.enrichImported(text, context), id: context.id }, number, text)
    } catch (error) {
      const failure = asServiceError(error)
      if (failure?.code !== 'BAD_REQUEST') throw error
      refuse(report, number, failure.message)
    }
  }

  return {
    async import(chunks, origin, signal): Promise<ImportReport> {
      const report: Report = { imported: 0, refusedTotal: 0, refused: [] }
      const stream = {
        site: origin.site,
        collector: `import-${options.randomHex(8)}`,
        epoch: options.randomHex(16),
      }
      try {
        await run(chunks, stream, report, signal)
      } catch (error) {
        throw withProgress(error, report)
      }
      return report
    },
  }
}

function refuse(report: Report, line: number, problem: string): void {
  report.refusedTotal += 1
  if (report.refused.length < REFUSALS_LISTED_MAX) report.refused.push({ line, problem })
}

/** A failure on the way says how much was kept, so that the rest can be sent again. */
function withProgress(error: unknown, { imported }: Report): unknown {
  const failure = asServiceError(error)
  if (failure === undefined) return error
  return new ServiceError(failure.code, failure.message, { ...failure.details, imported }, failure)
}

type ImportBatch = ReturnType<typeof createBatch>

function createBatch(stream: StreamKey, seq: number) {
  const prefix = batchIdPrefix(streamId(stream), seq)
  const records: LogRecord[] = []
  const lines: number[] = []
  const hash = createHash('sha256')
  let bytes = 0
  return {
    stream,
    seq,
    records,
    /** Line number of each record. */
    lines,
    nextId: () => eventId(prefix, records.length),
    add(record: LogRecord, line: number, text: string) {
      records.push(record)
      lines.push(line)
      hash.update(text)
      bytes += text.length
    },
    full: () => records.length >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX,
    facts: (host: string): BatchFacts => ({
      ...stream,
      seq,
      kind: 'records',
      host,
      digest: hash.digest('hex'),
      fromMs: records.reduce((least, { timeMs }) => Math.min(least, timeMs), Infinity),
      toMs: records.reduce((most, { timeMs }) => Math.max(most, timeMs), -Infinity),
      records: records.length,
      drops: [],
      tombstones: [],
    }),
  }
}
