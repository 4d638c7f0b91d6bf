import type { PartitionStats, StoreStats } from '../../core/ports.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import type { HeldValues } from '../store-purged.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure } from './failures.ts'
import type { Names, SlotNames } from './names.ts'
import type { Policies } from './slots.ts'

/** Different services that are told of an index; with more, all are possible. */
const SERVICES_MAX = 256
/** `fatal` to `trace`, and none. */
const LEVELS_MAX = 10

/** What an index holds, as far as it is searchable. */
export interface Held extends HeldValues {
  readonly records: number
  readonly minMs: number
  readonly maxMs: number
}

/** What an index takes, replicas included. */
export interface IndexSize {
  readonly index: string
  readonly records: number
  readonly bytes: number
  readonly segments: number
}

interface SearchAnswer {
  readonly timed_out: boolean
  readonly _shards: { readonly failed: number }
  readonly hits: { readonly total: { readonly value: number } }
  readonly aggregations?: {
    readonly min: { readonly value: number | null }
    readonly max: { readonly value: number | null }
    readonly levels?: Buckets
    readonly services?: Buckets
  }
}

interface Buckets {
  readonly buckets: readonly { readonly key: string }[]
}

const TIME = RECORD_FIELDS.time.ecs
const RANGE = { min: { min: { field: TIME } }, max: { max: { field: TIME } } }
const VALUES = {
  levels: { terms: { field: RECORD_FIELDS.level.ecs, size: LEVELS_MAX, missing: '' } },
  services: { terms: { field: RECORD_FIELDS.service.ecs, size: SERVICES_MAX + 1, missing: '' } },
}

/** null: nothing, or it is not there. */
export async function heldIn(elastic: Elastic, index: string): Promise<Held | null> {
  const found = await count(elastic, index, { aggs: { ...RANGE, ...VALUES } })
  const { hits, aggregations } = found
  if (aggregations === undefined || hits.total.value === 0) return null
  const services = keysOf(aggregations.services)
  return {
    records: hits.total.value,
    minMs: aggregations.min.value ?? 0,
    maxMs: aggregations.max.value ?? 0,
    levels: keysOf(aggregations.levels),
    services: services.length > SERVICES_MAX ? null : services,
  }
}

function keysOf(buckets: Buckets | undefined): readonly string[] {
  return (buckets?.buckets ?? []).map(({ key }) => key)
}

async function count(elastic: Elastic, indices: string, body: object): Promise<SearchAnswer> {
  const found = await elastic.request<SearchAnswer>({
    method: 'POST',
    path: `/${indices}/_search`,
    query: { ignore_unavailable: true, allow_partial_search_results: false },
    body: { size: 0, track_total_hits: true, ...body },
  })
  const { timed_out: timedOut, _shards: shards } = found
  if (timedOut || shards.failed > 0)
    throw new ElasticFailure(503, 'shards_failed', 'not every shard could be asked')
  return found
}

export async function indexSizes(elastic: Elastic, names: SlotNames): Promise<readonly IndexSize[]> {
  const query = { format: 'json', bytes: 'b', h: 'index,docs.count,store.size,segments.count' }
  const path = `/_cat/indices/${names.all}`
  const rows = await elastic.request<readonly Record<string, string | null>[]>({ method: 'GET', path, query })
  return rows.flatMap((row) => {
    const index = row['index'] ?? ''
    if (names.parse(index) === null) return []
    const number = (name: string) => Number(row[name] ?? 0)
    return {
      index,
      records: number('docs.count'),
      bytes: number('store.size'),
      segments: number('segments.count'),
    }
  })
}

export interface StatsParts {
  readonly elastic: Elastic
  readonly names: Names
  readonly policies: Policies
  readonly hidden: () => readonly string[]
  readonly purged: () => StoreStats['purged']
}

/** What the store holds; without what has to be purged by now. */
export async function statsOf({ elastic, names, policies, hidden, purged }: StatsParts): Promise<StoreStats> {
  const gone = hidden()
  const query = { bool: { must_not: [{ terms: { _index: gone } }] } }
  const [found, sizes] = await Promise.all([
    count(elastic, names.all, { query, aggs: RANGE }),
    indexSizes(elastic, names),
  ])
  const kept = sizes.filter(({ index }) => !gone.includes(index))
  return {
    records: found.hits.total.value,
    bytesOnDisk: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
    segments: kept.reduce((sum, { segments }) => sum + segments, 0),
    partitions: partitionsOf(kept, names, policies),
    purged: purged(),
    oldestMs: found.aggregations?.min.value ?? null,
    newestMs: found.aggregations?.max.value ?? null,
    setAside: [],
  }
}

/** Sites together; oldest slot first. */
function partitionsOf(sizes: readonly IndexSize[], names: Names, policies: Policies): PartitionStats[] {
  const partitions = new Map<string, PartitionStats>()
  for (const { index, records, bytes, segments } of sizes) {
    const slot = names.parse(index)
    if (slot === null || records === 0) continue
    const key = `${slot.slotMs} ${slot.class}`
    const before = partitions.get(key)
    partitions.set(key, {
      class: slot.class,
      fromMs: slot.slotMs,
      toMs: policies.slotEndMs(slot),
      segments: segments + (before?.segments ?? 0),
      records: records + (before?.records ?? 0),
      bytes: bytes + (before?.bytes ?? 0),
      purgeAtMs: policies.purgeAtMs(slot),
    })
  }
  return [...partitions.values()].sort((left, right) => left.fromMs - right.fromMs)
}
