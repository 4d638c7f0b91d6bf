import { ServiceError } from '../core/errors.ts'
import { AGGREGATES_OF } from '../core/metrics/fold.ts'
import { METRIC_AGGREGATES } from '../core/metrics/types.ts'
import type { MetricAggregate, MetricAnswer, MetricKind, MetricQuery } from '../core/metrics/types.ts'
import type { MetricStore } from '../core/ports.ts'
import { lostOf, lostQuery } from './lost.ts'
import type { Lost } from './lost.ts'
import { nearNames } from './near-names.ts'
import { assertValues } from './step.ts'
import { entriesOf } from './tag-filters.ts'

/** More lines than tags can name apart. */
const BY_MAX = 4
const NEAR_NAMES_MAX = 5
/** So many names are looked through for those that are meant. */
const NAMES_COMPARED_MAX = 10_000

/** An answer of the store, and what a person needs to judge it. */
export interface Values extends MetricAnswer {
  readonly aggregates: readonly MetricAggregate[]
  readonly lost: Lost
  readonly hint: { readonly detail: string; readonly names: readonly string[] } | null
}

/** `aggregates` null: what suits the kind. */
type ValuesAsked = Omit<MetricQuery, 'aggregates'> & {
  readonly aggregates: readonly MetricAggregate[] | null
}

/** The values, the losses of the same range, and why there are none. Throws BAD_REQUEST for an aggregate that the kind does not know. */
export async function readValues(
  store: MetricStore,
  asked: ValuesAsked,
  signal: AbortSignal,
): Promise<Values> {
  const { name, kind, tags, range, by, stepMs } = asked
  const aggregates = asked.aggregates ?? [AGGREGATES_OF[kind ?? (await kindOf(store, asked, signal))].default]
  const [answer, lost] = await Promise.all([
    store.query({ name, kind, tags, range, by, stepMs, aggregates }, signal),
    store.query(lostQuery({ range, stepMs, tags }), signal),
  ])
  assertValues(answer, { range, aggregates: aggregates.length })
  const hint = answer.linesTotal > 0 ? null : await hintFor(store, asked, signal)
  return { ...answer, aggregates, lost: lostOf(lost), hint }
}

type Named = Pick<ValuesAsked, 'name' | 'range'>

/** The kind that series of this name have; throws BAD_REQUEST when they have several. Of a name that is unknown any will do. */
async function kindOf(store: MetricStore, named: Named, signal: AbortSignal): Promise<MetricKind> {
  const kinds = await kindsOf(store, named, signal)
  if (kinds.length <= 1) return kinds[0] ?? 'counter'
  const message = `kind: ${named.name} is the name of several kinds; ask for one of ${kinds.join(', ')}`
  throw new ServiceError('BAD_REQUEST', message, { kinds: kinds.join() })
}

async function kindsOf(store: MetricStore, { name, range }: Named, signal: AbortSignal) {
  const { names } = await store.names({ prefix: name, range, limit: NAMES_COMPARED_MAX }, signal)
  return names.filter((found) => found.name === name).map((found) => found.kind)
}

async function hintFor(store: MetricStore, asked: ValuesAsked, signal: AbortSignal): Promise<Values['hint']> {
  const { name, kind, range } = asked
  const kinds = await kindsOf(store, asked, signal)
  if (kinds.length > 0) {
    const detail =
      kind === undefined || kinds.includes(kind)
        ? 'the metric has values in the range, but no series with these tags'
        : `the metric is a ${kinds.join(' and a ')}, not a ${kind}`
    return { detail, names: [] }
  }
  const { names } = await store.names({ prefix: '', range, limit: NAMES_COMPARED_MAX }, signal)
  const near = nearNames(name, [...new Set(names.map((found) => found.name))], NEAR_NAMES_MAX)
  const detail =
    names.length === 0
      ? 'no metric at all has values in the range'
      : 'no metric of this name has values in the range'
  return { detail, names: near }
}

/** Throws BAD_REQUEST for more tags than it may have. */
export function readBy(given: string | readonly string[] | undefined): readonly string[] {
  const by = entriesOf('by', given)
  if (by.length > BY_MAX)
    throw new ServiceError('BAD_REQUEST', `by: at most ${BY_MAX} tags`, { tags: by.length })
  return by
}

/** null: none is named. Throws BAD_REQUEST for one that does not exist. */
export function readAggregates(
  given: string | readonly string[] | undefined,
): readonly MetricAggregate[] | null {
  const names = entriesOf('agg', given)
  const known = names.filter((name): name is MetricAggregate =>
    (METRIC_AGGREGATES as readonly string[]).includes(name),
  )
  const unknown = names.find((name) => !(known as readonly string[]).includes(name))
  if (unknown !== undefined) {
    const message = `agg: "${unknown}" is none of ${METRIC_AGGREGATES.join(', ')}`
    throw new ServiceError('BAD_REQUEST', message, { aggregate: unknown })
  }
  return known.length === 0 ? null : known
}
