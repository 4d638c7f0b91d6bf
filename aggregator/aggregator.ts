import { randomBytes } from 'node:crypto'
import type { Config } from '../core/config.ts'
import type {
  Clock,
  Completeness,
  Intake,
  Logger,
  MetricStore,
  Metrics,
  Quarantine,
  RecordImport,
  Store,
} from '../core/ports.ts'
import { enrichBatch, enrichImported } from './enrich/enrich.ts'
import { createHealthService, type HealthService } from './health/service.ts'
import { createImport } from './import.ts'
import { createLedgerService, type LedgerServiceOptions } from './ledger.ts'
import { createPipeline, type Enrich } from './pipeline.ts'

export interface AggregatorOptions {
  readonly store: Store
  readonly metricStore: Pick<MetricStore, 'append'>
  /** The site of this node. */
  readonly site: string
  /** Name of this node. */
  readonly node: string
  readonly quarantine: Quarantine
  /** What lines become; the product's own unless a test brings another. */
  readonly enrich?: Enrich
  /** What should be there. */
  readonly tiers: Config['tiers']
  /** Site under which hosts of `tiers` that were never heard are listed; by default this node's. */
  readonly expectedAt?: string
  /** See HealthServiceOptions. */
  readonly tells?: (site: string) => boolean
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly settleMs: number
  readonly silentAfterMs: number
  /** See LedgerServiceOptions. */
  readonly followMs: number | null
}

/** Batches → what is kept, the ledger of what is missing, and the newest word of every host. */
export interface Aggregator {
  readonly intake: Intake
  readonly recordImport: RecordImport
  readonly completeness: Completeness
  readonly health: HealthService
  /** Before anything is handed to `intake`. */
  start(): Promise<void>
  /** Finishes what was begun, until the signal aborts; everything later is answered SHUTTING_DOWN. */
  stop(signal: AbortSignal): Promise<void>
}

export function createAggregator({
  enrich = { enrichBatch, enrichImported },
  ...rest
}: AggregatorOptions): Aggregator {
  const options = { ...rest, enrich }
  const ledger = createLedgerService(options)
  const randomHex = (bytes: number) => randomBytes(bytes).toString('hex')
  const recordImport = createImport({ ...options, ledger, randomHex })
  const health = createHealthService({ ...options, site: options.expectedAt ?? options.site, recordImport })
  const pipeline = createPipeline({ ...options, ledger, health: health.take })
  return {
    intake: pipeline,
    recordImport,
    completeness: ledger,
    health,
    async start() {
      await ledger.start()
      health.start()
    },
    async stop(signal) {
      await health.stop(signal)
      await pipeline.stop(signal)
      await ledger.stop()
    },
  }
}

/** Follows the ledger that aggregators of other processes write, and the hosts, for a process that only answers. */
export function createOnlooker(
  options: LedgerServiceOptions & Pick<AggregatorOptions, 'site' | 'expectedAt' | 'tiers' | 'metrics'>,
): Omit<Aggregator, 'intake' | 'recordImport'> & {
  readonly intake: null
  readonly recordImport: null
} {
  const ledger = createLedgerService(options)
  const health = createHealthService({
    ...options,
    site: options.expectedAt ?? options.site,
    recordImport: null,
  })
  return {
    intake: null,
    recordImport: null,
    completeness: ledger,
    health,
    async start() {
      await ledger.start()
      health.start()
    },
    async stop(signal) {
      await health.stop(signal)
      await ledger.stop()
    },
  }
}
