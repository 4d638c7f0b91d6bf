import { RECORD_FIELDS } from '../../core/record.ts'
import { parseDocumentId } from './documents.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure, toServiceError } from './failures.ts'
import { DOCUMENT_FIELDS } from './mappings.ts'
import type { Names } from './names.ts'

/** A document by its place. */
export interface DocumentAt {
  readonly index: string
  readonly id: string
}

/** Documents that were found under the number of a batch. */
export interface FoundBatch {
  /** Record id → document, of the batch itself. */
  readonly own: ReadonlyMap<string, DocumentAt>
  /** Their highest arrival position; 0: there are none. */
  readonly top: number
  /** Of another batch under the same number, which was never stored. */
  readonly foreign: readonly DocumentAt[]
}

const PAGE = 10_000
const DELETED_AT_ONCE = 10_000

interface SearchAnswer {
  readonly timed_out: boolean
  readonly _shards: { readonly failed: number }
  readonly hits: {
    readonly hits: readonly {
      readonly _index: string
      readonly _id: string
      readonly sort: [string, number]
    }[]
  }
}

/** What is there of a batch that somebody may have begun to write. */
export async function lookUpBatch(
  { elastic, names }: { elastic: Elastic; names: Names },
  { batch, digest }: { batch: string; digest: string },
): Promise<FoundBatch> {
  const own = new Map<string, DocumentAt>()
  const foreign: DocumentAt[] = []
  let top = 0
  await elastic.request({ method: 'POST', path: `/${names.all}/_refresh` })
  for (let after: unknown[] | undefined, more = true; more;) {
    const body = {
      size: PAGE,
      query: { term: { [DOCUMENT_FIELDS.batch]: batch } },
      sort: [{ [RECORD_FIELDS.id.ecs]: 'asc' }, { [DOCUMENT_FIELDS.arrival]: 'asc' }],
      _source: false,
      track_total_hits: false,
      ...(after === undefined ? {} : { search_after: after }),
    }
    const path = `/${names.all}/_search`
    const answer = await elastic.request<SearchAnswer>({ method: 'POST', path, body })
    const { timed_out: timedOut, _shards: shards, hits } = answer
    if (timedOut || shards.failed > 0)
      throw new ElasticFailure(503, 'shards_failed', 'not every shard could be asked for a batch')
    for (const { _index: index, _id: id, sort } of hits.hits) {
      const found = parseDocumentId(id)
      if (digest.startsWith(found.digest)) {
        own.set(found.recordId, { index, id })
        top = Math.max(top, sort[1])
      } else foreign.push({ index, id })
    }
    after = hits.hits.at(-1)?.sort
    more = hits.hits.length === PAGE
  }
  return { own, top, foreign }
}

/** Deletes documents; those that are not there do not matter. */
export async function deleteDocuments(elastic: Elastic, documents: readonly DocumentAt[]): Promise<void> {
  for (let from = 0; from < documents.length; from += DELETED_AT_ONCE) {
    const lines = documents
      .slice(from, from + DELETED_AT_ONCE)
      .map(({ index, id }) => `${JSON.stringify({ delete: { _index: index, _id: id } })}\n`)
    const query = { filter_path: 'items.delete.status,items.delete.error.type,items.delete.error.reason' }
    const request = { method: 'POST', path: '/_bulk', query, lines: Buffer.from(lines.join('')) }
    const { items } = await elastic.request<DeleteAnswer>(request)
    for (const { delete: result } of items)
      if (result.status >= 300 && result.status !== 404)
        throw toServiceError(
          new ElasticFailure(result.status, result.error?.type ?? 'failed', result.error?.reason ?? ''),
        )
  }
}

interface DeleteAnswer {
  readonly items: readonly {
    readonly delete: {
      readonly status: number
      readonly error?: { readonly type: string; readonly reason: string }
    }
  }[]
}
