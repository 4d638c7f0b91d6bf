import type { Config } from '../core/config.ts'
import type { Clock, Logger, TransportSender } from '../core/ports.ts'
import type { Batcher } from './batcher.ts'
import { openChecks } from './checks/checks.ts'
import type { CollectorStatus } from './collector.ts'
import { createFacts } from './facts/facts.ts'
import { createHealth } from './health.ts'
import { createOwnLines } from './own-lines.ts'
import { createOwnStatus } from './own-status.ts'

export interface HostWatchOptions {
  readonly config: Config['collector']
  /** Of the program. */
  readonly version: string
  readonly collector: string
  readonly senders: ReadonlyMap<string, Pick<TransportSender, 'sendHealth'>>
  readonly batcher: Pick<Batcher, 'add' | 'note' | 'room'>
  readonly status: () => CollectorStatus
  /** Lines dropped before numbering since the start, by reason. */
  readonly drops: () => Readonly<Record<string, number>>
  /** Takes DogStatsD lines, parted by newlines. */
  readonly takeMetrics?: ((lines: string) => void) | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
}

/** Facts, checks and the health reports of them. */
export interface HostWatch {
  start(): void
  /** Ends the checks: what became of them is with the batcher. Reports go on. */
  stopChecks(): Promise<void>
  /** Says goodbye. */
  stop(): Promise<void>
}

export function createHostWatch(options: HostWatchOptions): HostWatch {
  const { config, batcher, clock } = options
  const facts = createFacts({ clock })
  const lines = createOwnLines({ batcher, tier: config.tier, clock })
  const checks = openChecks({ ...options, facts, giveLine: (line) => lines.give(line) })
  const status = createOwnStatus({ ...options, spoolBytesMax: config.spool.bytesMax })
  const health = createHealth({ ...options, facts, checks, status })
  return {
    start() {
      checks.start()
      health.start()
    },
    async stopChecks() {
      await checks.stop()
      lines.stop()
    },
    stop: () => health.stop(),
  }
}
