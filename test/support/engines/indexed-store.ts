import { createElasticQueries } from '../../../adapters/store-elastic/queries.ts'
import { batchId, createDocumentLines } from '../../../adapters/store-elastic/documents.ts'
import type { Elastic } from '../../../adapters/store-elastic/elastic.ts'
import { logsTemplate } from '../../../adapters/store-elastic/mappings.ts'
import { createNames } from '../../../adapters/store-elastic/names.ts'
import { systemClock } from '../../../core/clock.ts'
import type { Store, StoredBatch } from '../../../core/ports.ts'
import { elasticOverFetch } from './elastic-over-fetch.ts'
import { elasticsearchUrl } from './under-test.ts'
import { randomPrefix } from './prefix.ts'

/** The queries of the Elasticsearch store over documents that a test indexed itself. */
export interface IndexedStore extends AsyncDisposable {
  readonly store: Store
  readonly elastic: Elastic
  readonly prefix: string
  /** Indices that are not shown. */
  readonly hidden: Set<string>
  /** Name of the index for records of a site. */
  index(site: string): string
}

export interface IndexedOptions {
  readonly shards?: number
  /** Position of a record, counted from 0; its place plus 1 unless given. */
  readonly position?: (place: number) => number
  readonly horizon?: () => number
  readonly quantileNumbersMax?: number
}

/** Makes an index for each of the sites. */
export async function indexedStore(
  sites: readonly string[],
  {
    shards = 1,
    position = (place) => place + 1,
    horizon = () => Number.MAX_SAFE_INTEGER,
    ...options
  }: IndexedOptions = {},
): Promise<IndexedStore> {
  const elastic = elasticOverFetch(elasticsearchUrl)
  const prefix = randomPrefix()
  const names = createNames(prefix)
  const hidden = new Set<string>()
  const lines = createDocumentLines()
  const index = (site: string) => names.index({ site, class: 'all', slotMs: 0 })
  let places = 0

  await elastic.request({
    method: 'PUT',
    path: `/_index_template/${names.logsTemplate}`,
    body: logsTemplate(names, { shards, replicas: 0 }),
  })
  for (const site of sites)
    await elastic.request({ method: 'PUT', path: `/${encodeURIComponent(index(site))}` })

  async function append({ facts, records }: StoredBatch): Promise<'stored'> {
    const texts = records.map((record) =>
      lines(record, {
        alias: index(record.site),
        digest: facts.digest,
        batch: batchId(facts),
        arrival: position(places++),
      }),
    )
    if (texts.length === 0) return 'stored'
    const answer = await elastic.request<{ errors: boolean }>({
      method: 'POST',
      path: '/_bulk',
      query: { refresh: true },
      lines: Buffer.from(texts.join('')),
    })
    if (answer.errors) throw new Error(`a record was not indexed: ${JSON.stringify(answer).slice(0, 1_000)}`)
    return 'stored'
  }

  const queries = createElasticQueries({
    elastic,
    names,
    clock: systemClock,
    horizon,
    hidden: () => [...hidden],
    ...options,
  })
  return {
    store: { ...notHere, ...queries, append, head: async () => horizon() - 1 },
    elastic,
    prefix,
    hidden,
    index,
    async [Symbol.asyncDispose]() {
      for (const site of sites)
        await elastic.request({ method: 'DELETE', path: `/${encodeURIComponent(index(site))}` })
      await elastic.request({ method: 'DELETE', path: `/_index_template/${names.logsTemplate}` })
    },
  }
}

const absent = () => Promise.reject(new Error('this store can only be asked'))
const notHere = {
  note: absent,
  ledger: absent,
  onArrival: () => () => undefined,
  stats: absent,
  purged: absent,
  purge: absent,
  close: async () => undefined,
}
