import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { asProblem, type Problem } from '../api.ts'
import { queryMetrics, type MetricAsk, type MetricsAnswer } from '../api/metrics.ts'
import { chartData, type ChartData } from '../model/chart-lines.ts'
import { coverageOf, missingSpans, type Coverage, type Span } from '../model/coverage.ts'
import { pageStatus, type Status } from '../model/status.ts'
import { renewedEvery } from '../query-client.ts'
import { useNow } from './use-now.ts'
import { useStaleSince } from './use-stale.ts'

/** A renewed chart that got no answer for so long says that it is old. */
const STALE_AFTER_MS = 15_000
const NO_TAIL = { phase: 'off', heardAtMs: null } as const
const NOTHING: ChartData = { times: [], stepMs: 0, lines: [], linesTotal: 0 }

export interface MetricChart {
  readonly answer: MetricsAnswer | null
  readonly data: ChartData
  /** Of the answer that is drawn. */
  readonly range: Span
  readonly missing: readonly Span[]
  readonly coverage: Coverage | null
  readonly status: Status
  readonly problem: Problem | null
  /** An older question's answer is drawn until the new one's is here. */
  readonly outdated: boolean
  readonly staleSinceMs: number | null
  readonly nowMs: number
  readonly askAgain: () => void
}

/** One metric over time, renewed every `everyS` seconds (0: not at all). Asks nothing without a name or while not enabled. */
export function useMetric(
  ask: MetricAsk,
  { everyS, enabled }: { everyS: number; enabled: boolean },
): MetricChart {
  const nowMs = useNow(1000)
  const query = useQuery({
    queryKey: ['metric', ask],
    queryFn: ({ signal }) => queryMetrics(ask, signal),
    enabled: enabled && ask.name !== '',
    placeholderData: keepPreviousData,
    ...(everyS > 0 && renewedEvery(everyS * 1000)),
  })
  const answer = query.data ?? null
  const drawn = useMemo(() => drawnOf(answer, ask.name), [answer])
  const problem = query.error === null ? null : asProblem(query.error)
  const status = pageStatus({
    nowMs,
    coverage: drawn.coverage,
    answeredAtMs: query.dataUpdatedAt === 0 ? null : query.dataUpdatedAt,
    fresh: answer !== null && !query.isPlaceholderData,
    problem,
    cancelled: false,
    tail: NO_TAIL,
  })
  const staleSinceMs = useStaleSince(query, STALE_AFTER_MS)
  const askAgain = () => void query.refetch()
  return {
    answer,
    ...drawn,
    status,
    problem,
    outdated: query.isPlaceholderData,
    staleSinceMs,
    nowMs,
    askAgain,
  }
}

function drawnOf(answer: MetricsAnswer | null, name: string) {
  if (answer === null) return { data: NOTHING, range: { fromMs: 0, toMs: 1 }, missing: [], coverage: null }
  const { meta } = answer
  const range = { fromMs: Date.parse(meta.from), toMs: Date.parse(meta.to) }
  const coverage = coverageOf(meta)
  return {
    data: chartData(answer, name),
    range,
    missing: missingSpans(coverage, range, range.toMs),
    coverage,
  }
}
