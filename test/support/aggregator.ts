import type { Enrich } from '../../aggregator/pipeline.ts'
import { ServiceError } from '../../core/errors.ts'
import { batchIdPrefix, eventId, streamId } from '../../core/event-id.ts'
import type { Metrics, Quarantine, QuarantineEntry } from '../../core/ports.ts'
import type { LogRecord } from '../../core/record.ts'
import { encodeFrame, type BatchHeader } from '../../core/wire.ts'
import { EPOCH } from './ledger.ts'
import { EMPTY_RECORD } from './records.ts'

export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge() {},
  histogram: () => ({ observe() {} }),
  text: async () => '',
}

/** Entries in memory; `fault` makes `put` fail. */
export interface ListQuarantine extends Quarantine {
  readonly entries: Omit<QuarantineEntry, 'id' | 'atMs'>[]
  fault: Error | undefined
}

export function createListQuarantine(): ListQuarantine {
  const quarantine: ListQuarantine = {
    entries: [],
    fault: undefined,
    async put(added) {
      if (quarantine.fault !== undefined) throw quarantine.fault
      quarantine.entries.push(...added)
    },
    list: async () => ({ total: quarantine.entries.length, entries: [] }),
    replay: async () => ({ stored: 0, refused: 0 }),
  }
  return quarantine
}

export function someRecord(fields: Partial<LogRecord> = {}): LogRecord {
  const id = eventId(batchIdPrefix(streamId({ site: 'eu', collector: 'c1', epoch: EPOCH }), 1), 0)
  return { ...EMPTY_RECORD, id, timeMs: 1_700_000_000_000, ingestedMs: 1_700_000_000_000, ...fields }
}

/** The message is the line; a line `!` becomes a record that every store refuses. */
export const plainEnrich: Enrich = {
  async enrichBatch({ header, body }, { site, ingestedMs, yieldNow }) {
    await yieldNow()
    const prefix = batchIdPrefix(streamId({ ...header, site }), header.seq)
    const lines = body.toString('utf8').split('\n').slice(0, -1)
    return lines.map((message, index) =>
      someRecord({
        id: eventId(prefix, index),
        site,
        message,
        ingestedMs,
        timeMs: message === '!' ? 0.5 : ingestedMs,
      }),
    )
  },
  enrichImported(line, { site, ingestedMs }) {
    if (!line.startsWith('{')) throw new ServiceError('BAD_REQUEST', 'the line is not a JSON object')
    const { message, timeMs } = JSON.parse(line) as { message: string; timeMs: number }
    return someRecord({ site, ingestedMs, message, timeMs })
  },
}

/** A frame with these lines. */
export function frameOf(lines: readonly string[], fields: Partial<BatchHeader> = {}): Promise<Buffer> {
  const body = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  const header: BatchHeader = {
    v: 1,
    kind: 'lines',
    collector: 'c1',
    host: 'web-1',
    epoch: EPOCH,
    seq: 1,
    createdAtMs: 0,
    utcOffsetMin: 0,
    fromMs: 0,
    toMs: 1,
    records: lines.length,
    bodyBytes: body.length,
    sources: [{ path: '/var/log/app.log' }],
    runs: [{ source: 0, offset: 0, bytes: body.length, lines: lines.length, readAtMs: 0 }],
    drops: [],
    tombstones: [],
    ...fields,
  }
  return encodeFrame(header, body)
}
