import type { BatchFacts } from '../../core/ledger/types.ts'
import type { Mark } from '../../core/wire.ts'

/** A readable name as an epoch: 32 hex digits. */
export function epochOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(32, '0').slice(0, 32)
}

export const EPOCH = epochOf('first')

export function someFacts(fields: Partial<BatchFacts> = {}): BatchFacts {
  const { epoch = EPOCH, seq = 1 } = fields
  return {
    site: 'eu',
    collector: 'c1',
    host: 'web-1',
    kind: 'lines',
    epoch,
    seq,
    digest: `${epoch}${seq}`.padEnd(64, '0'),
    fromMs: 0,
    toMs: 1,
    records: 1,
    drops: [],
    tombstones: [],
    ...fields,
  }
}

interface MarkFields {
  readonly collector?: string
  readonly epoch?: string
  readonly lastSeq?: number
  readonly spoolLow?: number
  readonly pending?: readonly (readonly [number, number])[]
  readonly sentAtMs?: number
  readonly readAgeMs?: number | null
  readonly goodbye?: boolean
  /** Other epochs in the spool, as marks list them. */
  readonly older?: Mark['epochs']
}

/** A mark of one epoch; `pending` as [seqFrom, seqTo]. */
export function markOf(fields: MarkFields): Mark {
  const { collector = 'c1', epoch = EPOCH, lastSeq = 0, sentAtMs = 0, readAgeMs = 0, older = [] } = fields
  const pending = (fields.pending ?? []).map(([seqFrom, seqTo]) => ({
    seqFrom,
    seqTo,
    timeFromMs: 0,
    timeToMs: 1,
    records: 10,
  }))
  const spoolLow = fields.spoolLow ?? pending[0]?.seqFrom ?? lastSeq + 1
  return {
    v: 1,
    collector,
    host: 'web-1',
    epoch,
    sentAtMs,
    readAgeMs,
    epochs: [...older, { epoch, lastSeq, spoolLow, pending }],
    ...(fields.goodbye === undefined ? {} : { goodbye: fields.goodbye }),
  }
}
