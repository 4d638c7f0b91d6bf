import type { Exploration } from '../hooks/use-exploration.ts'
import { missingSpans, type Span } from '../model/coverage.ts'
import { Histogram } from './histogram.tsx'
import { Summary } from './summary.tsx'

interface OverviewProps {
  readonly found: Exploration
  readonly nowMs: number
  /** A running range: its end is now. */
  readonly running: boolean
  readonly onLevel: (level: string) => void
  readonly onZoom: (range: Span) => void
  readonly onZoomOut: () => void
}

/** How many lines there are, and when. */
export function Overview({ found, nowMs, running, onLevel, onZoom, onZoomOut }: OverviewProps) {
  const { counts, coverage, bars } = found
  const { answer, answeredAtMs } = counts
  const range =
    answer === null ? null : { fromMs: Date.parse(answer.meta.from), toMs: Date.parse(answer.meta.to) }
  // By the server's clock where it can be: the end of a running range. What is after now is not missing.
  const untilMs = running ? Infinity : (answeredAtMs ?? nowMs)
  const missing = range === null || coverage === null ? [] : missingSpans(coverage, range, untilMs)
  const stale = answer !== null && (!counts.fresh || found.tail.phase === 'reconnecting')
  return (
    <section
      className={coverage?.complete === true ? 'overview settled' : 'overview'}
      aria-label="Lines over time"
    >
      <Summary
        bars={bars}
        total={answer === null ? null : bars.reduce((sum, bar) => sum + bar.total, 0)}
        atLeast={coverage?.complete !== true}
        tookMs={answer?.meta.tookMs ?? null}
        hatched={missing.length > 0 && coverage?.complete !== true}
        stale={stale}
        onLevel={onLevel}
        onZoomOut={onZoomOut}
      />
      <Histogram {...{ bars, range, missing, stale, nowMs, onZoom }} />
    </section>
  )
}
