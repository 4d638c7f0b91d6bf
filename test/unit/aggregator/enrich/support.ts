import { enrichBatch } from '../../../../aggregator/enrich/enrich.ts'
import type { LogRecord } from '../../../../core/record.ts'
import type { BatchHeader, BatchRun, BatchSource } from '../../../../core/wire.ts'

/** 2026-01-02T12:00:00Z */
export const READ_AT_MS = Date.UTC(2026, 0, 2, 12)
export const INGESTED_MS = READ_AT_MS + 500

export interface BatchOptions {
  readonly kind?: BatchHeader['kind']
  readonly source?: BatchSource
  readonly run?: Partial<BatchRun>
  readonly utcOffsetMin?: number
  readonly yieldNow?: () => Promise<void>
}

/** The records of a batch whose one run is this body. */
export function enrichBody(body: Buffer, lines: number, options: BatchOptions = {}): Promise<LogRecord[]> {
  const header: BatchHeader = {
    v: 1,
    kind: options.kind ?? 'lines',
    collector: 'c1',
    host: 'web-1',
    epoch: 'e'.repeat(32),
    seq: 7,
    createdAtMs: 0,
    utcOffsetMin: options.utcOffsetMin ?? 0,
    fromMs: 0,
    toMs: 1,
    records: lines,
    bodyBytes: body.length,
    sources: [options.source ?? { path: '/var/log/shop.log' }],
    runs: [{ source: 0, offset: 1_000, bytes: body.length, lines, readAtMs: READ_AT_MS, ...options.run }],
    drops: [],
    tombstones: [],
  }
  const yieldNow = options.yieldNow ?? (() => Promise.resolve())
  return enrichBatch({ header, digest: '', body }, { site: 'eu', ingestedMs: INGESTED_MS, yieldNow })
}

/** The record of one line. */
export async function enrichOne(line: string | Buffer, options: BatchOptions = {}): Promise<LogRecord> {
  const body = Buffer.concat([Buffer.from(line), Buffer.from('\n')])
  const [record] = await enrichBody(body, 1, options)
  if (record === undefined) throw new Error('no record')
  return record
}
