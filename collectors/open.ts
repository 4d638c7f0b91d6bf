import type { Readable } from 'node:stream'
import type { Config } from '../core/config.ts'
import { ServiceError } from '../core/errors.ts'
import type { Part } from '../core/lifecycle.ts'
import type { Clock, Fs, Logger, Metrics, TransportSender } from '../core/ports.ts'
import { createCollector } from './collector.ts'
import { openSpool } from './spool/spool.ts'

export interface OpenCollectorOptions {
  readonly config: Config['collector']
  /** Of the program. */
  readonly version: string
  readonly senders: ReadonlyMap<string, TransportSender>
  readonly fs: Fs
  /** Folder of the spool. */
  readonly dir: string
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly stdin: Readable
  /** Tells the person who started the program what is collected for whom. */
  readonly announce: (line: string) => void
}

export interface CollectorPart extends Part {
  /** UDP port on which it takes statsd; null: it takes none. */
  statsdPort(): number | null
}

/** The collector with its spool as a part of the program. Throws BAD_CONFIG when there is nowhere to deliver to. */
export async function openCollector(options: OpenCollectorOptions): Promise<CollectorPart> {
  const { config, senders, announce } = options
  const destinations = [...senders.keys()]
  if (destinations.length === 0) {
    throw new ServiceError(
      'BAD_CONFIG',
      'a collector needs somewhere to deliver to: set collector.destinations',
    )
  }
  const { bytesMax } = config.spool
  const spool = await openSpool({ ...options, collector: config.id, destinations, bytesMax })
  const collector = createCollector({ ...options, spool })
  return {
    name: 'collector',
    statsdPort: () => collector.status().statsd?.port ?? null,
    async start() {
      await collector.start()
      announce(`collecting on ${config.host} for ${destinations.join(', ')}`)
    },
    async stop(signal) {
      await collector.stop(signal)
      await Promise.all([...senders.values()].map((sender) => sender.close()))
      await spool.close()
    },
  }
}
