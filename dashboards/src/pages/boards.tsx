import { useQuery } from '@tanstack/react-query'
import { Suspense, lazy, useEffect, useRef, useState } from 'react'
import { asProblem } from '../api.ts'
import { listBoards, type Board, type BoardChart } from '../api/boards.ts'
import { Swatch } from '../charts/swatch.tsx'
import { useMetric } from '../hooks/use-metric.ts'
import { useNow } from '../hooks/use-now.ts'
import { sortLines } from '../model/chart-lines.ts'
import {
  askOf,
  formatBoardView,
  formatChartView,
  parseBoardView,
  type BoardView,
} from '../model/chart-view.ts'
import { count } from '../model/format.ts'
import { writeMeasure } from '../model/units.ts'
import { visible } from '../model/visible.ts'
import { Icon } from '../parts/icons.tsx'
import { Message } from '../parts/message.tsx'
import { RangePicker } from '../parts/range-picker.tsx'
import { Refusal } from '../parts/refusal.tsx'
import { Renewal } from '../parts/renewal.tsx'
import { StaleBanner } from '../parts/stale.tsx'
import { Link, useAddress, usePath } from '../router.tsx'
import './boards.css'

const Chart = lazy(async () => ({ default: (await import('../charts/chart.tsx')).Chart }))
const CHART_PX = 170
/** Lines whose newest value stands below the chart. */
const NAMED_LINES_MAX = 5
/** Charts are asked for when they are nearly in view. */
const NEAR_VIEW = '200px'

/** All boards, or the one that the path names. */
export function BoardsPage() {
  const name = decodeURIComponent(usePath().split('/')[2] ?? '')
  const { data, error, refetch } = useQuery({
    queryKey: ['boards'],
    queryFn: ({ signal }) => listBoards(signal),
    staleTime: 60_000,
  })
  if (data === undefined) {
    return (
      <main aria-busy={error === null}>
        {error !== null && <Refusal problem={asProblem(error)} onRetry={() => void refetch()} />}
      </main>
    )
  }
  if (name === '') return <BoardList boards={data.boards} />
  const board = data.boards.find((one) => one.name === name)
  return board === undefined ? <NoSuchBoard name={name} /> : <BoardPage key={name} board={board} />
}

function BoardList({ boards }: { boards: readonly Board[] }) {
  return (
    <main className="boards-page">
      <ul className="board-list">
        {boards.map(({ name, title, charts }) => (
          <li key={name}>
            <Link href={`/boards/${encodeURIComponent(name)}`}>
              <strong>{visible(title)}</strong>
              <span className="hint">{charts.map((chart) => visible(chart.title)).join(' · ')}</span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="hint board-note">
        Boards of your own are written under <code>boards</code> in the configuration.
      </p>
    </main>
  )
}

function NoSuchBoard({ name }: { name: string }) {
  return (
    <main>
      <Message title="No such board">
        <p>
          No board has the name <code>{visible(name)}</code>. Boards are written under <code>boards</code> in
          the configuration.
        </p>
        <div className="notice-actions">
          <Link href="/boards" className="button">
            See all boards
          </Link>
        </div>
      </Message>
    </main>
  )
}

function BoardPage({ board }: { board: Board }) {
  const [view, change] = useAddress(parseBoardView, formatBoardView)
  const nowMs = useNow(1000)
  return (
    <main className="boards-page">
      <div className="board-bar">
        <Link href="/boards" className="link">
          Boards
        </Link>
        <h2>{visible(board.title)}</h2>
        <div className="query-controls">
          <RangePicker range={view.range} nowMs={nowMs} onPick={(range) => change({ range })} />
          <Renewal
            everyS={view.everyS}
            disabled={view.range.kind === 'absolute'}
            onPick={(everyS) => change({ everyS })}
          />
        </div>
      </div>
      <div className="board-charts">
        {board.charts.map((chart, at) => (
          <BoardCard
            key={`${at} ${chart.title}`}
            {...{ chart, view }}
            syncKey={board.name}
            onChange={change}
          />
        ))}
      </div>
    </main>
  )
}

interface CardProps {
  readonly chart: BoardChart
  readonly view: BoardView
  readonly syncKey: string
  readonly onChange: (change: Partial<BoardView>) => void
}

function BoardCard({ chart, view, syncKey, onChange }: CardProps) {
  const [card, seen] = useSeen<HTMLElement>()
  const asked = {
    ...view,
    name: chart.metric,
    kind: '',
    tags: chart.tags,
    by: chart.by,
    agg: chart.aggregate === undefined ? [] : [chart.aggregate],
  }
  const metric = useMetric(askOf(asked), { everyS: view.everyS, enabled: seen })
  const { answer, data, problem } = metric
  const title = visible(chart.title)
  return (
    <section className={metric.outdated ? 'board-card outdated' : 'board-card'} aria-label={title} ref={card}>
      <div className="board-head">
        <h3>
          <Link href={`/charts${formatChartView({ ...asked, area: false })}`} title="Open this chart">
            {title}
          </Link>
        </h3>
        <CardNotes metric={metric} />
      </div>
      <StaleBanner sinceMs={metric.staleSinceMs} />
      {answer === null && problem !== null && (
        <p className="board-problem">
          <Icon name="alert" /> {problem.message}
        </p>
      )}
      {answer !== null && data.lines.length === 0 && (
        <p className="board-nothing hint">
          No value in this range: {answer.hint?.detail ?? 'nothing was measured'}.
        </p>
      )}
      {(answer === null ? problem === null : data.lines.length > 0) && (
        <Suspense fallback={<div style={{ height: CHART_PX }} aria-busy="true" />}>
          <Chart
            {...{ data, syncKey }}
            label={title}
            range={metric.range}
            missing={metric.missing}
            height={CHART_PX}
            onZoom={(range) => onChange({ range: { kind: 'absolute', ...range } })}
          />
        </Suspense>
      )}
      <NamedLines metric={metric} />
    </section>
  )
}

type Metric = ReturnType<typeof useMetric>

/** What a glance at the chart must not miss: that data is missing from it, or was lost before it was counted. */
function CardNotes({ metric: { status, answer } }: { metric: Metric }) {
  const lost = answer?.lost.total ?? 0
  return (
    <>
      {lost > 0 && <span className="board-warning">at least {count(lost)} lost</span>}
      {(status.tone === 'warn' || status.tone === 'bad') && (
        <span className="board-warning" title={status.text}>
          <Icon name="alert" />
          <span className="visually-hidden">{status.text}</span>
        </span>
      )}
    </>
  )
}

function NamedLines({ metric: { data } }: { metric: Metric }) {
  const sorted = sortLines(data.lines, { column: 'last', reverse: false })
  const more = data.linesTotal - Math.min(sorted.length, NAMED_LINES_MAX)
  return (
    <ul className="named-lines">
      {sorted.slice(0, NAMED_LINES_MAX).map((line) => (
        <li key={line.key}>
          <Swatch line={line} />
          <span>{visible(line.label)}</span>
          <b>{writeMeasure(line.last, line.measure)}</b>
        </li>
      ))}
      {more > 0 && <li className="hint">and {count(more)} more</li>}
    </ul>
  )
}

/** Whether an element is, or was, nearly in view. */
function useSeen<Shape extends HTMLElement>() {
  const element = useRef<Shape>(null)
  const [seen, setSeen] = useState(false)
  useEffect(() => {
    if (element.current === null) return undefined
    const observer = new IntersectionObserver(
      (entries) => setSeen(entries.some(({ isIntersecting }) => isIntersecting)),
      { rootMargin: NEAR_VIEW },
    )
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [])
  return [element, seen] as const
}
