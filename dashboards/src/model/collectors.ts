import type { ApiCollector } from '../api/collectors.ts'
import type { ApiHost, ApiStatus } from '../api/hosts.ts'
import { count } from './format.ts'
import { compareNames } from './hosts.ts'

/** One collector: what it says of itself, and what the ledger knows of it. Null: not told. */
export interface CollectorRow {
  readonly key: string
  readonly id: string
  readonly site: string
  readonly host: string
  readonly tier: string
  readonly version: string | null
  /** ms since its start. */
  readonly runningMs: number | null
  /** How far what is stored is behind the present, ms. */
  readonly lagMs: number | null
  readonly behindBytes: number | null
  readonly spoolBytes: number | null
  readonly spoolBytesMax: number | null
  readonly pendingRecords: number | null
  readonly drops: Readonly<Record<string, number>>
  readonly statsdSeries: number | null
  readonly statsdLost: Readonly<Record<string, number>>
  readonly skewMs: number
  /** What a person should look at, the worst first; empty: all is well. */
  readonly problems: readonly string[]
}

/** What is stored may be so much behind before it counts as a problem. */
const LAG_MAX_MS = 15_000
const SPOOL_SHARE_MAX = 0.5
const BEHIND_BYTES_MAX = 16 * 1024 ** 2
const SKEW_MAX_MS = 2_000

/** Both answers as one table; collectors without a host are rows, too. */
export function collectorRows(
  hosts: readonly ApiHost[],
  collectors: readonly ApiCollector[],
  nowMs: number,
): readonly CollectorRow[] {
  // An import is a stream of its own in the ledger, and no collector.
  const real = collectors.filter(({ kind }) => kind !== 'records')
  const known = new Map(real.map((collector) => [`${collector.site}/${collector.collector}`, collector]))
  const told = hosts.flatMap((host) => {
    const { status = null } = host
    if (status === null) return []
    const key = `${host.site}/${status.id}`
    const ledger = known.get(key) ?? null
    known.delete(key)
    return [rowOf({ key, host, status, ledger, nowMs })]
  })
  const untold = [...known].map(([key, ledger]) => rowOf({ key, host: null, status: null, ledger, nowMs }))
  return [...told, ...untold]
}

interface RowFacts {
  readonly key: string
  readonly host: ApiHost | null
  readonly status: ApiStatus | null
  readonly ledger: ApiCollector | null
  readonly nowMs: number
}

function rowOf({ key, host, status, ledger, nowMs }: RowFacts): CollectorRow {
  const startedMs = Date.parse(status?.startedAt ?? '')
  const storedMs = Date.parse(ledger?.watermark ?? '')
  const row = {
    key,
    id: status?.id ?? ledger?.collector ?? '',
    site: host?.site ?? ledger?.site ?? '',
    host: host?.host ?? ledger?.host ?? '',
    tier: host?.tier ?? '',
    version: status?.version ?? null,
    runningMs: Number.isFinite(startedMs) ? Math.max(0, nowMs - startedMs) : null,
    lagMs: Number.isFinite(storedMs) && ledger?.leftAt === null ? Math.max(0, nowMs - storedMs) : null,
    behindBytes: status?.behindBytes ?? null,
    spoolBytes: status?.spoolBytes ?? null,
    spoolBytesMax: status?.spoolBytesMax ?? null,
    pendingRecords: ledger?.pendingRecords ?? null,
    drops: status?.drops ?? {},
    statsdSeries: status?.statsd?.series ?? null,
    statsdLost: status?.statsd?.lost ?? {},
    skewMs: host?.skewMs ?? ledger?.skewMs ?? 0,
  }
  return { ...row, problems: [...troubles(host, status, ledger), ...measured(row)] }
}

/** What somebody says outright. */
function troubles(
  host: ApiHost | null,
  status: ApiStatus | null,
  ledger: ApiCollector | null,
): readonly string[] {
  const said = [
    host?.state === 'silent' ? 'silent: it is not heard any more' : null,
    prefixed('the spool takes nothing', status?.held),
    ...(status?.destinations ?? []).map(({ name, problem }) => prefixed(name, problem)),
    prefixed('statsd', status?.statsd?.problem),
    (ledger?.clonedAt ?? null) === null ? null : 'two collectors live under its id',
  ]
  return said.filter((problem) => problem !== null)
}

function prefixed(what: string, problem: string | null | undefined): string | null {
  return problem === null || problem === undefined ? null : `${what}: ${problem}`
}

/** What a number says. */
function measured(row: Omit<CollectorRow, 'problems'>): readonly string[] {
  const { lagMs, behindBytes, spoolBytes, spoolBytesMax, skewMs } = row
  const full = spoolBytes !== null && (spoolBytesMax ?? 0) > 0 ? spoolBytes / (spoolBytesMax ?? 1) : 0
  const said = [
    full > SPOOL_SHARE_MAX ? `its spool is ${Math.round(full * 100)} % full` : null,
    lagMs !== null && lagMs > LAG_MAX_MS ? 'what it sends is stored late' : null,
    (behindBytes ?? 0) > BEHIND_BYTES_MAX ? 'it reads files more slowly than they grow' : null,
    sumOf(row.drops) > 0 ? `it dropped ${writeReasons(row.drops)}` : null,
    sumOf(row.statsdLost) > 0 ? `statsd lost at least ${writeReasons(row.statsdLost)}` : null,
    Math.abs(skewMs) > SKEW_MAX_MS ? 'its clock is off' : null,
  ]
  return said.filter((problem) => problem !== null)
}

const sumOf = (by: Readonly<Record<string, number>>) => Object.values(by).reduce((sum, one) => sum + one, 0)

/** '120 kernel, 3 malformed' */
export function writeReasons(by: Readonly<Record<string, number>>): string {
  return Object.entries(by)
    .filter(([, of]) => of > 0)
    .toSorted(([, one], [, other]) => other - one)
    .map(([reason, of]) => `${count(of)} ${reason}`)
    .join(', ')
}

/** What the table can be sorted by; `problems` is how it opens. */
export const COLLECTOR_COLUMNS = [
  'problems',
  'host',
  'version',
  'running',
  'lag',
  'behind',
  'spool',
  'dropped',
  'statsd',
  'skew',
] as const
export type CollectorColumn = (typeof COLLECTOR_COLUMNS)[number]

const NUMBERS: Readonly<
  Record<Exclude<CollectorColumn, 'host' | 'version'>, (row: CollectorRow) => number | null>
> = {
  problems: ({ problems }) => problems.length,
  running: ({ runningMs }) => runningMs,
  lag: ({ lagMs }) => lagMs,
  behind: ({ behindBytes }) => behindBytes,
  spool: ({ spoolBytes }) => spoolBytes,
  dropped: ({ drops }) => sumOf(drops),
  statsd: ({ statsdLost, statsdSeries }) => sumOf(statsdLost) * 1e9 + (statsdSeries ?? 0),
  skew: ({ skewMs }) => Math.abs(skewMs),
}

/** Numbers the greatest first, names from a to z; what is not told comes last either way. Ties stand in order of host. */
export function sortCollectors(
  rows: readonly CollectorRow[],
  { column, reverse }: { column: CollectorColumn; reverse: boolean },
): readonly CollectorRow[] {
  const turn = reverse ? -1 : 1
  const byName = (one: CollectorRow, other: CollectorRow) =>
    compareNames(one.host, other.host) || compareNames(one.key, other.key)
  if (column === 'host') return rows.toSorted((one, other) => turn * byName(one, other))
  if (column === 'version') {
    return rows.toSorted(
      (one, other) => turn * compareNames(one.version ?? '', other.version ?? '') || byName(one, other),
    )
  }
  const of = NUMBERS[column]
  return rows.toSorted((one, other) => {
    const [a, b] = [of(one), of(other)]
    if (a === null || b === null) return Number(a === null) - Number(b === null) || byName(one, other)
    return turn * (b - a) || byName(one, other)
  })
}

export function matchCollectors(rows: readonly CollectorRow[], text: string): readonly CollectorRow[] {
  const words = text
    .toLowerCase()
    .split(/\s+/u)
    .filter((word) => word !== '')
  return rows.filter((row) => {
    const all = [row.host, row.site, row.tier, row.id, row.version ?? '', ...row.problems]
      .join('\n')
      .toLowerCase()
    return words.every((word) => all.includes(word))
  })
}

export interface CollectorsView {
  readonly text: string
  readonly column: CollectorColumn
  readonly reverse: boolean
  /** Only those with a problem. */
  readonly troubled: boolean
}

export function parseCollectorsView(queryString: string): CollectorsView {
  const given = new URLSearchParams(queryString)
  const sort = given.get('sort') ?? ''
  return {
    text: given.get('q') ?? '',
    column: COLLECTOR_COLUMNS.find((column) => column === sort.replace(/^-/u, '')) ?? 'problems',
    reverse: sort.startsWith('-'),
    troubled: given.get('problems') === '1',
  }
}

/** parseCollectorsView() of it is the view. */
export function formatCollectorsView({ text, column, reverse, troubled }: CollectorsView): string {
  const out = new URLSearchParams()
  if (text !== '') out.set('q', text)
  if (column !== 'problems' || reverse) out.set('sort', `${reverse ? '-' : ''}${column}`)
  if (troubled) out.set('problems', '1')
  return out.size === 0 ? '' : `?${out}`
}
