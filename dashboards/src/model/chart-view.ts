import type { MetricAsk } from '../api/metrics.ts'
import { shellWord } from './share.ts'
import { parseRange, rangeParameters, type TimeRange } from './time-range.ts'

/** Everything about a chart that a link carries. */
export interface ChartView {
  readonly name: string
  /** '': any. */
  readonly kind: string
  /** `env:prod`, `!host:web-1` */
  readonly tags: readonly string[]
  readonly by: readonly string[]
  /** Empty: what suits the metric. */
  readonly agg: readonly string[]
  readonly range: TimeRange
  /** Renewed so often; 0: not at all. */
  readonly everyS: number
  readonly area: boolean
}

/** Seconds between two renewals that a person can choose. */
export const RENEWALS_S = [1, 2, 5, 10] as const
const DEFAULT_RANGE: TimeRange = { kind: 'relative', length: '1h' }
const DEFAULT_EVERY_S = 10

/** Range and renewal, as charts, boards and their links write them. */
function parseLook(given: URLSearchParams): Pick<ChartView, 'range' | 'everyS'> {
  const range = parseRange(given.get('from'), given.get('to')) ?? DEFAULT_RANGE
  const asked = given.has('live') ? Number(given.get('live')) : DEFAULT_EVERY_S
  const everyS = RENEWALS_S.find((every) => every === asked) ?? 0
  // A fixed range does not change, except by what comes late: Run asks again.
  return { range, everyS: range.kind === 'relative' ? everyS : 0 }
}

function writeLook(out: URLSearchParams, { range, everyS }: Pick<ChartView, 'range' | 'everyS'>): void {
  const { from, to } = rangeParameters(range)
  out.set('from', from)
  if (range.kind === 'absolute') out.set('to', to)
  else if (everyS !== DEFAULT_EVERY_S) out.set('live', String(everyS))
}

/** Reads a query string; what is missing or wrong becomes its default. */
export function parseChartView(queryString: string): ChartView {
  const given = new URLSearchParams(queryString)
  return {
    name: given.get('name') ?? '',
    kind: given.get('kind') ?? '',
    tags: given.getAll('tags').filter((tag) => tag !== ''),
    by: listOf(given.get('by')),
    agg: listOf(given.get('agg')),
    area: given.get('shape') === 'area',
    ...parseLook(given),
  }
}

const listOf = (text: string | null) => (text ?? '').split(',').filter((word) => word !== '')

/** The query string of a view, '?' included; parseChartView() of it is the view. */
export function formatChartView(view: ChartView): string {
  const { name, kind, tags, by, agg, area } = view
  const out = new URLSearchParams()
  if (name !== '') out.set('name', name)
  if (kind !== '') out.set('kind', kind)
  for (const tag of tags) out.append('tags', tag)
  if (by.length > 0) out.set('by', by.join(','))
  if (agg.length > 0) out.set('agg', agg.join(','))
  writeLook(out, view)
  if (area) out.set('shape', 'area')
  return `?${out}`
}

export function askOf(view: Pick<ChartView, 'name' | 'kind' | 'tags' | 'by' | 'agg' | 'range'>): MetricAsk {
  const { name, kind, tags, by, agg, range } = view
  return { name, kind, tags, by, agg, ...rangeParameters(range) }
}

/** The same question for the command line. */
export function chartCommand({ name, kind, tags, by, agg, from, to }: MetricAsk): string {
  const options = [
    ...(kind === '' ? [] : [`--kind ${shellWord(kind)}`]),
    ...tags.map((tag) => `--tag ${shellWord(tag)}`),
    ...(by.length > 0 ? [`--by ${shellWord(by.join(','))}`] : []),
    ...(agg.length > 0 ? [`--agg ${shellWord(agg.join(','))}`] : []),
    `--from ${shellWord(from)}`,
    `--to ${shellWord(to)}`,
  ]
  // What starts with a minus would be read as an option.
  return `noctule metrics ${options.join(' ')} ${name.startsWith('-') ? '-- ' : ''}${shellWord(name)}`
}

/** The same question for the API, without a secret in it: the token stands in a variable. */
export function chartApiCall({ name, kind, tags, by, agg, from, to }: MetricAsk, origin: string): string {
  const asked = [
    `name=${name}`,
    ...(kind === '' ? [] : [`kind=${kind}`]),
    ...tags.map((tag) => `tags=${tag}`),
    ...(by.length > 0 ? [`by=${by.join(',')}`] : []),
    ...(agg.length > 0 ? [`agg=${agg.join(',')}`] : []),
    `from=${from}`,
    `to=${to}`,
  ]
  return [
    `curl -sS --get ${shellWord(`${origin}/v1/metrics/query`)}`,
    '-H "authorization: Bearer $NOCTULE_TOKEN"',
    ...asked.map((part) => `--data-urlencode ${shellWord(part)}`),
  ].join(' \\\n  ')
}

/** What may be asked of each kind, the most telling first. */
const AGGREGATES: Readonly<Record<string, readonly string[]>> = {
  counter: ['rate', 'sum', 'count'],
  gauge: ['avg', 'last', 'min', 'max', 'sum', 'count'],
  set: ['count'],
  distribution: [
    'p50',
    'p75',
    'p90',
    'p95',
    'p99',
    'p999',
    'avg',
    'min',
    'max',
    'last',
    'rate',
    'count',
    'sum',
  ],
}

export function aggregatesOf(kind: string | undefined): readonly string[] {
  return AGGREGATES[kind ?? ''] ?? []
}

/** The filter that a person wrote, or null: `tag:value`, with `!` in front to exclude. */
export function readFilter(text: string): string | null {
  const filter = text.trim()
  return /^!?[^:!][^:]*:/u.test(filter) ? filter : null
}

/** What the charts of a board share. */
export type BoardView = Pick<ChartView, 'range' | 'everyS'>

export function parseBoardView(queryString: string): BoardView {
  return parseLook(new URLSearchParams(queryString))
}

export function formatBoardView(view: BoardView): string {
  const out = new URLSearchParams()
  writeLook(out, view)
  return `?${out}`
}
