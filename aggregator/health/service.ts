import type { Config } from '../../core/config.ts'
import { HOST_STATES } from '../../core/health.ts'
import type { Clock, HealthBoard, Intake, Logger, Metrics, RecordImport } from '../../core/ports.ts'
import { createBoard, DEAF_GRACE_MS, type Board, type Moment } from './board.ts'
import { createTeller } from './tell.ts'

/** How soon after its limit a host is called silent. */
const LOOK_EVERY_MS = 250
/** A loop of ours that stood still for longer cannot say who was silent. */
const STALL_MS_MAX = 1_000

export interface HealthServiceOptions {
  readonly tiers: Config['tiers']
  /** Where expected hosts that were never heard are listed. */
  readonly site: string
  /** Takes what became of hosts, as records; null: another process tells. */
  readonly recordImport: RecordImport | null
  /** False: another process that hears the same hosts tells of this site; by default this one does. */
  readonly tells?: (site: string) => boolean
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/** The board and the clock that looks at it. */
export interface HealthService extends HealthBoard {
  readonly take: Intake['health']
  /** Whether reports of the site can reach us; while they cannot, its hosts are not called silent at once. */
  hearing(site: string, hears: boolean): void
  start(): void
  /** Tells what is not told yet, unless the signal aborts. */
  stop(signal: AbortSignal): Promise<void>
}

export function createHealthService(options: HealthServiceOptions): HealthService {
  const { tiers, site, recordImport, tells = () => true, clock, metrics } = options
  const now = (): Moment => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() })
  const board = createBoard({ expected: expectedHosts(tiers), site, startedAt: now() })
  const teller = recordImport === null ? null : createTeller({ ...options, recordImport, tells })
  const reports = metrics.counter(
    'noctule_health_reports_total',
    'Reports of hosts by what became of them.',
    ['result'],
  )
  let lookedMs = clock.monotonicMs()
  let cancel = () => {}
  gauges(board, metrics)

  function look() {
    const at = now()
    if (at.monotonicMs - lookedMs > LOOK_EVERY_MS + STALL_MS_MAX) board.doubt(at)
    lookedMs = at.monotonicMs
    board.look(at)
    const changes = board.changes()
    teller?.tell(changes)
    cancel = clock.after(LOOK_EVERY_MS, look)
  }

  return {
    hosts: () => board.hosts(),
    take(report, origin) {
      reports.add(1, { result: board.take(origin.site, report, now()) })
    },
    hearing(of, hears) {
      const { monotonicMs, wallMs } = now()
      board.doubt({ monotonicMs: monotonicMs + (hears ? 0 : DEAF_GRACE_MS), wallMs }, of)
    },
    start() {
      lookedMs = clock.monotonicMs()
      look()
    },
    async stop(signal) {
      cancel()
      await teller?.stop(signal)
    },
  }
}

function expectedHosts(tiers: Config['tiers']): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(tiers).flatMap(([tier, { hosts }]) => hosts.map((host) => [host, tier] as const)),
  )
}

function gauges(board: Pick<Board, 'count'>, metrics: Metrics): void {
  for (const state of HOST_STATES)
    metrics.gauge(`noctule_hosts_${state}`, `Hosts in the state ${state}.`, () => board.count(state))
}
