import type { AnswerMeta, Problem } from '../api.ts'
import { coverageOf, headline, severity } from '../model/coverage.ts'
import { Icon } from './icons.tsx'

/** What an answer beside the lines says of itself: whether it is all there is. */
export function AnswerNote({ meta, nowMs }: { meta: AnswerMeta; nowMs: number }) {
  const coverage = coverageOf(meta)
  const tone = severity(coverage)
  const text = headline(coverage, nowMs)
  return (
    <p className={`answer-note ${tone}`} title={text}>
      <Icon name={tone === 'good' ? 'check' : 'alert'} />
      <span>{text}</span>
    </p>
  )
}

/** Why an answer is not there. */
export function AnswerProblem({ problem, onRetry }: { problem: Problem; onRetry: () => void }) {
  return (
    <p className="answer-note bad" role="alert">
      <Icon name="alert" />
      <span>{problem.message}</span>
      <button type="button" className="button small" onClick={onRetry}>
        Try again
      </button>
    </p>
  )
}
