import { useEffect, useMemo, useState } from 'react'
import { asProblem, type Session } from '../api.ts'
import type { HostsAnswer } from '../api/hosts.ts'
import { useHosts } from '../hooks/use-hosts.ts'
import { useShortcuts } from '../hooks/use-shortcuts.ts'
import {
  formatHostsView,
  hostKey,
  matchHosts,
  parseHostsView,
  stateTotals,
  tierName,
  type HostsView,
} from '../model/hosts.ts'
import { count } from '../model/format.ts'
import { visible } from '../model/visible.ts'
import { FindInput } from '../parts/find-input.tsx'
import { HostList } from '../parts/host-list.tsx'
import { HostPanel } from '../parts/host-panel.tsx'
import { Message } from '../parts/message.tsx'
import { Refusal } from '../parts/refusal.tsx'
import { StaleBanner } from '../parts/stale.tsx'
import { StateShape, stateClass } from '../parts/state.tsx'
import { useAddress } from '../router.tsx'
import './hosts.css'

/** Whether everything is up: tiers, their hosts, and what each says of itself, renewed each second. */
export function HostsPage({ session }: { session: Session }) {
  const [view, change] = useAddress(parseHostsView, formatHostsView)
  const { data, error, refetch, staleSinceMs } = useHosts()
  const refused = data === undefined && error !== null
  return (
    <main className="hosts-page">
      {refused && <Refusal problem={asProblem(error)} onRetry={() => void refetch()} />}
      {data !== undefined && (
        <>
          <Filters answer={data} {...{ view }} onChange={change} />
          <StaleBanner sinceMs={staleSinceMs} />
          {data.hosts.length === 0 && data.tiers.every(({ expected }) => (expected ?? 0) === 0) ? (
            <NoHosts source={data.source} />
          ) : (
            <Hosts
              answer={data}
              session={session}
              stale={staleSinceMs !== null}
              {...{ view }}
              onChange={change}
            />
          )}
        </>
      )}
    </main>
  )
}

interface PartProps {
  readonly answer: HostsAnswer
  readonly view: HostsView
  readonly onChange: (change: Partial<HostsView>, options?: { replace?: boolean }) => void
}

function Hosts({ answer, view, session, stale, onChange }: PartProps & { session: Session; stale: boolean }) {
  const [selected, setSelected] = useState(view.open)
  const matching = useMemo(() => matchHosts(answer.hosts, view), [answer, view])
  const open = view.open === null ? null : (answer.hosts.find((host) => hostKey(host) === view.open) ?? null)

  function close() {
    onChange({ open: null }, { replace: true })
    // What had the focus goes away with the panel.
    document.querySelector<HTMLElement>('.host-list')?.focus()
  }

  useShortcuts({ Escape: () => (view.open === null ? setSelected(null) : close()) })
  // The browser's Back opens another host, and the list follows.
  useEffect(() => {
    if (view.open !== null) setSelected(view.open)
  }, [view.open])

  function select(key: string) {
    setSelected(key)
    // An open host stays open while one goes through the list, as the next one.
    if (view.open !== null) onChange({ open: key }, { replace: true })
  }

  return (
    <div className={stale ? 'hosts-body stale-data' : 'hosts-body'}>
      {matching.length === 0 && answer.hosts.length > 0 ? (
        <NoMatch onClear={() => onChange({ text: '', states: [], tier: null })} />
      ) : (
        <HostList
          tiers={answer.tiers}
          {...{ matching, selected }}
          filtered={view.text !== '' || view.states.length > 0 || view.tier !== null}
          grid={view.grid}
          now={Date.parse(answer.at)}
          onSelect={select}
          onOpen={(key) => {
            setSelected(key)
            onChange({ open: key })
          }}
        />
      )}
      {view.open !== null && (
        <HostPanel
          key={view.open}
          name={view.open}
          host={open}
          now={Date.parse(answer.at)}
          expecting={answer.hosts.some(({ expected }) => expected)}
          {...{ session }}
          onClose={close}
        />
      )}
    </div>
  )
}

function Filters({ answer, view, onChange }: PartProps) {
  const totals = stateTotals(answer.hosts)
  return (
    <search className="hosts-bar">
      <FindInput
        label="Find hosts"
        placeholder="Find: host, tier, check"
        text={view.text}
        onText={(text) => onChange({ text }, { replace: true })}
      />
      <select
        className="button select"
        aria-label="Tier"
        value={view.tier ?? '*'}
        onChange={(event) => onChange({ tier: event.target.value === '*' ? null : event.target.value })}
      >
        <option value="*">All tiers</option>
        {answer.tiers.map(({ name }) => (
          <option key={name} value={name}>
            {visible(tierName(name))}
          </option>
        ))}
      </select>
      <div className="state-filters" role="group" aria-label="Only in these states">
        {totals.map(({ state, hosts }) => {
          const on = view.states.includes(state)
          const states = on ? view.states.filter((one) => one !== state) : [...view.states, state]
          return (
            <button
              key={state}
              type="button"
              className={`state-filter ${stateClass(state)}`}
              aria-pressed={on}
              onClick={() => onChange({ states })}
            >
              <StateShape state={state} />
              {state} <b>{count(hosts)}</b>
            </button>
          )
        })}
      </div>
      <button
        type="button"
        className="button toggle"
        aria-pressed={view.grid}
        aria-keyshortcuts="v"
        title="As tiles, without details (v)"
        onClick={() => onChange({ grid: !view.grid })}
      >
        Tiles
      </button>
    </search>
  )
}

function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <Message title="No host matches">
      <div className="notice-actions">
        <button type="button" className="button" onClick={onClear}>
          Clear the filters
        </button>
      </div>
    </Message>
  )
}

function NoHosts({ source }: { source: string | undefined }) {
  return (
    <Message title="No hosts yet">
      {source === 'none' ? (
        <p>This node gets no word of hosts: it only answers queries. Ask the node that hosts deliver to.</p>
      ) : (
        <>
          <p>Every host that runs a collector shows up here within a second:</p>
          <pre className="sample">noctule collector</pre>
          <p>
            Name the hosts that should be there under <code>tiers</code> in the configuration, and one that is
            missing is shown, too.
          </p>
        </>
      )}
    </Message>
  )
}
