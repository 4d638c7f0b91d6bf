import { createHash } from 'node:crypto'
import { batchIdPrefix, eventId, streamId } from '../../core/event-id.ts'
import type { BatchFacts, BatchKey } from '../../core/ledger/types.ts'
import type { StoredBatch } from '../../core/ports.ts'
import type { LogRecord } from '../../core/record.ts'

/** A record without its id, which follows from its place in a batch. */
export type RecordFields = Omit<LogRecord, 'id'>

/** A record that says nothing. */
export const EMPTY_RECORD: RecordFields = {
  timeMs: 0,
  ingestedMs: 0,
  message: '',
  level: '',
  service: '',
  version: '',
  host: '',
  site: 'eu',
  tier: '',
  path: '',
  offset: null,
  trace: '',
  pattern: '',
  status: null,
  latencyMs: null,
  bytes: null,
  attrs: {},
}

export const KEY: BatchKey = { site: 'eu', collector: 'web-1', epoch: 'e'.repeat(32), seq: 1 }

/** A batch as a store takes it. The digest follows from the records unless it is given. */
export function storedBatch(
  records: readonly Partial<RecordFields>[],
  facts: Partial<BatchFacts> = {},
): StoredBatch {
  const key = { ...KEY, ...facts }
  const prefix = batchIdPrefix(streamId(key), key.seq)
  const times = records.map(({ timeMs = 0 }) => timeMs)
  return {
    facts: {
      kind: 'lines',
      host: 'web-1',
      digest: facts.digest ?? createHash('sha256').update(JSON.stringify(records)).digest('hex'),
      fromMs: times.reduce((min, time) => Math.min(min, time), times[0] ?? 0),
      toMs: times.reduce((max, time) => Math.max(max, time), times[0] ?? 0),
      records: records.length,
      drops: [],
      tombstones: [],
      ...key,
    },
    records: records.map((record, index) => ({ ...EMPTY_RECORD, ...record, id: eventId(prefix, index) })),
  }
}
