import { METRIC_RESOLUTIONS } from '../../core/metrics/types.ts'
import type { MetricResolution, MetricStoreStats } from '../../core/metrics/types.ts'
import { indexSizes } from '../store-elastic/stats.ts'
import type { Elastic } from '../store-elastic/elastic.ts'
import type { SlotNames } from '../store-elastic/names.ts'

const DAY_MS = 86_400_000
/** Elasticsearch counts exactly up to here. */
const SERIES_EXACT_MAX = 40_000

interface Answer {
  readonly aggregations?: {
    readonly today: { readonly series: { readonly value: number } }
    readonly resolutions: {
      readonly buckets: readonly {
        readonly key: MetricResolution
        readonly doc_count: number
        readonly oldest: { readonly value: number | null }
      }[]
    }
  }
}

export async function metricStats(asked: {
  readonly elastic: Elastic
  readonly names: SlotNames
  readonly nowMs: number
}): Promise<Pick<MetricStoreStats, 'series' | 'bytesOnDisk' | 'resolutions'>> {
  const { elastic, names, nowMs } = asked
  const today = {
    range: { '@timestamp': { gte: Math.floor(nowMs / DAY_MS) * DAY_MS, format: 'epoch_millis' } },
  }
  const series = { cardinality: { field: 'series', precision_threshold: SERIES_EXACT_MAX } }
  const body = {
    size: 0,
    aggs: {
      today: { filter: today, aggs: { series } },
      resolutions: {
        terms: { field: 'resolution', size: METRIC_RESOLUTIONS.length },
        aggs: { oldest: { min: { field: '@timestamp' } } },
      },
    },
  }
  const path = `/${encodeURIComponent(names.all)}/_search`
  const query = { allow_partial_search_results: false }
  const [{ aggregations }, sizes] = await Promise.all([
    elastic.request<Answer>({ method: 'POST', path, query, body }),
    indexSizes(elastic, names),
  ])
  const of = (resolution: MetricResolution) => {
    const found = aggregations?.resolutions.buckets.find(({ key }) => key === resolution)
    return { points: found?.doc_count ?? 0, oldestMs: found?.oldest.value ?? null }
  }
  return {
    series: aggregations?.today.series.value ?? 0,
    bytesOnDisk: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
    resolutions: { raw: of('raw'), minute: of('minute'), hour: of('hour') },
  }
}
