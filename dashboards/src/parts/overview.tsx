import type { Exploration } from '../hooks/use-exploration.ts'
import { missingSpans, type Span } from '../model/coverage.ts'
import { countsOf, type Split } from '../model/histogram.ts'
import { Histogram } from './histogram.tsx'
import { Summary } from './summary.tsx'

interface OverviewProps {
  readonly found: Exploration
  readonly nowMs: number
  /** A running range: its end is now. */
  readonly running: boolean
  readonly by: Split
  readonly onSplit: (by: Split) => void
  readonly onFilter: (by: Split, value: string, options: { exclude: boolean }) => void
  readonly onZoom: (range: Span) => void
  readonly onZoomOut: () => void
}

const NOTHING = countsOf({ buckets: [], by: 'level', intervalMs: 0, fromMs: 0, toMs: 0 })

/** How many lines there are, and when. */
export function Overview({ found, nowMs, running, onZoom, ...rest }: OverviewProps) {
  const { coverage } = found
  const { answer, answeredAtMs, fresh } = found.counts
  const counts = answer?.counts ?? NOTHING
  const range =
    answer === null ? null : { fromMs: Date.parse(answer.meta.from), toMs: Date.parse(answer.meta.to) }
  // By the server's clock where it can be: the end of a running range. What is after now is not missing.
  const untilMs = running ? Infinity : (answeredAtMs ?? nowMs)
  const missing = range === null || coverage === null ? [] : missingSpans(coverage, range, untilMs)
  const stale = answer !== null && (!fresh || found.tail.phase === 'reconnecting')
  return (
    <section
      className={coverage?.complete === true ? 'overview settled' : 'overview'}
      aria-label="Lines over time"
    >
      <Summary
        counts={counts}
        total={answer === null ? null : counts.bars.reduce((sum, bar) => sum + bar.total, 0)}
        atLeast={coverage?.complete !== true}
        tookMs={answer?.meta.tookMs ?? null}
        hatched={missing.length > 0 && coverage?.complete !== true}
        stale={stale}
        {...rest}
      />
      <Histogram {...{ counts, range, missing, stale, nowMs, onZoom }} />
    </section>
  )
}
