import { createHash } from 'node:crypto'
import type { BatchKey } from '../../core/ledger/types.ts'
import type { KeptPoint } from '../../core/metrics/kept.ts'
import type { MetricKind, MetricResolution, Series } from '../../core/metrics/types.ts'
import { seriesKey } from '../../core/metrics/wire.ts'
import { attrKey, attrName } from '../store-elastic/documents.ts'
import type { MappingOptions } from '../store-elastic/mappings.ts'

/** Raised with every change of the mapping. Fields may be added; anything else needs another prefix. */
const MAPPING_VERSION = 1
/** Of a digest of 256 bits: enough that no two series or batches of a cluster share one. */
const DIGEST_CHARS = 32
const KEYWORD = { type: 'keyword' }
const NUMBER = { type: 'double' }
const DATE = { type: 'date', format: 'epoch_millis' }

/** A point as Elasticsearch has it. */
export interface PointDocument {
  /** Its start. */
  readonly '@timestamp': number
  readonly site: string
  readonly resolution: MetricResolution
  /** Digest of name, kind and tags. */
  readonly series: string
  readonly name: string
  readonly kind: MetricKind
  readonly tags: Readonly<Record<string, string>>
  readonly step: number
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly last: number
  readonly last_at: number
  /** Base64. */
  readonly sketch?: string
  /** Of a roll-up: raw points in it. */
  readonly points?: number
}

export interface PointOf {
  readonly site: string
  readonly resolution: MetricResolution
  readonly series: Series
  readonly point: KeptPoint
  readonly points?: number
}

/** For every index with points. Refreshes are ordered by the writer. */
export function metricsTemplate(pattern: string, { shards, replicas }: MappingOptions): object {
  return {
    index_patterns: [pattern],
    priority: 500,
    version: MAPPING_VERSION,
    template: {
      settings: {
        number_of_shards: shards,
        number_of_replicas: replicas,
        codec: 'best_compression',
        refresh_interval: '-1',
      },
      mappings: {
        dynamic: false,
        _meta: { noctule: MAPPING_VERSION },
        properties: {
          '@timestamp': DATE,
          last_at: DATE,
          ...Object.fromEntries(
            ['site', 'resolution', 'series', 'name', 'kind'].map((name) => [name, KEYWORD]),
          ),
          ...Object.fromEntries(['count', 'sum', 'min', 'max', 'last'].map((name) => [name, NUMBER])),
          step: { type: 'integer' },
          points: { type: 'long' },
          tags: { type: 'flattened' },
          sketch: { type: 'binary' },
        },
      },
    },
  }
}

/** Id of the document of the point at this place of a batch: the same whenever the batch is sent again. */
export function pointIds({ site, collector, epoch, seq }: BatchKey): (place: number) => string {
  const batch = digest(JSON.stringify([site, collector, epoch, seq]))
  return (place) => `${batch}-${place}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_CHARS)
}

export function documentOf({ site, resolution, series, point, points }: PointOf): PointDocument {
  const { startMs, stepMs, lastMs, sketch, ...values } = point
  return {
    '@timestamp': startMs,
    site,
    resolution,
    series: digest(seriesKey(series)),
    name: series.name,
    kind: series.kind,
    tags: renamed(series.tags, attrKey),
    step: stepMs,
    ...values,
    last_at: lastMs,
    ...(sketch === null ? {} : { sketch: Buffer.from(sketch).toString('base64') }),
    ...(points === undefined ? {} : { points }),
  }
}

export function seriesOf({ name, kind, tags }: Pick<PointDocument, 'name' | 'kind' | 'tags'>): Series {
  return { name, kind, tags: renamed(tags, attrName) }
}

function renamed(tags: Series['tags'], rename: (name: string) => string): Series['tags'] {
  return Object.fromEntries(Object.entries(tags).map(([tag, value]) => [rename(tag), value]))
}

/** What a document was made of. One that was asked for without its sketch has none. */
export function pointOf(document: PointDocument): KeptPoint {
  const { count, sum, min, max, last, sketch } = document
  const times = { startMs: document['@timestamp'], stepMs: document.step, lastMs: document.last_at }
  return {
    ...times,
    count,
    sum,
    min,
    max,
    last,
    sketch: sketch === undefined ? null : Buffer.from(sketch, 'base64'),
  }
}
