import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, type KeyboardEvent } from 'react'
import type { ApiHost, ApiTier } from '../api/hosts.ts'
import { useHostFacts } from '../hooks/use-hosts.ts'
import { useWidth } from '../hooks/use-width.ts'
import { hostKey, hostRows, moveTo, tierName, type HostRow, type Move } from '../model/hosts.ts'
import { count, plural } from '../model/format.ts'
import { visible } from '../model/visible.ts'
import { HostColumns, HostLine, HostTile } from './host-line.tsx'
import { StateShape, stateClass } from './state.tsx'

const ROW_PX = 30
const TIER_PX = 40
const TILE_PX = 38
const TILE_WIDTH_PX = 190
const MOVES: Readonly<Record<string, Move>> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
  Home: 'first',
  End: 'last',
}

interface HostListProps {
  readonly tiers: readonly ApiTier[]
  readonly matching: readonly ApiHost[]
  readonly filtered: boolean
  readonly grid: boolean
  readonly selected: string | null
  /** By the server's clock. */
  readonly now: number
  readonly onSelect: (key: string) => void
  readonly onOpen: (key: string) => void
}

/** Tiers with their hosts, the worst first. Only what is in view is drawn, and only its facts are asked for. */
export function HostList(props: HostListProps) {
  const { tiers, matching, filtered, grid, selected, now, onSelect, onOpen } = props
  const [frame, width] = useWidth<HTMLDivElement>()
  const columns = grid ? Math.max(1, Math.floor((width - 24) / TILE_WIDTH_PX)) : 1
  const rows = useMemo(
    () => hostRows(tiers, matching, { columns, filtered }),
    [tiers, matching, columns, filtered],
  )
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: (at) => (rows[at]?.kind === 'tier' ? TIER_PX : grid ? TILE_PX : ROW_PX),
    getItemKey: (at) => keyOf(rows[at]),
    overscan: 12,
  })
  useEffect(() => virtual.measure(), [grid, rows.length, virtual])
  const items = virtual.getVirtualItems()
  // What only passes by is not asked for.
  const shown = useRef<readonly string[]>([])
  if (!virtual.isScrolling) {
    shown.current = grid ? [] : items.flatMap(({ index }) => hostsOf(rows[index]).map(({ host }) => host))
  }
  const facts = useHostFacts(shown.current)

  useEffect(() => {
    const at = rows.findIndex((row) => hostsOf(row).some((host) => hostKey(host) === selected))
    if (at >= 0) virtual.scrollToIndex(at)
    // Only when another host is selected: not each time that the list is renewed.
  }, [selected])

  function press(event: KeyboardEvent) {
    const move = MOVES[event.key]
    if (event.key === 'Enter' && selected !== null) onOpen(selected)
    if (move === undefined) return
    event.preventDefault()
    const next = moveTo(rows, selected, move)
    if (next !== null) onSelect(next)
  }

  const drawn = items.some(({ index }) => hostsOf(rows[index]).some((host) => hostKey(host) === selected))
  return (
    <div className={grid ? 'host-frame grid' : 'host-frame'}>
      {!grid && <HostColumns />}
      <div
        ref={frame}
        className="host-list"
        role="listbox"
        aria-label={`${plural(matching.length, 'host')}, the worst first`}
        aria-activedescendant={drawn && selected !== null ? `host-${selected}` : undefined}
        tabIndex={0}
        onKeyDown={press}
      >
        <div role="presentation" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {items.map(({ index, key, start, size }) => (
            <div
              key={key}
              role="presentation"
              className="host-row-frame"
              style={{ height: size, transform: `translateY(${start}px)` }}
            >
              <Row row={rows[index]} {...{ grid, selected, facts, now, onOpen }} />
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}

const hostsOf = (row: HostRow | undefined) => (row?.kind === 'hosts' ? row.hosts : [])

function keyOf(row: HostRow | undefined): string {
  if (row === undefined) return ''
  return row.kind === 'tier' ? `tier ${row.tier.name}` : row.hosts.map(hostKey).join(' ')
}

interface RowProps {
  readonly row: HostRow | undefined
  readonly grid: boolean
  readonly selected: string | null
  readonly facts: ReadonlyMap<string, ApiHost>
  readonly now: number
  readonly onOpen: (key: string) => void
}

function Row({ row, grid, selected, facts, now, onOpen }: RowProps) {
  if (row === undefined) return null
  if (row.kind === 'tier') return <TierHead tier={row.tier} shown={row.shown} />
  return row.hosts.map((host) => {
    const key = hostKey(host)
    return (
      <div
        key={key}
        id={`host-${key}`}
        role="option"
        aria-selected={key === selected}
        className={`host ${stateClass(host.state)}`}
        onClick={() => onOpen(key)}
      >
        {grid ? (
          <HostTile host={host} now={now} />
        ) : (
          <HostLine host={host} facts={facts.get(key)?.facts ?? null} now={now} />
        )}
      </div>
    )
  })
}

function TierHead({ tier, shown }: { tier: ApiTier; shown: number }) {
  const { name, expected, hosts, up, states } = tier
  const short = expected !== null && up < expected
  return (
    <div className="tier-head">
      <strong>{visible(tierName(name))}</strong>
      <span className="hint">
        {up} of {count(Math.max(hosts, expected ?? 0))} up
        {expected !== null && expected !== hosts && `, ${count(expected)} expected`}
        {shown !== hosts && `, ${count(shown)} shown`}
      </span>
      {short && up === hosts && (
        <span className="tier-short">{plural(expected - hosts, 'host')} fewer than expected</span>
      )}
      <span className="tier-states">
        {Object.entries(states)
          .filter(([state]) => state !== 'ok')
          .map(([state, of]) => (
            <span key={state} className={stateClass(state)}>
              <StateShape state={state} />
              {of} {state}
            </span>
          ))}
      </span>
    </div>
  )
}
