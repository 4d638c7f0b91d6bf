import { useQuery } from '@tanstack/react-query'
import { Suspense, lazy, type ReactNode } from 'react'
import { search, type LogRecord, type Session } from '../api.ts'
import type { ApiCheck, ApiFacts, ApiHost } from '../api/hosts.ts'
import { useHostFacts } from '../hooks/use-hosts.ts'
import { filterTerm } from '../model/fields.ts'
import { duration, moment } from '../model/format.ts'
import { hostKey, sortChecks, tierName } from '../model/hosts.ts'
import { writeMeasure } from '../model/units.ts'
import { visible } from '../model/visible.ts'
import { renewedEvery } from '../query-client.ts'
import { Link } from '../router.tsx'
import { memoryShare, sinceWords, why } from './host-line.tsx'
import { Icon } from './icons.tsx'
import { StateShape, StateWord, stateClass } from './state.tsx'

const HostCharts = lazy(async () => ({ default: (await import('./host-charts.tsx')).HostCharts }))
/** A clock further off than this is worth a word. */
const SKEW_TOLD_MS = 1000
const HEARD_NOW_MS = 2_500
const CHANGES_MAX = 30
const CHANGES_EVERY_MS = 10_000

interface HostPanelProps {
  /** Key of the host, also when it is not there any more. */
  readonly name: string
  readonly host: ApiHost | null
  readonly now: number
  /** Somebody said which hosts there should be. */
  readonly expecting: boolean
  readonly session: Session
  readonly onClose: () => void
}

/** Everything that is known of one host. */
export function HostPanel({ name, host, now, expecting, session, onClose }: HostPanelProps) {
  const facts = useHostFacts(host === null ? [] : [host.host]).get(name)?.facts ?? null
  return (
    <aside className="host-panel" aria-label={`Host ${visible(host?.host ?? name)}`}>
      <div className="host-panel-head">
        {host !== null && <StateWord state={host.state} />}
        <h2>{visible(host?.host ?? name)}</h2>
        <button type="button" className="tool" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          <Icon name="cross" />
        </button>
      </div>
      {host === null ? (
        <p className="hint">This host is not known to this node any more.</p>
      ) : (
        <>
          <Identity {...{ host, now, expecting }} />
          <LogLink host={host} session={session} />
          <Section title="Checks">
            <Checks checks={host.checks} now={now} />
          </Section>
          {facts !== null && (
            <Section title="The host says">
              <Facts facts={facts} />
            </Section>
          )}
          <Section title="Last hour">
            <Suspense fallback={<div style={{ height: 300 }} aria-busy="true" />}>
              <HostCharts host={host.host} site={host.site} />
            </Suspense>
          </Section>
          <Section title="What changed in the last day">
            <Changes host={host} session={session} />
          </Section>
        </>
      )}
    </aside>
  )
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {children}
    </section>
  )
}

function Identity({ host, now, expecting }: { host: ApiHost; now: number; expecting: boolean }) {
  const { site, tier, version, reportedAt, skewMs, expected, state } = host
  const words = [
    tierName(tier),
    site,
    version === '' ? '' : `collector ${version}`,
    expecting && !expected ? 'not among the expected hosts' : '',
  ]
  return (
    <div className="host-identity">
      {state !== 'ok' && (
        <p className={stateClass(state)}>
          <strong>{sinceWords(host, now)}</strong>: {visible(why(host, now))}
        </p>
      )}
      <p className="hint">
        {words
          .filter((word) => word !== '')
          .map(visible)
          .join(' · ')}
      </p>
      <p className="hint">
        {reportedAt === null ? 'never heard' : heardWords(now - Date.parse(reportedAt))}
        {Math.abs(skewMs) >= SKEW_TOLD_MS &&
          ` · its clock is ${duration(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}`}
      </p>
    </div>
  )
}

/** A host says something each second: how long ago exactly is only told when it is late. */
function heardWords(agoMs: number): string {
  return agoMs < HEARD_NOW_MS ? 'heard just now' : `heard ${duration(agoMs)} ago`
}

function LogLink({ host, session }: { host: ApiHost; session: Session }) {
  if (session.role !== 'search' && session.role !== 'admin') return null
  const query = new URLSearchParams({ q: filterTerm('host', host.host), from: 'now-15m' })
  return (
    <Link href={`/?${query}`} className="button small">
      <Icon name="search" />
      Lines of this host
    </Link>
  )
}

function Checks({ checks, now }: { checks: readonly ApiCheck[]; now: number }) {
  if (checks.length === 0) {
    return (
      <p className="hint">
        None: they are written under <code>collector.checks</code> in its configuration.
      </p>
    )
  }
  return (
    <ul className="checks">
      {sortChecks(checks).map((check) => (
        <li key={check.name}>
          <StateShape state={check.state} />
          <span className="check-name">
            {visible(check.name)}
            <span className="visually-hidden">: {check.state}</span>
          </span>
          <span className="hint">
            {check.state} {check.since === null ? '' : `for ${duration(now - Date.parse(check.since))}`}
          </span>
          <span className="check-message">{visible(check.message)}</span>
        </li>
      ))}
    </ul>
  )
}

function Facts({ facts }: { facts: ApiFacts }) {
  const { cpu, load, memory, disks, network, uptimeS } = facts
  const bytes = (value: number) => writeMeasure(value, { unit: 'bytes', perSecond: false })
  const rate = (value: number) => writeMeasure(value, { unit: 'bytes', perSecond: true })
  const share = (value: number | null) => writeMeasure(value, { unit: 'share', perSecond: false })
  const rows: readonly (readonly [string, string])[] = [
    [
      'CPU',
      `${share(cpu.busy)} of ${cpu.cores} cores${cpu.ioWait === undefined ? '' : `, ${share(cpu.ioWait)} waiting for disks`}`,
    ],
    ['Load', load.map((value) => value.toFixed(2)).join(', ')],
    [
      'Memory',
      `${share(memoryShare(facts))} of ${bytes(memory.totalBytes)}, ${bytes(memory.availableBytes)} free`,
    ],
    ...((memory.swapTotalBytes ?? 0) > 0
      ? [['Swap', `${bytes(memory.swapUsedBytes ?? 0)} of ${bytes(memory.swapTotalBytes ?? 0)}`] as const]
      : []),
    ...disks.map(
      ({ mount, usedBytes, totalBytes }) =>
        [
          `Disk ${mount}`,
          `${share(totalBytes > 0 ? usedBytes / totalBytes : null)} of ${bytes(totalBytes)}`,
        ] as const,
    ),
    ...(network === null
      ? []
      : [
          [
            'Network',
            `${rate(network.receivedBytesPerS)} in, ${rate(network.sentBytesPerS)} out${network.dropsPerS > 0 ? `, ${network.dropsPerS} drops/s` : ''}`,
          ] as const,
        ]),
    ['Up for', duration(uptimeS * 1000)],
  ]
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{visible(name)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** State changes, newest first, as the program wrote them among the lines. */
function Changes({ host, session }: { host: ApiHost; session: Session }) {
  const may = session.role === 'search' || session.role === 'admin'
  const { data, error } = useQuery({
    queryKey: ['state changes', hostKey(host)],
    queryFn: ({ signal }) =>
      search(
        {
          q: `event.kind:state ${filterTerm('host', host.host)}`,
          from: 'now-1d',
          to: 'now',
          limit: CHANGES_MAX,
        },
        signal,
      ),
    enabled: may,
    ...renewedEvery(CHANGES_EVERY_MS),
  })
  if (!may) return <p className="hint">Changes stand among the lines, which {session.name} may not search.</p>
  if (error !== null && data === undefined)
    return <p className="hint">They could not be read: {error.message}</p>
  if (data === undefined) return <p className="hint">…</p>
  if (data.records.length === 0) {
    return (
      <p className="hint">
        {data.meta.complete ? 'Nothing changed.' : 'No change is known, but lines of this time are missing.'}
      </p>
    )
  }
  return (
    <ol className="changes">
      {data.records.map((record) => (
        <Change key={record.id} record={record} />
      ))}
    </ol>
  )
}

function Change({ record }: { record: LogRecord }) {
  const { state, before } = eventOf(record)
  return (
    <li>
      <StateShape state={state} />
      <time dateTime={record.time}>{moment(Date.parse(record.time), Date.now())}</time>
      <span>
        <span className="visually-hidden">
          {before} to {state}:{' '}
        </span>
        {visible(record.message ?? '')}
      </span>
    </li>
  )
}

function eventOf({ attrs }: LogRecord): { state: string; before: string } {
  const event = attrs?.['event']
  const facts =
    typeof event === 'object' && event !== null ? (event as Readonly<Record<string, unknown>>) : {}
  const word = (name: string) => {
    // Attributes come nested or flat, as their writer sent them.
    const value = facts[name] ?? attrs?.[`event.${name}`]
    return typeof value === 'string' ? value : 'unknown'
  }
  return { state: word('state'), before: word('before') }
}
