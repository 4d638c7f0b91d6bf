import { useQuery } from '@tanstack/react-query'
import { Suspense, lazy, useMemo, useState } from 'react'
import { metricTags } from '../api/metrics.ts'
import { Legend } from '../charts/legend.tsx'
import { useMetric, type MetricChart } from '../hooks/use-metric.ts'
import { aggregatesOf, askOf, formatChartView, parseChartView, type ChartView } from '../model/chart-view.ts'
import type { Span } from '../model/coverage.ts'
import { count, duration } from '../model/format.ts'
import { rangeParameters, widen } from '../model/time-range.ts'
import { visible } from '../model/visible.ts'
import { Completeness } from '../parts/completeness.tsx'
import { Choices } from '../parts/choices.tsx'
import { Icon } from '../parts/icons.tsx'
import { Lost } from '../parts/lost.tsx'
import { FilterChips, FilterField, NameField } from '../parts/metric-fields.tsx'
import { NoMetricNamed, PickMetric } from '../parts/metric-states.tsx'
import { RangePicker } from '../parts/range-picker.tsx'
import { Refusal } from '../parts/refusal.tsx'
import { Renewal } from '../parts/renewal.tsx'
import { ShareChart } from '../parts/share-chart.tsx'
import { StaleBanner } from '../parts/stale.tsx'
import { useAddress } from '../router.tsx'
import './charts.css'

const Chart = lazy(async () => ({ default: (await import('../charts/chart.tsx')).Chart }))
const CHART_PX = 340
const SPLIT_TAGS_MAX = 4
const TAGS_OFFERED_MAX = 50

/** One metric over time: by tag, by aggregate, with everything that is known to be missing from it. */
export function ChartsPage() {
  const [view, change] = useAddress(parseChartView, formatChartView)
  const chart = useMetric(askOf(view), { everyS: view.everyS, enabled: true })
  const [gapsOpen, setGapsOpen] = useState(false)
  const { answer, problem } = chart
  return (
    <main className="charts-page">
      <Question view={view} chart={chart} onChange={change} />
      {view.name === '' ? (
        <PickMetric
          range={view.range}
          onPick={(name, kind) => change({ name, kind, tags: [], by: [], agg: [] })}
        />
      ) : (
        <>
          <Completeness {...chart} open={gapsOpen} onToggle={setGapsOpen} />
          <StaleBanner sinceMs={chart.staleSinceMs} />
          {answer !== null && <Lost lost={answer.lost} />}
          {answer === null && problem !== null && <Refusal problem={problem} onRetry={chart.askAgain} />}
          {answer !== null && <Answered key={view.name} {...{ view, chart }} onChange={change} />}
        </>
      )}
    </main>
  )
}

interface PartProps {
  readonly view: ChartView
  readonly chart: MetricChart
  readonly onChange: (change: Partial<ChartView>) => void
}

function Question({ view, chart, onChange }: PartProps) {
  const { name, tags, by, agg, range } = view
  const offered = useQuery({
    queryKey: ['metric tags', name, rangeParameters(range)],
    queryFn: ({ signal }) =>
      metricTags({ name, tags: [], ...rangeParameters(range), limit: TAGS_OFFERED_MAX }, signal),
    enabled: name !== '',
    staleTime: 30_000,
  })
  const known = offered.data?.tags ?? []
  const kind = chart.answer?.lines[0]?.kind ?? (view.kind === '' ? undefined : view.kind)
  const given = (chart.outdated ? [] : chart.answer?.aggregates) ?? []
  return (
    <search className="chart-question">
      <div className="chart-bar">
        <NameField
          {...{ name, range }}
          onPick={(picked, of) => onChange({ name: picked, kind: of, tags: [], by: [], agg: [] })}
        />
        <RangePicker range={range} nowMs={chart.nowMs} onPick={(picked) => onChange({ range: picked })} />
        <Renewal
          everyS={view.everyS}
          disabled={range.kind === 'absolute'}
          onPick={(everyS) => onChange({ everyS })}
        />
        <ShareChart view={view} nowMs={chart.nowMs} />
      </div>
      {name !== '' && (
        <div className="chart-bar">
          <FilterChips tags={tags} onChange={(changed) => onChange({ tags: changed })} />
          <FilterField known={known} tags={tags} onAdd={(filter) => onChange({ tags: [...tags, filter] })} />
          <Choices
            label="Split by"
            none="nothing"
            options={known.map(({ tag, valuesTotal }) => ({ value: tag, hint: count(valuesTotal) }))}
            chosen={by}
            most={SPLIT_TAGS_MAX}
            onChange={(changed) => onChange({ by: changed })}
          />
          <Choices
            label="Show"
            none={given.join(', ') || 'what suits it'}
            options={aggregatesOf(kind).map((value) => ({ value }))}
            chosen={agg}
            onChange={(changed) => onChange({ agg: changed })}
          />
          <button
            type="button"
            className="button toggle"
            aria-pressed={view.area}
            onClick={() => onChange({ area: !view.area })}
          >
            Filled
          </button>
        </div>
      )}
    </search>
  )
}

function Answered({ view, chart, onChange }: PartProps) {
  const [isolated, setIsolated] = useState<string | null>(null)
  const [focused, setFocused] = useState<string | null>(null)
  const { data, answer } = chart
  const kept = data.lines.some(({ key }) => key === isolated) ? isolated : null
  const hidden = useMemo(
    () => new Set(kept === null ? [] : data.lines.map(({ key }) => key).filter((key) => key !== kept)),
    [data, kept],
  )
  const onZoom = ({ fromMs, toMs }: Span) => onChange({ range: { kind: 'absolute', fromMs, toMs } })
  if (data.lines.length === 0) {
    return (
      <NoMetricNamed
        {...{ view }}
        hint={answer?.hint ?? null}
        gaps={chart.missing.length > 0}
        onName={(name) => onChange({ name, kind: '', tags: [], by: [], agg: [] })}
        onClear={() => onChange({ tags: [] })}
        onWiden={() => onChange({ range: widen(view.range, chart.nowMs) })}
      />
    )
  }
  return (
    <section
      className={chart.outdated ? 'chart-card outdated' : 'chart-card'}
      aria-label={`Chart of ${visible(view.name)}`}
    >
      <div className="chart-head">
        <h2>{visible(view.name)}</h2>
        <span className="hint">{stepWords(chart)}</span>
        <button
          type="button"
          className="tool"
          aria-label="Zoom out"
          title="Zoom out: a longer range"
          onClick={() => onChange({ range: widen(view.range, chart.nowMs) })}
        >
          <Icon name="zoomOut" />
        </button>
      </div>
      <Suspense fallback={<div style={{ height: CHART_PX }} aria-busy="true" />}>
        <Chart
          {...{ data, hidden, focused, onZoom }}
          label={`Chart of ${visible(view.name)}`}
          range={chart.range}
          missing={chart.missing}
          area={view.area}
          height={CHART_PX}
        />
      </Suspense>
      <Legend lines={data.lines} isolated={kept} onIsolate={setIsolated} onFocus={setFocused} />
      {data.linesTotal > data.lines.length && (
        <p className="hint legend-more">
          and {count(data.linesTotal - data.lines.length)} more: the {data.lines.length} greatest are drawn.
          Filter, or split by fewer tags.
        </p>
      )}
    </section>
  )
}

const RESOLUTION_WORDS: Readonly<Record<string, string>> = {
  minute: ', of points of a minute',
  hour: ', of points of an hour',
}

function stepWords({ data, answer }: MetricChart): string {
  return `a value every ${duration(data.stepMs)}${RESOLUTION_WORDS[answer?.resolution ?? ''] ?? ''}`
}
