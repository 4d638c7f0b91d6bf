import type { ApiLost, ApiMetricLine, MetricStep } from '../../dashboards/src/api/metrics.ts'

const STEP_MS = 10_000
const VALUES_MAX = 50

/** One scripted series: its value at a time, or null where it has none. */
export interface FakeSeries {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'set' | 'distribution'
  readonly tags: Readonly<Record<string, string>>
  readonly valueAt: (timeMs: number, aggregate: string) => number | null
}

const DEFAULTS = { counter: 'rate', gauge: 'avg', set: 'count', distribution: 'p95' } as const
const FACTORS: Readonly<Record<string, number>> = {
  p50: 0.4,
  p75: 0.6,
  p90: 0.9,
  p95: 1,
  p99: 1.7,
  p999: 2.4,
}

/** A number between 0 and 1 that is always the same for the same text and time. */
function noise(text: string, at: number): number {
  let hash = at
  for (const char of text) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) | 0
  const wave = Math.sin(hash * 12.9898) * 43_758.5453
  return wave - Math.floor(wave)
}

/** A shop on a few hosts: requests, latencies, queues, and what the hosts say of themselves. */
export function sampleSeries(): FakeSeries[] {
  const hosts = ['web-1', 'web-2', 'web-3', 'db-1']
  return hosts.flatMap((host, at): FakeSeries[] => {
    const tags = { env: 'prod', host, site: 'eu-west' }
    const wave = (timeMs: number, periodMs: number) => 1 + Math.sin(timeMs / periodMs + at) / 3
    const steady = (level: number, periodMs: number, jitter: number) => (timeMs: number) =>
      level * wave(timeMs, periodMs) * (1 + jitter * (noise(host, Math.floor(timeMs / STEP_MS)) - 0.5))
    const latency = steady(120 + 30 * at, 700_000, 0.5)
    return [
      { name: 'shop.requests', kind: 'counter', tags, valueAt: steady(240 - 40 * at, 900_000, 0.2) },
      {
        name: 'shop.request_ms',
        kind: 'distribution',
        tags,
        valueAt: (timeMs, aggregate) => latency(timeMs) * (FACTORS[aggregate] ?? 1),
      },
      { name: 'shop.queue.depth', kind: 'gauge', tags, valueAt: steady(40, 500_000, 0.8) },
      {
        name: 'host.cpu.busy',
        kind: 'gauge',
        tags: { host, site: 'eu-west' },
        valueAt: steady(0.35, 800_000, 0.4),
      },
      {
        name: 'host.memory.used_share',
        kind: 'gauge',
        tags: { host, site: 'eu-west' },
        valueAt: steady(0.6, 3_000_000, 0.02),
      },
      {
        name: 'host.network.received_bytes_per_s',
        kind: 'gauge',
        tags: { host, site: 'eu-west' },
        valueAt: steady(3_400_000, 600_000, 0.5),
      },
    ]
  })
}

/** `env:prod`, `!host:web-1`; entries of one tag are alternatives. */
function passes({ tags }: FakeSeries, filters: readonly string[]): boolean {
  return filters.every((filter) => {
    const [, not = '', tag = '', value = ''] = /^(!?)([^:]+):(.*)$/.exec(filter) ?? []
    const pattern = value.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
    return new RegExp(`^${pattern}$`).test(tags[tag] ?? '') === (not === '')
  })
}

function stepOf(lengthMs: number): number {
  const steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400].map((s) => s * 1000)
  return steps.find((step) => step >= STEP_MS && lengthMs / step <= 400) ?? 86_400_000
}

/** The answer of /v1/metrics/query but its meta. */
export function metricValues(
  series: readonly FakeSeries[],
  asked: URLSearchParams,
  facts: { fromMs: number; toMs: number; lost: ApiLost },
): object {
  const chosen = series
    .filter(({ name }) => name === asked.get('name'))
    .filter((one) => passes(one, asked.getAll('tags')))
  const by = (asked.get('by') ?? '').split(',').filter((tag) => tag !== '')
  const kind = chosen[0]?.kind ?? 'counter'
  const aggregates = (asked.get('agg') ?? DEFAULTS[kind]).split(',')
  const stepMs = stepOf(facts.toMs - facts.fromMs)
  const groups = Map.groupBy(chosen, ({ tags }) => JSON.stringify(by.map((tag) => tags[tag] ?? '')))
  const lines = [...groups.values()].map((members): ApiMetricLine => {
    const tags = Object.fromEntries(by.map((tag) => [tag, members[0]?.tags[tag] ?? '']))
    return { tags, kind, points: points(members, { ...facts, stepMs, aggregates }) }
  })
  const found = lines.filter((line) => line.points.length > 0)
  const hint = { detail: 'no metric of this name has values in the range', names: ['shop.requests'] }
  return {
    lines: found,
    linesTotal: found.length,
    step: stepMs,
    resolution: 'raw',
    aggregates,
    lost: facts.lost,
    ...(found.length === 0 && { hint }),
  }
}

function points(
  members: readonly FakeSeries[],
  facts: { fromMs: number; toMs: number; stepMs: number; aggregates: readonly string[] },
): readonly MetricStep[] {
  const { fromMs, toMs, stepMs, aggregates } = facts
  const out: MetricStep[] = []
  for (let startMs = Math.ceil(fromMs / stepMs) * stepMs; startMs < toMs; startMs += stepMs) {
    const values = aggregates.map((aggregate) => {
      const known = members.map((one) => one.valueAt(startMs, aggregate)).filter((value) => value !== null)
      const sum = known.reduce((total, value) => total + value, 0)
      return known.length === 0 ? null : ['rate', 'sum'].includes(aggregate) ? sum : sum / known.length
    })
    if (values.some((value) => value !== null)) out.push([startMs, ...values])
  }
  return out
}

export function metricNames(series: readonly FakeSeries[], asked: URLSearchParams): object {
  const prefix = asked.get('prefix') ?? ''
  const fitting = series.filter(({ name }) => name.startsWith(prefix) || name.includes(`.${prefix}`))
  const groups = Map.groupBy(fitting, ({ name, kind }) => `${name} ${kind}`)
  const names = [...groups.values()]
    .map((members) => ({
      name: members[0]?.name ?? '',
      kind: members[0]?.kind ?? '',
      series: members.length,
    }))
    .toSorted((one, other) => one.name.localeCompare(other.name))
  return { names: names.slice(0, Number(asked.get('limit') ?? 100)), total: names.length }
}

export function metricTags(series: readonly FakeSeries[], asked: URLSearchParams): object {
  const chosen = series.filter(({ name }) => name === asked.get('name'))
  const known = [...new Set(chosen.flatMap(({ tags }) => Object.keys(tags)))].toSorted()
  const tags = known.map((tag) => {
    const groups = Map.groupBy(chosen, (one) => one.tags[tag] ?? '')
    const values = [...groups].map(([value, members]) => ({ value, series: members.length }))
    return { tag, values: values.slice(0, VALUES_MAX), valuesTotal: values.length }
  })
  return { tags, series: chosen.length }
}
