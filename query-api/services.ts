import type { Config } from '../core/config.ts'
import type {
  Clock,
  Completeness,
  HealthBoard,
  Intake,
  Logger,
  MetricStore,
  Metrics,
  Quarantine,
  RecordImport,
  Store,
} from '../core/ports.ts'
import type { Access } from './access/access.ts'

/** What this build is, as Dockerflow shows it. */
interface Version {
  readonly source: string
  readonly version: string
  readonly commit: string
  readonly build: string
}

/** One thing that a heartbeat looks at. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  /** For everybody to read: no secrets, no paths. */
  readonly detail: string
}

/** Everything that the query API stands on. */
export interface Services {
  readonly config: Config
  /** The site of this node. */
  readonly site: string
  /** The sites whose records stand in its store: configured, so that one that is gone is still named. */
  readonly holds: readonly string[]
  readonly store: Store
  readonly metricStore: MetricStore
  /** The newest word of every host. */
  readonly health: HealthBoard
  readonly completeness: Completeness
  /** Takes batches and marks; null: this process only answers. */
  readonly intake: Intake | null
  readonly recordImport: RecordImport | null
  /** False: this process only takes batches, and neither answers queries nor serves the dashboards. */
  readonly answers: boolean
  /** Outside systems that it stands on besides its store. */
  readonly checks: () => readonly Check[]
  readonly quarantine: Quarantine
  readonly metrics: Metrics
  readonly log: Logger
  readonly clock: Clock
  readonly access: Access
  readonly version: Version
  /** The built web app; while it is missing, `/` says how to build it. */
  readonly dashboardsDir: string
}
