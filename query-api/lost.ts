import { LOST_METRIC, STAMPED_TAGS } from '../core/metrics/types.ts'
import type { MetricAnswer, MetricQuery, TagFilter } from '../core/metrics/types.ts'
import type { TimeRange } from '../core/ports.ts'

const HOSTS_LISTED_MAX = 20

/** What the statsd servers of a range lost: at least so many metrics or packets, of whatever name. */
export interface Lost {
  readonly total: number
  readonly byReason: Readonly<Record<string, number>>
  /** The ones that lost most. */
  readonly byHost: Readonly<Record<string, number>>
}

/** Which numbers of losses belong to an answer: those of its range, and of its sites, hosts and tiers. */
export function lostQuery(asked: {
  readonly range: TimeRange
  readonly stepMs: number
  readonly tags: readonly TagFilter[]
}): MetricQuery {
  const { range, stepMs } = asked
  const tags = asked.tags.filter(({ tag }) => STAMPED.has(tag))
  return {
    name: LOST_METRIC,
    kind: 'counter',
    tags,
    range,
    stepMs,
    by: ['reason', 'host'],
    aggregates: ['sum'],
  }
}

/** Stamped on losses as on everything else. */
const STAMPED: ReadonlySet<string> = new Set(STAMPED_TAGS)

export function lostOf({ lines }: Pick<MetricAnswer, 'lines'>): Lost {
  const byReason: Record<string, number> = {}
  const byHost: Record<string, number> = {}
  let total = 0
  for (const { tags, steps } of lines) {
    const lost = Math.round(steps.reduce((sum, { values }) => sum + (values[0] ?? 0), 0))
    if (lost === 0) continue
    const { reason = '', host = '' } = tags
    total += lost
    byReason[reason] = (byReason[reason] ?? 0) + lost
    byHost[host] = (byHost[host] ?? 0) + lost
  }
  return { total, byReason: mostFirst(byReason), byHost: mostFirst(byHost, HOSTS_LISTED_MAX) }
}

function mostFirst(counts: Readonly<Record<string, number>>, countMax = Infinity): Record<string, number> {
  const sorted = Object.entries(counts).toSorted(([, left], [, right]) => right - left)
  return Object.fromEntries(sorted.slice(0, countMax))
}
