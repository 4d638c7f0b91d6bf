import { call } from '../api.ts'

/** What the ledger knows of a collector. */
export interface ApiCollector {
  readonly site: string
  readonly collector: string
  readonly host: string
  /** `records`: an importer, which sends no marks. */
  readonly kind: string
  /** Everything written up to here is stored, outside the known gaps. */
  readonly watermark: string | null
  readonly markAt: string | null
  readonly skewMs: number
  readonly leftAt: string | null
  readonly clonedAt: string | null
  readonly epochs: number
  readonly lastSeq: number
  readonly pendingRecords: number
}

export function listCollectors(signal: AbortSignal) {
  return call<{ collectors: readonly ApiCollector[] }>('GET', '/v1/collectors', { signal })
}
