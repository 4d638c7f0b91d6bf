import { asServiceError, type ServiceError } from '../core/errors.ts'
import type { Store, StoredBatch } from '../core/ports.ts'
import type { LogRecord } from '../core/record.ts'

/**
 * Appends a batch without the records that the store refuses: the batch keeps its number, the others keep their ids.
 * `refused` is called before the store is asked again, with the record's index in `batch.records`.
 */
export async function appendAccepted(
  store: Pick<Store, 'append'>,
  batch: StoredBatch,
  signal: AbortSignal,
  refused: (record: LogRecord, index: number, error: ServiceError) => Promise<void>,
): Promise<'stored' | 'duplicate'> {
  const left = batch.records.map((record, index) => ({ record, index }))
  for (;;) {
    try {
      return await store.append({ ...batch, records: left.map(({ record }) => record) }, signal)
    } catch (error) {
      const refusal = asServiceError(error)
      const [gone] =
        refusal?.code === 'RECORD_REFUSED' ? left.splice(Number(refusal.details['index']), 1) : []
      if (refusal === undefined || gone === undefined) throw error
      await refused(gone.record, gone.index, refusal)
    }
  }
}
