import { Chart } from '../charts/chart.tsx'
import { useMetric } from '../hooks/use-metric.ts'
import { askOf, formatChartView } from '../model/chart-view.ts'
import { writeMeasure } from '../model/units.ts'
import { visible } from '../model/visible.ts'
import { Link } from '../router.tsx'

const CHART_PX = 92
const EVERY_S = 10
const RANGE = { kind: 'relative', length: '1h' } as const

/** What a collector measures of its host every ten seconds. */
const CHARTS: readonly { title: string; name: string; by: readonly string[] }[] = [
  { title: 'CPU busy', name: 'host.cpu.busy', by: [] },
  { title: 'Memory used', name: 'host.memory.used_share', by: [] },
  { title: 'Disk used', name: 'host.disk.used_share', by: ['mount'] },
  { title: 'Received', name: 'host.network.received_bytes_per_s', by: [] },
  { title: 'Sent', name: 'host.network.sent_bytes_per_s', by: [] },
]

/** The last hour of one host, in small. */
export function HostCharts({ host, site }: { host: string; site: string }) {
  return (
    <div className="host-charts">
      {CHARTS.map((chart) => (
        <HostChart key={chart.name} {...chart} host={host} site={site} />
      ))}
    </div>
  )
}

function HostChart(props: {
  title: string
  name: string
  by: readonly string[]
  host: string
  site: string
}) {
  const { title, name, by, host, site } = props
  const tags = [`host:${host}`, `site:${site}`]
  const asked = { name, kind: '', tags, by, agg: [], range: RANGE }
  const { data, range, missing, answer } = useMetric(askOf(asked), { everyS: EVERY_S, enabled: true })
  const newest = data.lines.map((line) => writeMeasure(line.last, line.measure)).join(', ')
  return (
    <div className="host-chart">
      <p>
        <Link href={`/charts${formatChartView({ ...asked, everyS: EVERY_S, area: false })}`}>{title}</Link>
        <span>{answer === null ? '' : newest === '' ? 'nothing measured' : newest}</span>
      </p>
      {data.lines.length > 0 && (
        <Chart
          {...{ data, range, missing }}
          label={`${title} of ${visible(host)}`}
          area
          height={CHART_PX}
          syncKey="host"
        />
      )}
    </div>
  )
}
