import { HOST_STATES, type HealthReport, type HostHealth, type HostState } from '../../core/health.ts'

/** A host that reports each second is silent after so much time: three reports in a row did not come. */
export const SILENT_AFTER_MS = 3_500
/** The same for hosts that report less often, in intervals. */
const SILENT_AFTER_INTERVALS = 3.5
/** Whatever interval a collector names. */
const SILENT_AFTER_MS_MAX = 3_600_000
/** After our start: what nobody can have reported yet is not told as missing. */
export const START_GRACE_MS = 10_000
/** While we hear nothing of a site because of our own connection, silence says nothing; but not for ever. */
export const DEAF_GRACE_MS = 15_000
/** A host that was silent for this long, and is not expected, is listed no more. */
export const FORGET_AFTER_MS = 86_400_000
/** Reports that overtook each other on the way are not further apart; a step back beyond it is a clock that was set. */
const OVERTAKEN_MS_MAX = 2_000
/** Hosts that are remembered, whatever names are sent. */
const HOSTS_MAX = 20_000
/** Of all reports together, as JSON. */
const REPORT_BYTES_MAX = 256 << 20
/** Measuring costs as much as all the rest: a report grows slowly, and every one is bounded where it comes in. */
const MEASURE_EVERY = 10
/** How often room is made for new names, at most: it looks at every host. */
const MAKE_ROOM_EVERY_MS = 1_000
/** So many of the longest silent go then. */
const MAKE_ROOM_SHARE = 0.05

/** A moment by both clocks: the one that never goes back for durations, the wall for people. */
export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

/** A host became silent or missing, or is back from that. */
export interface HostChange {
  readonly site: string
  readonly host: string
  readonly tier: string
  readonly state: HostState
  readonly before: HostState
  readonly atMs: number
  /** Since its last word; null: it was never heard. */
  readonly unheardMs: number | null
}

export interface BoardOptions {
  /** Name of a host → its tier: what should be there. */
  readonly expected: ReadonlyMap<string, string>
  /** Where hosts that were never heard are listed. */
  readonly site: string
  readonly startedAt: Moment
  readonly hostsMax?: number
  readonly reportBytesMax?: number
}

/** The newest word of every host. Knows no clock: every call brings its moment. */
export interface Board {
  /** 'refused': there is no room for another host. */
  take(site: string, report: HealthReport, at: Moment): 'taken' | 'overtaken' | 'refused'
  /** Judges silence. */
  look(at: Moment): void
  /** Silence before this moment says nothing of the hosts (of this site, or of all): we could not have heard them. */
  doubt(at: Moment, site?: string): void
  /** What happened since the last call. */
  changes(): HostChange[]
  hosts(): HostHealth[]
  /** How many of them are in a state. */
  count(state: HostState): number
}

/** A report as it is kept, in bytes of JSON. */
interface Kept {
  report: HealthReport
  reportBytes: number
  /** Of the report as it came, when it was measured last; so many reports were taken since. */
  wholeBytes: number
  takenUnmeasured: number
}

interface Host extends Kept {
  readonly site: string
  readonly host: string
  tier: string
  state: HostState
  sinceMs: number
  heardAt: Moment
  silentAfterMs: number
  /** It said goodbye. */
  left: boolean
}

interface Missing {
  readonly tier: string
  sinceMs: number
  told: boolean
}

export function createBoard(options: BoardOptions): Board {
  const { expected, startedAt, hostsMax = HOSTS_MAX, reportBytesMax = REPORT_BYTES_MAX } = options
  const hosts = new Map<string, Host>()
  const missing = new Map<string, Missing>()
  const doubts = new Map<string, number>()
  let doubtAllMs = 0
  let reportBytes = 0
  let roomMadeMs = -Infinity
  let changes: HostChange[] = []
  for (const [host, tier] of expected) missing.set(host, { tier, sinceMs: startedAt.wallMs, told: false })

  const keyOf = (site: string, host: string) => `${site}\0${host}`
  const isExpected = (host: string) => expected.has(host)
  const isListed = ({ left, host }: Host) => !left || isExpected(host)

  function change(host: Host, state: HostState, at: Moment) {
    const before = host.state
    if (before === state) return
    host.state = state
    host.sinceMs = at.wallMs
    if (state !== 'silent' && before !== 'silent') return
    const unheardMs = at.monotonicMs - host.heardAt.monotonicMs
    const { site, host: name, tier } = host
    changes.push({ site, host: name, tier, state, before, atMs: at.wallMs, unheardMs })
  }

  function heardOfMissing({ site, host, tier, state }: Host, at: Moment) {
    const was = missing.get(host)
    if (!missing.delete(host) || was?.told !== true) return
    changes.push({ site, host, tier, state, before: 'missing', atMs: at.wallMs, unheardMs: null })
  }

  /** A report for which there is no room keeps its state and loses its details. */
  function keep(report: HealthReport, before: Kept): Kept {
    const measure = before.takenUnmeasured >= MEASURE_EVERY
    const wholeBytes = measure ? sizeOf(report) : before.wholeBytes
    const fits = reportBytes - before.reportBytes + wholeBytes <= reportBytesMax
    const kept = fits ? report : { ...report, checks: [], facts: null }
    const bytes = fits ? wholeBytes : sizeOf(kept)
    reportBytes += bytes - before.reportBytes
    const takenUnmeasured = measure ? 0 : before.takenUnmeasured + 1
    return { report: kept, reportBytes: bytes, wholeBytes, takenUnmeasured }
  }

  function drop(key: string, { reportBytes: bytes }: Host) {
    hosts.delete(key)
    reportBytes -= bytes
  }

  /** Those that left go first, then the longest silent; never one that is expected or alive. */
  function makeRoom({ monotonicMs }: Moment): boolean {
    if (monotonicMs - roomMadeMs < MAKE_ROOM_EVERY_MS) return false
    roomMadeMs = monotonicMs
    const rank = ({ left, heardAt }: Host) => (left ? -Infinity : heardAt.monotonicMs)
    const gone = [...hosts]
      .filter(([, { host, left, state }]) => left || (state === 'silent' && !isExpected(host)))
      .sort(([, a], [, b]) => (rank(a) < rank(b) ? -1 : 1))
      .slice(0, Math.max(1, Math.ceil(hostsMax * MAKE_ROOM_SHARE)))
    for (const [key, host] of gone) drop(key, host)
    return gone.length > 0
  }

  function admit(key: string, site: string, report: HealthReport, at: Moment): Host | null {
    if (hosts.size >= hostsMax && !isExpected(report.host) && !makeRoom(at)) return null
    const host: Host = {
      site,
      host: report.host,
      tier: tierOf(report),
      state: worstOf(report),
      sinceMs: at.wallMs,
      ...keep(report, { report, reportBytes: 0, wholeBytes: 0, takenUnmeasured: MEASURE_EVERY }),
      heardAt: at,
      silentAfterMs: 0,
      left: false,
    }
    hosts.set(key, host)
    heardOfMissing(host, at)
    return host
  }

  const tierOf = ({ tier, host }: HealthReport) => tier || (expected.get(host) ?? '')

  function trusted({ site, heardAt }: Host): number {
    return Math.max(heardAt.monotonicMs, doubtAllMs, doubts.get(site) ?? 0)
  }

  function lookAtMissing(at: Moment) {
    if (at.monotonicMs - startedAt.monotonicMs < START_GRACE_MS) return
    for (const [host, state] of missing) {
      if (state.told) continue
      state.told = true
      const { site } = options
      const told = { state: 'missing' as const, before: 'missing' as const, unheardMs: null }
      changes.push({ site, host, tier: state.tier, atMs: at.wallMs, ...told })
    }
  }

  return {
    take(site, report, at) {
      const key = keyOf(site, report.host)
      const known = hosts.get(key)
      if (known !== undefined && isOvertaken(known.report, report)) return 'overtaken'
      const host = known ?? admit(key, site, report, at)
      if (host === null) return 'refused'
      const state = worstOf(report)
      host.tier = tierOf(report)
      if (known !== undefined) Object.assign(host, keep(report, host))
      host.left = report.goodbye === true
      if (!host.left) change(host, state, at)
      host.heardAt = at
      host.silentAfterMs = silentAfterMs(report)
      return 'taken'
    },
    look(at) {
      for (const [key, host] of hosts) {
        const unheardMs = at.monotonicMs - trusted(host)
        if (unheardMs <= host.silentAfterMs) continue
        if (!host.left || isExpected(host.host)) change(host, 'silent', at)
        if (unheardMs > FORGET_AFTER_MS && !isExpected(host.host)) drop(key, host)
      }
      lookAtMissing(at)
    },
    doubt({ monotonicMs }, site) {
      if (site === undefined) doubtAllMs = monotonicMs
      else doubts.set(site, monotonicMs)
    },
    changes() {
      const happened = changes
      changes = []
      return happened
    },
    count(state) {
      const heard = [...hosts.values()].filter((host) => isListed(host) && host.state === state).length
      return state === 'missing' ? missing.size : heard
    },
    hosts() {
      const heard = [...hosts.values()]
        .filter(isListed)
        .map((host) => publicHost(host, isExpected(host.host)))
      const never = [...missing].map(([host, { tier, sinceMs }]) =>
        unheardHost({ site: options.site, host, tier, sinceMs }),
      )
      return [...heard, ...never].sort(bySiteAndName)
    },
  }
}

/** The worst of its checks. */
export function worstOf({ checks }: Pick<HealthReport, 'checks'>): HostState {
  const rank = (state: HostState) => HOST_STATES.indexOf(state)
  return checks.reduce<HostState>((worst, { state }) => (rank(state) < rank(worst) ? state : worst), 'ok')
}

/** Of the same run of a collector, an older report never replaces a newer one. */
function isOvertaken(known: HealthReport, report: HealthReport): boolean {
  const sameRun =
    known.collector === report.collector && known.status.startedAtMs === report.status.startedAtMs
  const behindMs = known.sentAtMs - report.sentAtMs
  // What comes after a goodbye of the same run was sent before it.
  if (sameRun && known.goodbye === true && report.goodbye !== true) return true
  return sameRun && behindMs > 0 && behindMs <= OVERTAKEN_MS_MAX
}

function sizeOf(report: HealthReport): number {
  return JSON.stringify(report).length
}

function silentAfterMs({ intervalMs }: HealthReport): number {
  return Math.min(SILENT_AFTER_MS_MAX, Math.max(SILENT_AFTER_MS, SILENT_AFTER_INTERVALS * intervalMs))
}

function publicHost(from: Host, expected: boolean): HostHealth {
  const { site, host, tier, state, sinceMs, heardAt, report } = from
  const skewMs = report.sentAtMs - heardAt.wallMs
  return { site, host, tier, state, sinceMs, expected, reportedAtMs: heardAt.wallMs, skewMs, report }
}

function unheardHost(from: Pick<HostHealth, 'site' | 'host' | 'tier' | 'sinceMs'>): HostHealth {
  return { ...from, state: 'missing', expected: true, reportedAtMs: null, skewMs: 0, report: null }
}

function bySiteAndName(a: HostHealth, b: HostHealth): number {
  if (a.site !== b.site) return a.site < b.site ? -1 : 1
  if (a.host !== b.host) return a.host < b.host ? -1 : 1
  return 0
}
