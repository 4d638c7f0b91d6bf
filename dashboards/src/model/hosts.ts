import type { ApiCheck, ApiHost, ApiTier, HostState } from '../api/hosts.ts'

/** The worst first. */
const HOST_STATES = [
  'silent',
  'missing',
  'fail',
  'unknown',
  'warn',
  'ok',
] as const satisfies readonly HostState[]

export interface HostsView {
  /** Words that the host, its tier, its site or one of its checks must have. */
  readonly text: string
  /** Empty: all. */
  readonly states: readonly HostState[]
  /** Null: all. */
  readonly tier: string | null
  readonly grid: boolean
  /** Key of the host that is looked at; null: none. */
  readonly open: string | null
}

export function parseHostsView(queryString: string): HostsView {
  const given = new URLSearchParams(queryString)
  const states = (given.get('state') ?? '').split(',')
  return {
    text: given.get('q') ?? '',
    states: HOST_STATES.filter((state) => states.includes(state)),
    tier: given.get('tier'),
    grid: given.get('view') === 'grid',
    open: given.get('host'),
  }
}

/** parseHostsView() of it is the view. */
export function formatHostsView({ text, states, tier, grid, open }: HostsView): string {
  const out = new URLSearchParams()
  if (text !== '') out.set('q', text)
  if (states.length > 0) out.set('state', states.join(','))
  if (tier !== null) out.set('tier', tier)
  if (grid) out.set('view', 'grid')
  if (open !== null) out.set('host', open)
  return out.size === 0 ? '' : `?${out}`
}

/** Names of hosts are told apart by their site. */
export const hostKey = ({ site, host }: Pick<ApiHost, 'site' | 'host'>) => `${site}/${host}`

const rank = (state: string) => {
  const at = (HOST_STATES as readonly string[]).indexOf(state)
  // A state that this page does not know yet counts as unknown.
  return at < 0 ? HOST_STATES.indexOf('unknown') : at
}

export const tierName = (name: string) => (name === '' ? 'no tier' : name)

/** Worst first, then by name. */
function byState(one: ApiHost, other: ApiHost): number {
  return rank(one.state) - rank(other.state) || compareNames(one.host, other.host)
}

const collator = new Intl.Collator('en', { numeric: true })
export const compareNames = (one: string, other: string) => collator.compare(one, other)

export function matchHosts(hosts: readonly ApiHost[], { text, states, tier }: HostsView): readonly ApiHost[] {
  const words = text
    .toLowerCase()
    .split(/\s+/u)
    .filter((word) => word !== '')
  return hosts.filter((host) => {
    if (states.length > 0 && !states.includes(host.state)) return false
    if (tier !== null && host.tier !== tier) return false
    if (words.length === 0) return true
    const all = [host.host, host.site, host.tier, ...host.checks.map((check) => check.name)]
      .join('\n')
      .toLowerCase()
    return words.every((word) => all.includes(word))
  })
}

/** A row of the list: the head of a tier, or one host, or as many as fit side by side. */
export type HostRow =
  | { readonly kind: 'tier'; readonly tier: ApiTier; readonly shown: number }
  | { readonly kind: 'hosts'; readonly hosts: readonly ApiHost[] }

/** Tiers, those with the worst host first, each with its hosts. Tiers in which nothing matches are left out, but not those that lack hosts. */
export function hostRows(
  tiers: readonly ApiTier[],
  matching: readonly ApiHost[],
  { columns, filtered }: { columns: number; filtered: boolean },
): readonly HostRow[] {
  const members = Map.groupBy(matching, ({ tier }) => tier)
  const known = new Set(tiers.map(({ name }) => name))
  const unlisted = [...members.keys()].filter((name) => !known.has(name)).map(countTier(members))
  const worst = ({ name }: ApiTier) =>
    Math.min(HOST_STATES.length, ...(members.get(name) ?? []).map(({ state }) => rank(state)))
  return [...tiers, ...unlisted]
    .filter(({ name, expected }) => members.has(name) || (!filtered && (expected ?? 0) > 0))
    .toSorted((one, other) => worst(one) - worst(other) || compareNames(one.name, other.name))
    .flatMap((tier): HostRow[] => {
      const hosts = (members.get(tier.name) ?? []).toSorted(byState)
      const rows = Array.from({ length: Math.ceil(hosts.length / columns) }, (_, at) => ({
        kind: 'hosts' as const,
        hosts: hosts.slice(at * columns, (at + 1) * columns),
      }))
      return [{ kind: 'tier', tier, shown: hosts.length }, ...rows]
    })
}

/** A tier that the answer did not count. */
function countTier(members: ReadonlyMap<string, readonly ApiHost[]>) {
  return (name: string): ApiTier => ({
    name,
    expected: null,
    hosts: members.get(name)?.length ?? 0,
    up: 0,
    states: {},
  })
}

/** How many hosts are in each state, the worst first; states without one are left out. */
export function stateTotals(hosts: readonly ApiHost[]): readonly { state: HostState; hosts: number }[] {
  return HOST_STATES.map((state) => ({
    state,
    hosts: hosts.filter((host) => host.state === state).length,
  })).filter(({ hosts: of }) => of > 0)
}

/** The worst check first, then by name. */
export function sortChecks(checks: readonly ApiCheck[]): readonly ApiCheck[] {
  return checks.toSorted(
    (one, other) => rank(one.state) - rank(other.state) || compareNames(one.name, other.name),
  )
}

export type Move = 'up' | 'down' | 'left' | 'right' | 'first' | 'last'

/** The host that a key leads to: through rows of tiers and tiles as they are shown. */
export function moveTo(rows: readonly HostRow[], from: string | null, move: Move): string | null {
  const lines = rows.filter((row) => row.kind === 'hosts').map(({ hosts }) => hosts.map(hostKey))
  const flat = lines.flat()
  const [first, last] = [flat[0] ?? null, flat.at(-1) ?? null]
  if (move === 'first' || move === 'last') return move === 'first' ? first : last
  const line = lines.findIndex((keys) => from !== null && keys.includes(from))
  if (line < 0) return move === 'up' || move === 'left' ? last : first
  const column = lines[line]?.indexOf(from ?? '') ?? 0
  if (move === 'left' || move === 'right') {
    return flat[flat.indexOf(from ?? '') + (move === 'left' ? -1 : 1)] ?? from
  }
  const next = lines[line + (move === 'up' ? -1 : 1)]
  return next?.[Math.min(column, next.length - 1)] ?? from
}
