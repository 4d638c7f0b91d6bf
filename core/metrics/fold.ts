import { ServiceError } from '../errors.ts'
import { createSlices } from '../slices.ts'
import { isNewer, keptOf, slotStart, type KeptPoint } from './kept.ts'
import { compileTagFilters } from './match.ts'
import { createSketchSums, type SketchSum, type SketchSums } from './sketch-sums.ts'
import { METRIC_KINDS, METRIC_LINES_MAX } from './types.ts'
import type { MetricAggregate, MetricAnswer, MetricKind, MetricLine, MetricPoint } from './types.ts'
import type { MetricQuery, Series } from './types.ts'
import { compareCodePoints, seriesKey } from './wire.ts'

const PERCENTILES = { p50: 0.5, p75: 0.75, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 } as const

/** Which kind offers which aggregates, and what it is asked for by default. What each means: `aggregateOf` below. */
export const AGGREGATES_OF = {
  /** `rate`: increments a second, of a point that is wider than the step a second of the point; `sum`: all increments; `count`: how often something was added. */
  counter: { default: 'rate', all: ['rate', 'sum', 'count'] },
  /** `sum` adds up over the series, each with its newest value in the step; the others are over all values. */
  gauge: { default: 'avg', all: ['avg', 'min', 'max', 'last', 'sum', 'count'] },
  /** How many different members, of all series together. */
  set: { default: 'count', all: ['count'] },
  /** `rate`: values a second. Percentiles are of all values together, within 1 %. */
  distribution: {
    default: 'p95',
    all: ['rate', 'sum', 'avg', 'min', 'max', 'count', 'last', 'p50', 'p75', 'p90', 'p95', 'p99', 'p999'],
  },
} as const satisfies Record<MetricKind, { default: MetricAggregate; all: readonly MetricAggregate[] }>

/** Numbers of a point; it has a start and a width besides. */
export type PointNumber = 'count' | 'sum' | 'min' | 'max' | 'last' | 'lastMs'

/** What each aggregate is made of; percentiles are of sketches. `sum` of a gauge is of the newest values. */
const NUMBERS_OF: Partial<Record<MetricAggregate, readonly PointNumber[]>> = {
  rate: ['count', 'sum'],
  sum: ['sum', 'last', 'lastMs'],
  avg: ['count', 'sum'],
  min: ['min'],
  max: ['max'],
  count: ['count'],
  last: ['last', 'lastMs'],
}

/** Series that a query may read. */
export const SERIES_PER_QUERY_MAX = 20_000
/** Points that a query may read: some seconds of work. */
const POINTS_PER_QUERY_MAX = 20_000_000
/** Steps of all lines, and with `sum` of gauges of all series. */
const STEPS_PER_QUERY_MAX = 2_000_000

/** Takes the points of one series. */
export interface SeriesFold {
  /** Keeps nothing of the point but its sketch. Points outside of the range are left out; `whole` says that they are taken all the same, as part of a wider one. */
  add(point: KeptPoint, whole?: boolean): void
}

/**
 * What a query means: put all points in, in any order, and the result is the answer. Throws
 * BAD_REQUEST for an aggregate that the kind of the series does not know or series of several kinds, and QUERY_TOO_BROAD.
 */
export interface Fold {
  /** Whether the points of a kind have to come with their sketches. */
  needsSketch(kind: MetricKind): boolean
  /** Whether the answer depends on a number of the points; where not, it may be anything. */
  needsNumber(name: PointNumber): boolean
  /** null: not selected. Called once or more for a series; always the same object then. */
  series(key: string, series: () => Series): SeriesFold | null
  /** For one point at a time. */
  add(point: MetricPoint): void
  /** Lets others work in between. Rejects with the signal's reason. */
  result(signal?: AbortSignal): Promise<Pick<MetricAnswer, 'lines' | 'linesTotal' | 'series' | 'scanned'>>
}

interface Step extends SketchSum {
  readonly startMs: number
  count: number
  sum: number
  /** What `rate` divides by the width of the step. */
  rated: number
  min: number
  max: number
  last: number
  lastMs: number
  /** Of every series of a gauge, by its key. */
  lasts: Map<string, { last: number; lastMs: number }> | null
}

type Width = Pick<MetricQuery, 'stepMs'>

interface Line {
  readonly tags: Readonly<Record<string, string>>
  readonly kind: MetricKind
  readonly steps: Map<number, Step>
}

const QUERY_MAX = {
  series: SERIES_PER_QUERY_MAX,
  points: POINTS_PER_QUERY_MAX,
  steps: STEPS_PER_QUERY_MAX,
}

/** Counts what a query costs, and refuses what is too much. */
function createBudget(max: typeof QUERY_MAX) {
  const spent = { series: 0, points: 0, steps: 0 }
  return {
    spent,
    spend(what: keyof typeof spent) {
      if ((spent[what] += 1) <= max[what]) return
      const message = `the query reads more than ${max[what]} ${what}: ask for fewer series by tags, a shorter range or a wider step`
      throw new ServiceError('QUERY_TOO_BROAD', message, { what, max: max[what] })
    },
  }
}

/** `max` is for tests: the bounds of a query otherwise. */
export function createFold(query: MetricQuery, max: typeof QUERY_MAX = QUERY_MAX): Fold {
  const { range, stepMs, by } = query
  checkQuery(query)
  const selects = compileTagFilters(query.tags)
  const budget = createBudget(max)
  const known = new Map<string, SeriesFold | null>()
  const lines = new Map<string, Line>()
  const needsPercentiles = query.aggregates.some((name) => name in PERCENTILES)
  const needed = new Set(query.aggregates.flatMap((name) => NUMBERS_OF[name] ?? []))
  const sketches = createSketchSums()

  function sketched(kind: MetricKind): 'set' | 'distribution' | null {
    return kind === 'set' || (kind === 'distribution' && needsPercentiles) ? kind : null
  }

  function lineOf({ kind, tags }: Series): Line {
    const values = by.map((tag) => (Object.hasOwn(tags, tag) ? (tags[tag] ?? '') : ''))
    const key = JSON.stringify([kind, ...values])
    const found = lines.get(key)
    if (found !== undefined) return found
    const shown = Object.fromEntries(by.map((tag, at) => [tag, values[at] ?? '']))
    const line: Line = { tags: shown, kind, steps: new Map() }
    lines.set(key, line)
    return line
  }

  function stepOf({ steps, kind }: Line, startMs: number): Step {
    const found = steps.get(startMs)
    if (found !== undefined) return found
    budget.spend('steps')
    const step: Step = {
      startMs,
      count: 0,
      sum: 0,
      rated: 0,
      min: Infinity,
      max: -Infinity,
      last: 0,
      lastMs: -Infinity,
      lasts: kind === 'gauge' && query.aggregates.includes('sum') ? new Map() : null,
      encoded: null,
      open: null,
    }
    steps.set(startMs, step)
    return step
  }

  function createSeries(key: string, series: Series): SeriesFold {
    let line: Line | null = null
    let step: Step | null = null
    const { kind } = series
    const ofSketches = sketched(kind)
    return {
      add(point, whole = false) {
        const { startMs, sketch } = point
        if (!whole && (startMs < range.fromMs || startMs >= range.toMs)) return
        if (line === null) {
          line = lineOf(series)
          budget.spend('series')
        }
        budget.spend('points')
        const stepStartMs = slotStart(startMs, stepMs)
        if (step?.startMs !== stepStartMs) step = stepOf(line, stepStartMs)
        addPoint(step, point, { kind, stepMs })
        if (sketch !== null && ofSketches !== null) sketches.add(step, sketch, ofSketches)
        if (step.lasts !== null && addLast(step.lasts, key, point)) budget.spend('steps')
      },
    }
  }

  function series(key: string, make: () => Series): SeriesFold | null {
    const found = known.get(key)
    if (found !== undefined) return found
    const made = make()
    const isKind = query.kind === undefined || made.kind === query.kind
    const selected = isKind && made.name === query.name && selects(made.tags)
    const fold = selected ? createSeries(key, made) : null
    known.set(key, fold)
    return fold
  }

  return {
    needsSketch: (kind) => sketched(kind) !== null,
    needsNumber: (name) => needed.has(name),
    series,
    add: (point) => series(seriesKey(point.series), () => point.series)?.add(keptOf(point)),
    async result(signal) {
      const pause = createSlices(signal)
      const found = [...lines.values()]
      checkKinds(query, new Set(found.map(({ kind }) => kind)))
      const { series: seriesRead, points } = budget.spent
      const sorted = found.toSorted((one, other) => compareTags(by, one, other)).slice(0, METRIC_LINES_MAX)
      const shown: MetricLine[] = []
      for (const line of sorted) shown.push(await answerOf(line, query, { sketches, pause }))
      return { lines: shown, linesTotal: found.length, series: seriesRead, scanned: points }
    },
  }
}

function addPoint(step: Step, point: KeptPoint, { kind, stepMs }: Pick<Line, 'kind'> & Width): void {
  const { count, sum, min, max, last, lastMs } = point
  step.count += count
  step.sum += sum
  const total = kind === 'counter' ? sum : count
  step.rated += point.stepMs > stepMs ? (total * stepMs) / point.stepMs : total
  if (min < step.min) step.min = min
  if (max > step.max) step.max = max
  if (isNewer(lastMs, last, step.lastMs, step.last)) {
    step.last = last
    step.lastMs = lastMs
  }
}

/** Whether it is the first of this series. */
function addLast(lasts: NonNullable<Step['lasts']>, key: string, { last, lastMs }: KeptPoint): boolean {
  const before = lasts.get(key)
  if (before === undefined || isNewer(lastMs, last, before.lastMs, before.last))
    lasts.set(key, { last, lastMs })
  return before === undefined
}

function compareTags(by: readonly string[], one: Line, other: Line): number {
  for (const tag of by) {
    const order = compareCodePoints(one.tags[tag] ?? '', other.tags[tag] ?? '')
    if (order !== 0) return order
  }
  return 0
}

interface Finishing {
  readonly sketches: SketchSums
  readonly pause: () => Promise<void> | undefined
}

/** Steps that are finished between two looks at the clock. */
const STEPS_AT_ONCE = 256

async function answerOf(
  { tags, kind, steps }: Line,
  { aggregates, stepMs }: MetricQuery,
  { sketches, pause }: Finishing,
): Promise<MetricLine> {
  const inOrder = [...steps.values()].sort((one, other) => one.startMs - other.startMs)
  const shown: MetricLine['steps'][number][] = []
  for (const step of inOrder) {
    if (shown.length % STEPS_AT_ONCE === 0) await pause()
    const values = aggregates.map((name) => aggregateOf(name, step, { kind, stepMs, sketches }))
    shown.push({ startMs: step.startMs, values })
  }
  return { tags, kind, steps: shown }
}

function aggregateOf(
  name: MetricAggregate,
  step: Step,
  { kind, stepMs, sketches }: Pick<Line, 'kind'> & Width & Pick<Finishing, 'sketches'>,
): number | null {
  const { count, sum, rated, min, max, last, lasts } = step
  switch (name) {
    case 'count':
      return kind === 'set' ? sketches.estimate(step) : count
    case 'sum':
      return lasts === null ? sum : [...lasts.values()].reduce((total, one) => total + one.last, 0)
    // Of the whole step, also where the range cuts it: the same step has the same rate in every question.
    case 'rate':
      return rated / (stepMs / 1_000)
    case 'avg':
      return count > 0 ? sum / count : null
    case 'min':
      return min
    case 'max':
      return max
    case 'last':
      return last
    case 'p50':
    case 'p75':
    case 'p90':
    case 'p95':
    case 'p99':
    case 'p999':
      return sketches.quantile(step, PERCENTILES[name])
  }
}

function badRequest(message: string, details: Record<string, string>): ServiceError {
  return new ServiceError('BAD_REQUEST', message, details)
}

function checkQuery(query: MetricQuery): void {
  const { stepMs, aggregates, kind } = query
  if (!Number.isSafeInteger(stepMs) || stepMs <= 0) throw badRequest('the step is no whole number of ms', {})
  if (aggregates.length === 0) throw badRequest('no aggregate is asked for', {})
  if (kind !== undefined) checkAggregates(kind, aggregates)
}

function checkKinds({ name, aggregates }: MetricQuery, kinds: ReadonlySet<MetricKind>): void {
  const found = METRIC_KINDS.filter((kind) => kinds.has(kind))
  if (found.length > 1) {
    const message = `${JSON.stringify(name)} is the name of series of several kinds: ask for one of ${found.join(', ')}`
    throw badRequest(message, { name, kinds: found.join() })
  }
  for (const kind of found) checkAggregates(kind, aggregates)
}

function checkAggregates(kind: MetricKind, aggregates: readonly MetricAggregate[]): void {
  const known: readonly MetricAggregate[] = AGGREGATES_OF[kind].all
  const unknown = aggregates.find((name) => !known.includes(name))
  if (unknown === undefined) return
  const message = `a ${kind} has no ${unknown}: ask for one of ${known.join(', ')}`
  throw badRequest(message, { kind, aggregate: unknown, known: known.join() })
}
