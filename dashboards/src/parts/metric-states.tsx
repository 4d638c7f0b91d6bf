import type { ChartView } from '../model/chart-view.ts'
import { count } from '../model/format.ts'
import { asProblem } from '../api.ts'
import type { TimeRange } from '../model/time-range.ts'
import { visible } from '../model/visible.ts'
import { Message } from './message.tsx'
import { useMetricNames } from './metric-fields.tsx'
import { Refusal } from './refusal.tsx'

/** Without a metric: what there is. */
export function PickMetric({
  range,
  onPick,
}: {
  range: TimeRange
  onPick: (name: string, kind: string) => void
}) {
  const { data, error, refetch } = useMetricNames('', range)
  if (error !== null && data === undefined)
    return <Refusal problem={asProblem(error)} onRetry={() => void refetch()} />
  if (data === undefined) return <div aria-busy="true" />
  if (data.names.length === 0) return <FirstMetric />
  return (
    <section className="metric-list" aria-label="Metrics">
      <table>
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col">Kind</th>
            <th scope="col" className="number">
              Series
            </th>
          </tr>
        </thead>
        <tbody>
          {data.names.map(({ name, kind, series }) => (
            <tr key={`${name} ${kind}`}>
              <td>
                <button type="button" className="link" onClick={() => onPick(name, kind)}>
                  {visible(name)}
                </button>
              </td>
              <td>{kind}</td>
              <td className="number">{count(series)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {data.total > data.names.length && (
        <p className="hint">
          and {count(data.total - data.names.length)} more: write the start of a name above.
        </p>
      )}
    </section>
  )
}

/** An empty store: how to fill it. */
function FirstMetric() {
  return (
    <Message title="No metrics in this range yet">
      <p>
        Every collector takes statsd and DogStatsD on UDP port 8125 of its host. Send one, and it is here
        after at most ten seconds:
      </p>
      <pre className="sample">echo 'shop.orders:1|c|#env:prod' | nc -u -w1 127.0.0.1 8125</pre>
      <p>From Node, with hot-shots and its default options:</p>
      <pre className="sample">{`const StatsD = require('hot-shots')\nnew StatsD().increment('shop.orders', { env: 'prod' })`}</pre>
    </Message>
  )
}

interface NoMetricNamedProps {
  readonly view: ChartView
  readonly hint: { readonly detail: string; readonly names: readonly string[] } | null
  readonly gaps: boolean
  readonly onName: (name: string) => void
  readonly onClear: () => void
  readonly onWiden: () => void
}

/** No line: why, and what to try. */
export function NoMetricNamed({ view, hint, gaps, onName, onClear, onWiden }: NoMetricNamedProps) {
  return (
    <Message title="Nothing to draw">
      <p>
        {hint === null ? 'No value of this metric is in the range.' : sentence(hint.detail)}
        {gaps && ' Data is missing from this range, so this does not mean that nothing was measured.'}
      </p>
      <div className="notice-actions">
        {hint?.names.map((name) => (
          <button key={name} type="button" className="button" onClick={() => onName(name)}>
            {visible(name)}
          </button>
        ))}
        {view.tags.length > 0 && (
          <button type="button" className="button" onClick={onClear}>
            Clear the filters
          </button>
        )}
        <button type="button" className="button" onClick={onWiden}>
          A longer range
        </button>
      </div>
    </Message>
  )
}

const sentence = (text: string) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`
