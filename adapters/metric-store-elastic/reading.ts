import { ServiceError } from '../../core/errors.ts'
import { isNameFor } from '../../core/metrics/discovery.ts'
import type { TagFilter } from '../../core/metrics/types.ts'
import type { MetricKind, MetricName, MetricSelection, Series } from '../../core/metrics/types.ts'
import { SERIES_PER_QUERY_MAX } from '../../core/metrics/fold.ts'
import { compareCodePoints } from '../../core/metrics/wire.ts'
import type { Portion } from '../../core/metrics/resolutions.ts'
import { atOneMoment } from '../store-elastic/ask.ts'
import type { Ask } from '../store-elastic/ask.ts'
import { attrKey } from '../store-elastic/documents.ts'
import type { Elastic } from '../store-elastic/elastic.ts'
import { seriesOf } from './documents.ts'
import type { PointDocument } from './documents.ts'

/** Elasticsearch gives no more in one answer. */
const PAGE_DOCUMENTS = 10_000

/** A part of a question: points of one width; of some sites, or of all but some. */
export interface SitePortion extends Portion {
  readonly sites: { readonly only: readonly string[] } | { readonly but: readonly string[] }
}

export interface Reading {
  readonly elastic: Elastic
  /** Pattern of the indices with points. */
  readonly indices: string
  readonly signal: AbortSignal
}

type Dsl = object

function portionDsl({ resolution, range, sites }: SitePortion): Dsl {
  const { fromMs, toMs } = range
  const time = { range: { '@timestamp': { gte: fromMs, lt: toMs, format: 'epoch_millis' } } }
  const filter: Dsl[] = [{ term: { resolution } }, time]
  if ('only' in sites) return { bool: { filter: [...filter, { terms: { site: sites.only } }] } }
  return { bool: { filter, must_not: [{ terms: { site: sites.but } }] } }
}

/** Finds at least the points of the selection: what wildcards and exclusions mean is decided by who reads them. */
function selectionDsl({ name, kind, tags }: Omit<MetricSelection, 'range'>): Dsl[] {
  const its = kind === undefined ? [] : [{ term: { kind } }]
  return [{ term: { name } }, ...its, ...tags.flatMap(tagDsl)]
}

function tagDsl({ tag, values, exclude }: TagFilter): Dsl[] {
  if (exclude || values.some((value) => value === '' || /[*?]/.test(value))) return []
  return [{ terms: { [`tags.${attrKey(tag)}`]: values } }]
}

function within(portions: readonly SitePortion[], filter: readonly Dsl[]): Dsl {
  return { bool: { filter, should: portions.map(portionDsl), minimum_should_match: 1 } }
}

export interface PointsAsked {
  readonly selection: Omit<MetricSelection, 'range'>
  readonly portions: readonly SitePortion[]
  readonly sketches: boolean
}

/** Gives every point of the portions to `take`, in any order, all as of one moment. */
export async function readPoints(
  { elastic, indices, signal }: Reading,
  { selection, portions, sketches }: PointsAsked,
  take: (document: PointDocument) => void,
): Promise<void> {
  if (portions.length === 0) return
  await eachDocument({ elastic, indices, signal }, take, {
    query: within(portions, selectionDsl(selection)),
    _source: sketches ? true : { excludes: ['sketch'] },
  })
}

/** Gives every point of the portions, whatever it is of, to `take`. */
export async function readPortions(
  reading: Reading,
  portions: readonly SitePortion[],
  take: (document: PointDocument) => void,
): Promise<void> {
  await eachDocument(reading, take, { query: within(portions, []) })
}

/** Start of the oldest point of a portion; null: there is none. */
export async function firstStart(
  { elastic, indices, signal }: Reading,
  portion: SitePortion,
): Promise<number | null> {
  const body = { size: 1, sort: ['@timestamp'], _source: ['@timestamp'], query: within([portion], []) }
  const { hits } = await atOneMoment({ elastic, logs: indices, signal }, (ask) => ask(body))
  const [source] = hits.map(({ _source: found }) => found as unknown as PointDocument)
  return source?.['@timestamp'] ?? null
}

async function eachDocument(
  { elastic, indices, signal }: Reading,
  take: (document: PointDocument) => void,
  body: object,
): Promise<void> {
  await atOneMoment({ elastic, logs: indices, signal }, async (ask) => {
    let after: readonly unknown[] | undefined
    do {
      const { hits } = await page(ask, body, after)
      for (const { _source: source } of hits) take(source as unknown as PointDocument)
      after = hits.length < PAGE_DOCUMENTS ? undefined : hits.at(-1)?.sort
    } while (after !== undefined)
  })
}

function page(ask: Ask, body: object, after: readonly unknown[] | undefined) {
  const next = after === undefined ? {} : { search_after: after }
  return ask({
    size: PAGE_DOCUMENTS,
    sort: [{ _shard_doc: 'asc' }],
    track_total_hits: false,
    ...body,
    ...next,
  })
}

/** The different series of a selection. Throws QUERY_TOO_BROAD. */
export async function readSeries(
  { elastic, indices, signal }: Reading,
  selection: Omit<MetricSelection, 'range'>,
  portions: readonly SitePortion[],
): Promise<readonly Series[]> {
  if (portions.length === 0) return []
  const query = within(portions, selectionDsl(selection))
  const body = {
    query,
    collapse: { field: 'series' },
    sort: [{ series: 'asc' }],
    _source: ['name', 'kind', 'tags'],
  }
  const found: Series[] = []
  await atOneMoment({ elastic, logs: indices, signal }, async (ask) => {
    let after: readonly unknown[] | undefined
    do {
      const { hits } = await page(ask, body, after)
      found.push(...hits.map(({ _source: source }) => seriesOf(source as unknown as PointDocument)))
      if (found.length > SERIES_PER_QUERY_MAX) throw tooMany()
      after = hits.length < PAGE_DOCUMENTS ? undefined : hits.at(-1)?.sort
    } while (after !== undefined)
  })
  return found
}

function tooMany(): ServiceError {
  const max = SERIES_PER_QUERY_MAX
  const message = `the question means more than ${max} series: ask for fewer by tags or a shorter range`
  return new ServiceError('QUERY_TOO_BROAD', message, { what: 'series', max })
}

interface NameBuckets {
  readonly after_key?: object
  readonly buckets: readonly {
    readonly key: { readonly name: string; readonly kind: MetricKind }
    readonly series: { readonly value: number }
  }[]
}

/** Numbers of series are exact up to here, and within some percent beyond. */
const SERIES_EXACT_MAX = 40_000

export async function readNames(
  { elastic, indices, signal }: Reading,
  { prefix, limit }: { readonly prefix: string; readonly limit: number },
  portions: readonly SitePortion[],
): Promise<{ readonly names: readonly MetricName[]; readonly total: number }> {
  const found: MetricName[] = []
  if (portions.length === 0) return { names: [], total: 0 }
  await atOneMoment({ elastic, logs: indices, signal }, async (ask) => {
    let after: object | undefined
    do {
      const sources = [{ name: { terms: { field: 'name' } } }, { kind: { terms: { field: 'kind' } } }]
      const composite = { size: PAGE_DOCUMENTS, sources, ...(after === undefined ? {} : { after }) }
      const series = { cardinality: { field: 'series', precision_threshold: SERIES_EXACT_MAX } }
      const { aggregations } = await ask({
        size: 0,
        query: within(portions, []),
        aggs: { names: { composite, aggs: { series } } },
      })
      // Without any index there is nothing that was added up.
      const { buckets, after_key: next } = (aggregations['names'] ?? { buckets: [] }) as NameBuckets
      for (const { key, series: count } of buckets) {
        if (isNameFor(key.name, prefix)) found.push({ ...key, series: count.value })
      }
      after = buckets.length < PAGE_DOCUMENTS ? undefined : next
    } while (after !== undefined)
  })
  const names = found.toSorted(
    (one, other) => compareCodePoints(one.name, other.name) || compareCodePoints(one.kind, other.kind),
  )
  return { names: names.slice(0, limit), total: names.length }
}
