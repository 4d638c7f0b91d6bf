import type { ExportPage, SearchRequest } from '../../core/ports.ts'
import { toPublicRecord } from '../../core/record.ts'
import type { Asking } from './ask.ts'
import { search } from './search.ts'

/** Records of one page at most: it is held in memory. A page that is not full may have a next one. */
const PAGE_RECORDS_MAX = 10_000

/** A page of records as lines of JSON. */
export async function exportPage(asking: Asking, request: SearchRequest): Promise<ExportPage> {
  const limit = Math.min(request.limit, PAGE_RECORDS_MAX)
  const { records, more, scanned } = await search(asking, { ...request, limit })
  const last = records.at(-1)
  const next = more && last !== undefined ? { timeMs: last.timeMs, id: last.id } : null
  const text = records.map((record) => `${JSON.stringify(toPublicRecord(record))}\n`).join('')
  return { ndjson: new TextEncoder().encode(text), records: records.length, next, scanned }
}
