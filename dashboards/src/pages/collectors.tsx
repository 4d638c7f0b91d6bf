import { useQuery } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useMemo, useRef } from 'react'
import { asProblem } from '../api.ts'
import { listCollectors } from '../api/collectors.ts'
import { listHosts } from '../api/hosts.ts'
import { useNow } from '../hooks/use-now.ts'
import { useStaleSince } from '../hooks/use-stale.ts'
import {
  collectorRows,
  formatCollectorsView,
  matchCollectors,
  parseCollectorsView,
  sortCollectors,
  writeReasons,
  type CollectorColumn,
  type CollectorRow,
  type CollectorsView,
} from '../model/collectors.ts'
import { count, duration, plural } from '../model/format.ts'
import { writeMeasure } from '../model/units.ts'
import { visible } from '../model/visible.ts'
import { FindInput } from '../parts/find-input.tsx'
import { Message } from '../parts/message.tsx'
import { Refusal } from '../parts/refusal.tsx'
import { StaleBanner } from '../parts/stale.tsx'
import { StateShape } from '../parts/state.tsx'
import { renewedEvery } from '../query-client.ts'
import { Link, useAddress } from '../router.tsx'
import './collectors.css'

const EVERY_MS = 2_000
const STALE_AFTER_MS = 8_000
const ROW_PX = 52

/** Columns with their names and what they mean. */
const COLUMNS: readonly (readonly [CollectorColumn, string, string])[] = [
  ['host', 'Host', 'Host and site'],
  ['problems', 'State', 'What should be looked at'],
  ['version', 'Version', 'Version of the program'],
  ['running', 'Running', 'Time since its start'],
  ['lag', 'Lag', 'How far what is stored is behind the present'],
  ['behind', 'Unread', 'Bytes written to files and not read yet'],
  ['spool', 'Spool', 'Bytes that wait to be stored'],
  ['dropped', 'Dropped', 'Lines dropped before they were numbered, since its start'],
  ['statsd', 'statsd', 'Live series, and what was lost since its start'],
  ['skew', 'Clock', 'Its clock minus the clock of this node'],
]

/** How every collector does: what it lags, holds, drops and cannot deliver, problems first. */
export function CollectorsPage() {
  const [view, change] = useAddress(parseCollectorsView, formatCollectorsView)
  const nowMs = useNow(1000)
  const query = useQuery({
    queryKey: ['collectors'],
    queryFn: async ({ signal }) => {
      const [{ hosts, at }, { collectors }] = await Promise.all([
        listHosts({ facts: true }, signal),
        listCollectors(signal),
      ])
      return collectorRows(hosts, collectors, Date.parse(at))
    },
    structuralSharing: false,
    ...renewedEvery(EVERY_MS),
  })
  const staleSinceMs = useStaleSince(query, STALE_AFTER_MS)
  const { data, error, refetch } = query
  const rows = useMemo(() => shownRows(data ?? [], view), [data, view])
  if (data === undefined) {
    return (
      <main aria-busy={error === null}>
        {error !== null && <Refusal problem={asProblem(error)} onRetry={() => void refetch()} />}
      </main>
    )
  }
  const troubled = data.filter(({ problems }) => problems.length > 0).length
  return (
    <main className="collectors-page">
      <Filters {...{ view, troubled }} total={data.length} onChange={change} />
      <StaleBanner sinceMs={staleSinceMs} />
      {data.length === 0 ? (
        <NoCollectors />
      ) : rows.length === 0 ? (
        <Message
          title={view.troubled && view.text === '' ? 'No collector has a problem' : 'No collector matches'}
        >
          <div className="notice-actions">
            <button type="button" className="button" onClick={() => change({ text: '', troubled: false })}>
              Show all
            </button>
          </div>
        </Message>
      ) : (
        <Table {...{ rows, view, nowMs }} stale={staleSinceMs !== null} onChange={change} />
      )}
    </main>
  )
}

function shownRows(all: readonly CollectorRow[], view: CollectorsView): readonly CollectorRow[] {
  const wanted = view.troubled ? all.filter(({ problems }) => problems.length > 0) : all
  return sortCollectors(matchCollectors(wanted, view.text), view)
}

type Change = (change: Partial<CollectorsView>, options?: { replace?: boolean }) => void

function Filters(props: { view: CollectorsView; troubled: number; total: number; onChange: Change }) {
  const { view, troubled, total, onChange } = props
  return (
    <search className="collectors-bar">
      <FindInput
        label="Find collectors"
        placeholder="Find: host, site, version, problem"
        text={view.text}
        onText={(text) => onChange({ text }, { replace: true })}
      />
      <button
        type="button"
        className="button toggle"
        aria-pressed={view.troubled}
        onClick={() => onChange({ troubled: !view.troubled })}
      >
        <StateShape state={troubled > 0 ? 'warn' : 'ok'} />
        {troubled === 0 ? 'No problems' : `${count(troubled)} with problems`}
      </button>
      <span className="hint">{plural(total, 'collector')}</span>
    </search>
  )
}

interface TableProps {
  readonly rows: readonly CollectorRow[]
  readonly view: CollectorsView
  readonly stale: boolean
  readonly onChange: Change
}

/** A table of which only what is in view is drawn: it says how many rows it has. */
function Table({ rows, view, stale, onChange }: TableProps) {
  const frame = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_PX,
    getItemKey: (at) => rows[at]?.key ?? at,
    overscan: 10,
  })
  const items = virtual.getVirtualItems()
  const before = items[0]?.start ?? 0
  const behind = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  return (
    <div
      ref={frame}
      className={stale ? 'collectors-table stale-data' : 'collectors-table'}
      tabIndex={0}
      role="region"
      aria-label="Collectors"
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {COLUMNS.map(([column, name, meaning]) => (
              <Head key={column} {...{ column, name, meaning, view, onChange }} />
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <tr style={{ height: before }} aria-hidden="true" />}
          {items.map(({ index, key }) => {
            const row = rows[index]
            return row !== undefined && <Row key={key} row={row} rowIndex={index + 2} />
          })}
          {behind > 0 && <tr style={{ height: behind }} aria-hidden="true" />}
        </tbody>
      </table>
    </div>
  )
}

interface HeadProps {
  readonly column: CollectorColumn
  readonly name: string
  readonly meaning: string
  readonly view: CollectorsView
  readonly onChange: Change
}

function Head({ column, name, meaning, view, onChange }: HeadProps) {
  const sorted = view.column === column
  // Numbers go down first, names up.
  const ascending = (column === 'host' || column === 'version') !== view.reverse
  return (
    <th
      scope="col"
      className={column}
      aria-sort={sorted ? (ascending ? 'ascending' : 'descending') : undefined}
    >
      <button
        type="button"
        title={`${meaning}. Press to sort.`}
        onClick={() => onChange({ column, reverse: sorted && !view.reverse })}
      >
        {name}
        <span aria-hidden="true">{sorted ? (ascending ? ' ↑' : ' ↓') : ''}</span>
      </button>
    </th>
  )
}

function Row({ row, rowIndex }: { row: CollectorRow; rowIndex: number }) {
  const { host, site, problems, version, runningMs, lagMs, behindBytes, spoolBytes, skewMs } = row
  const well = problems.length === 0
  return (
    <tr aria-rowindex={rowIndex} className={well ? undefined : 'troubled'}>
      <th scope="row" className="host">
        <Link href={`/hosts?${new URLSearchParams({ host: `${site}/${host}` })}`}>{visible(host)}</Link>
        <small title={visible(row.id)}>{visible(site)}</small>
      </th>
      <td className="problems" title={visible(problems.join('\n'))}>
        <span>
          <StateShape state={well ? 'ok' : 'warn'} />
          <span>{well ? 'ok' : visible(problems.join('; '))}</span>
        </span>
      </td>
      <td className="version">{version === null ? '–' : visible(version)}</td>
      <td className="running">{runningMs === null ? '–' : duration(runningMs)}</td>
      <td className="lag">{lagMs === null ? '–' : duration(lagMs)}</td>
      <td className="behind">{bytes(behindBytes)}</td>
      <td className="spool">
        {bytes(spoolBytes)}
        {row.spoolBytesMax !== null && <small>of {bytes(row.spoolBytesMax)}</small>}
      </td>
      <td className="dropped">{writeReasons(row.drops) || '0'}</td>
      <td className="statsd">
        {row.statsdSeries === null ? '–' : `${count(row.statsdSeries)} series`}
        {writeReasons(row.statsdLost) !== '' && <small>lost ≥ {visible(writeReasons(row.statsdLost))}</small>}
      </td>
      <td className="skew">
        {skewMs === 0 ? '0' : `${skewMs > 0 ? '+' : '−'}${duration(Math.abs(skewMs))}`}
      </td>
    </tr>
  )
}

const bytes = (value: number | null) => writeMeasure(value, { unit: 'bytes', perSecond: false })

function NoCollectors() {
  return (
    <Message title="No collectors yet">
      <p>A collector reads the logs of its host and delivers them here. It shows up within a second:</p>
      <pre className="sample">noctule collector</pre>
    </Message>
  )
}
