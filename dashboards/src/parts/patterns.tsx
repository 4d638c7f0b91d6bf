import type { Question } from '../api.ts'
import { patterns, type Pattern, type PatternsAnswer } from '../api/search.ts'
import { useCounted } from '../hooks/use-counted.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { filterTerm } from '../model/fields.ts'
import { count, moment, percent, plural } from '../model/format.ts'
import { cut } from '../model/visible.ts'
import { AnswerNote, AnswerProblem } from './answer-note.tsx'
import { FilterButtons } from './filter-buttons.tsx'
import { levelClass, levelName } from './level.tsx'
import { Marked } from './marked.tsx'

const PATTERNS_MAX = 100
const TEXT_CHARS_MAX = 600
const TREND_PX = { width: 96, height: 20 }

interface PatternsProps {
  readonly question: Question | null
  /** The page asks something else by now. */
  readonly stale: boolean
  readonly nowMs: number
  readonly actions: RecordActions
}

/** The shapes of the messages, most frequent first: what a thousand lines say in ten. */
export function Patterns({ question, stale: old, nowMs, actions }: PatternsProps) {
  const { answer, stale, problem, retry } = useCounted('patterns', question, (asked, signal) =>
    patterns({ ...asked, limit: PATTERNS_MAX }, signal),
  )
  if (problem !== null) return <AnswerProblem problem={problem} onRetry={retry} />
  if (answer === undefined) return <p className="hint panel-wait">Grouping the lines by their shape…</p>
  const { distinct, matched, meta } = answer
  const hidden = distinct - answer.patterns.length
  return (
    <div className={stale || old ? 'panel-body stale' : 'panel-body'}>
      <AnswerNote meta={meta} nowMs={nowMs} />
      <p className="hint panel-facts">
        {plural(distinct, 'pattern')} in {plural(matched, 'line')}
        {hidden > 0 && `; the ${count(answer.patterns.length)} most frequent are listed`}
      </p>
      <table className="counted">
        <thead>
          <tr>
            <th className="number">Lines</th>
            <th className="number">Share</th>
            <th>Over time</th>
            <th>Pattern and newest example</th>
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {answer.patterns.map((pattern) => (
            <PatternRow
              key={pattern.pattern}
              {...{ pattern, answer, nowMs, actions }}
              q={question?.q ?? ''}
            />
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface PatternRowProps extends Pick<PatternsProps, 'nowMs' | 'actions'> {
  readonly pattern: Pattern
  readonly answer: PatternsAnswer
  readonly q: string
}

function PatternRow({ pattern, answer, q, nowMs, actions }: PatternRowProps) {
  const { template, example } = pattern
  const { level = '', message = '' } = example
  const term = pattern.pattern === '' ? 'pattern:*' : filterTerm('pattern', pattern.pattern)
  // Lines without a pattern are all that have none.
  const turned = pattern.pattern === ''
  return (
    <tr className={levelClass(level)}>
      <td className="number">{count(pattern.count)}</td>
      <td className="number">{percent(pattern.share)}</td>
      <td>
        <Trend pattern={pattern} answer={answer} nowMs={nowMs} />
      </td>
      <td className="pattern-text">
        <button
          type="button"
          className="pattern-press"
          title="Only lines of this pattern"
          onClick={() => actions.onFilter(term, { exclude: turned })}
        >
          {level !== '' && <span className="cell-level">{levelName(level)} </span>}
          <Marked
            text={template === '' ? 'Lines without a pattern' : cut(template, TEXT_CHARS_MAX)}
            pattern={null}
          />
        </button>
        <p className="hint">
          <Marked text={cut(message, TEXT_CHARS_MAX)} pattern={null} />
        </p>
      </td>
      <td className="field-tools">
        {!turned && <FilterButtons term={term} q={q} onFilter={actions.onFilter} />}
      </td>
    </tr>
  )
}

/** How often over the range: one bar a bucket, as high as its share of the highest. */
function Trend({ pattern, answer, nowMs }: { pattern: Pattern; answer: PatternsAnswer; nowMs: number }) {
  const { width, height } = TREND_PX
  const fromMs = Date.parse(answer.meta.from)
  const perMs = width / (Date.parse(answer.meta.to) - fromMs)
  const highest = Math.max(1, ...pattern.trend.map((bucket) => bucket.count))
  const bar = Math.max(1, answer.intervalMs * perMs - 0.5)
  const path = pattern.trend.map((bucket) => {
    const x = Math.max(0, (Date.parse(bucket.start) - fromMs) * perMs)
    const tall = Math.max(1, (bucket.count / highest) * height)
    return `M${x.toFixed(1)} ${height}v${(-tall).toFixed(1)}h${bar.toFixed(1)}V${height}z`
  })
  const words = `first ${moment(Date.parse(pattern.first), nowMs)}, last ${moment(Date.parse(pattern.last), nowMs)}`
  return (
    <svg className="trend" {...TREND_PX} role="img" aria-label={words}>
      <title>{words}</title>
      <path d={path.join('')} />
    </svg>
  )
}
