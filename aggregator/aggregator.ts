import { randomBytes } from 'node:crypto'
import type {
  Clock,
  Completeness,
  Intake,
  Logger,
  Metrics,
  Quarantine,
  RecordImport,
  Store,
} from '../core/ports.ts'
import { enrichBatch, enrichImported } from './enrich/enrich.ts'
import { createImport } from './import.ts'
import { createLedgerService, type LedgerServiceOptions } from './ledger.ts'
import { createPipeline, type Enrich } from './pipeline.ts'

export interface AggregatorOptions {
  readonly store: Store
  /** The site of this node. */
  readonly site: string
  /** Name of this node. */
  readonly node: string
  readonly quarantine: Quarantine
  /** What lines become; the product's own unless a test brings another. */
  readonly enrich?: Enrich
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly settleMs: number
  readonly silentAfterMs: number
  /** See LedgerServiceOptions. */
  readonly followMs: number | null
}

/** Batches → what is kept, and the ledger of what is missing. */
export interface Aggregator {
  readonly intake: Intake
  readonly recordImport: RecordImport
  readonly completeness: Completeness
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
  const pipeline = createPipeline({ ...options, ledger })
  const randomHex = (bytes: number) => randomBytes(bytes).toString('hex')
  return {
    intake: pipeline,
    recordImport: createImport({ ...options, ledger, randomHex }),
    completeness: ledger,
    start: () => ledger.start(),
    async stop(signal) {
      await pipeline.stop(signal)
      await ledger.stop()
    },
  }
}

/** Follows the ledger that aggregators of other processes write, for a process that only answers. */
export function createOnlooker(options: LedgerServiceOptions): Omit<Aggregator, 'intake' | 'recordImport'> & {
  readonly intake: null
  readonly recordImport: null
} {
  const ledger = createLedgerService(options)
  return {
    intake: null,
    recordImport: null,
    completeness: ledger,
    start: () => ledger.start(),
    stop: () => ledger.stop(),
  }
}
