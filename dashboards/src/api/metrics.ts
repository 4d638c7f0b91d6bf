import { call, parameters, type AnswerMeta } from '../api.ts'

/** What is asked of one metric; lists in the words of the API: `env:prod`, `!host:web-1`. */
export interface MetricAsk {
  readonly name: string
  /** '': any; needed when a name has several. */
  readonly kind: string
  readonly tags: readonly string[]
  readonly by: readonly string[]
  /** Empty: what suits the kind of the metric. */
  readonly agg: readonly string[]
  readonly from: string
  readonly to: string
}

/** [start in ms since 1970, a value for each aggregate]; steps without a point are left out. */
export type MetricStep = readonly [number, ...(number | null)[]]

export interface ApiMetricLine {
  readonly tags: Readonly<Record<string, string>>
  readonly kind: string
  readonly points: readonly MetricStep[]
}

export interface ApiLost {
  readonly total: number
  readonly byReason: Readonly<Record<string, number>>
  readonly byHost?: Readonly<Record<string, number>>
}

export interface MetricsAnswer {
  readonly lines: readonly ApiMetricLine[]
  readonly linesTotal: number
  /** ms */
  readonly step: number
  readonly resolution: string
  readonly aggregates: readonly string[]
  /** At least so many were lost on their way to the collectors. */
  readonly lost: ApiLost
  /** Why there is no line. */
  readonly hint?: { readonly detail: string; readonly names: readonly string[] }
  readonly meta: AnswerMeta
}

export interface ApiMetricName {
  readonly name: string
  readonly kind: string
  readonly series: number
}

export interface ApiMetricTag {
  readonly tag: string
  readonly values: readonly { readonly value: string; readonly series: number }[]
  readonly valuesTotal: number
}

export function queryMetrics({ kind, tags, by, agg, ...ask }: MetricAsk, signal: AbortSignal) {
  const lists = {
    ...(kind !== '' && { kind }),
    ...(by.length > 0 && { by: by.join(',') }),
    ...(agg.length > 0 && { agg: agg.join(',') }),
  }
  return call<MetricsAnswer>('GET', `/v1/metrics/query?${parameters({ ...ask, tags, ...lists })}`, { signal })
}

export function metricNames(
  ask: { prefix: string; from: string; to: string; limit: number },
  signal: AbortSignal,
) {
  return call<{ names: readonly ApiMetricName[]; total: number }>(
    'GET',
    `/v1/metrics/names?${parameters(ask)}`,
    { signal },
  )
}

export function metricTags(
  ask: { name: string; tags: readonly string[]; from: string; to: string; limit: number },
  signal: AbortSignal,
) {
  return call<{ tags: readonly ApiMetricTag[]; series: number }>(
    'GET',
    `/v1/metrics/tags?${parameters(ask)}`,
    { signal },
  )
}
