import { metricRetentionOf } from '../core/config.ts'
import type { Config } from '../core/config.ts'
import { ServiceError } from '../core/errors.ts'
import { GAPS_LISTED_MAX, moreUseful } from '../core/ledger/judge.ts'
import type { Gap, SiteCompleteness } from '../core/ledger/types.ts'
import { compileTagFilters } from '../core/metrics/match.ts'
import type { MetricAnswer, TagFilter } from '../core/metrics/types.ts'
import type { TimeRange } from '../core/ports.ts'
import { MATCH_ALL } from '../core/query/plan.ts'
import { parseDuration } from '../core/query/time.ts'
import { ofSites, range, resolveRange, timeout } from './questions.ts'
import type { Question } from './questions.ts'
import type { Services } from './services.ts'
import type { StepNeeds } from './step.ts'
import { entriesOf, readTagFilters } from './tag-filters.ts'

/** Parameters of every question about metrics. */
export function metricParameters(defaultTimeoutMs: number) {
  return { ...range, timeout: timeout(defaultTimeoutMs) }
}

/** A question about metrics, read and checked. Its plan says whose ledger is asked. */
export interface MetricQuestion extends Question {
  readonly tags: readonly TagFilter[]
}

interface Asked {
  readonly name?: string | undefined
  readonly tags?: string | readonly string[] | undefined
  readonly sites?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly timeout: number
}

/** `sites` narrows as a filter of the tag `site` does. Throws BAD_REQUEST and UNKNOWN_SITE. */
export function readMetricQuestion(
  ask: Asked,
  { clock, holds }: Pick<Services, 'clock' | 'holds'>,
): MetricQuestion {
  const nowMs = clock.nowMs()
  const entries = entriesOf('tags', ask.tags)
  const named = entriesOf('sites', ask.sites)
  const ofNamed = named.length === 0 ? [] : [{ tag: 'site', values: named, exclude: false }]
  const tags = [...readTagFilters(entries), ...ofNamed]
  ofSites(MATCH_ALL, ask.sites, holds) // Names one that is not held.
  return {
    text: [ask.name ?? '', ...entries].join(' ').trim(),
    plan: ofSites(MATCH_ALL, sitesOf(tags, holds).join(), holds),
    range: resolveRange(ask, nowMs),
    tags,
    timeoutMs: ask.timeout,
    nowMs,
  }
}

/** Only what is missing of these sites is missing from the answer. */
function sitesOf(tags: readonly TagFilter[], holds: readonly string[]): readonly string[] {
  const selects = compileTagFilters(tags.filter(({ tag }) => tag === 'site'))
  const selected = holds.filter((site) => selects({ site }))
  if (selected.length > 0) return selected
  const known = holds.join(', ')
  throw new ServiceError('UNKNOWN_SITE', `tags: no site that is here matches; known: ${known}`, { known })
}

type Settings = Pick<Config, 'metrics' | 'collector'>

export function stepNeeds(config: Settings, nowMs: number): StepNeeds {
  return { nowMs, flushMs: flushMsOf(config), retention: metricRetentionOf(config) }
}

const flushMsOf = ({ collector }: Settings) => parseDuration(collector.statsd.flush)

interface Judging {
  readonly config: Settings
  /** As it was asked: not from the start of a step on. */
  readonly range: TimeRange
  readonly nowMs: number
}

/** Numbers of a flush are on their way for so long: they are taken together, spooled and sent. */
const FLUSH_GRACE_MS = 2_000

/**
 * What is missing from values: what the ledger says, and points that are not kept any more. Metrics are numbered once in a flush, so
 * the newest part of what the ledger covers may still lie in a collector: `completeTo` is the end of the last flush that is certain.
 */
export function missingMetrics(judging: Judging) {
  const toWholeFlush = missingNames(judging)
  const { config, range } = judging
  return (judged: SiteCompleteness, { oldestMs, resolution, damaged }: Kept): SiteCompleteness => {
    const gaps = damaged.map(damageGap)
    // The clock goes on between the question and the look into the store.
    if (oldestMs !== null && oldestMs > range.fromMs + flushMsOf(config)) {
      const remedy = resolution === 'hour' ? '' : '; a wider step may see more'
      const detail = `points this narrow are kept no longer${remedy}`
      gaps.push({ reason: 'purged', fromMs: range.fromMs, toMs: Math.min(oldestMs, range.toMs), detail })
    }
    return toWholeFlush(withGaps(judged, { gaps, fromMs: range.fromMs }))
  }
}

type Kept = Pick<MetricAnswer, 'oldestMs' | 'resolution' | 'damaged'>

function damageGap({ fromMs, toMs }: TimeRange): Gap {
  return {
    reason: 'lost',
    fromMs,
    toMs,
    detail: 'points lost with a damaged file of the metric store, which was put aside',
  }
}

/** Nothing is complete from the start of the first gap on. `fromMs`: the start of the answer. */
function withGaps(
  judged: SiteCompleteness,
  { gaps, fromMs }: { readonly gaps: readonly Gap[]; readonly fromMs: number },
): SiteCompleteness {
  if (gaps.length === 0) return judged
  const toMs = Math.min(judged.completeToMs ?? -Infinity, ...gaps.map((gap) => gap.fromMs))
  return {
    complete: false,
    completeToMs: toMs > fromMs ? toMs : null,
    gaps: [...judged.gaps, ...gaps].toSorted(moreUseful).slice(0, GAPS_LISTED_MAX),
    gapsTotal: judged.gapsTotal + gaps.length,
  }
}

/** What is missing from names and tags: what the ledger says, up to a whole flush. */
export function missingNames({ config, range, nowMs }: Judging) {
  const flushMs = flushMsOf(config)
  return (judged: SiteCompleteness): SiteCompleteness => {
    if (judged.completeToMs === null) return judged
    const certainMs = Math.min(judged.completeToMs, nowMs - FLUSH_GRACE_MS)
    const wholeMs = Math.floor(certainMs / flushMs) * flushMs
    return { ...judged, completeToMs: wholeMs > range.fromMs ? wholeMs : null }
  }
}
