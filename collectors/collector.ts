import type { Readable } from 'node:stream'
import type { Config } from '../core/config.ts'
import type { Clock, Logger, Metrics, TransportSender } from '../core/ports.ts'
import type { Drop } from '../core/wire.ts'
import { createBatcher } from './batcher.ts'
import { createFileSource, type FileSourceStatus } from './file-source.ts'
import { createHostWatch } from './host-watch.ts'
import { createMarks } from './marks.ts'
import { createShipper, type DestinationStatus } from './shipper.ts'
import type { Source } from './source.ts'
import type { BatchDraft, Spool, SpoolStats } from './spool/types.ts'
import { createStatsdServer, type StatsdStatus } from './statsd/server.ts'
import { createStreamSource } from './stream-source.ts'

export interface CollectorOptions {
  readonly config: Config['collector']
  /** Of the program. */
  readonly version: string
  readonly spool: Spool
  readonly senders: ReadonlyMap<string, TransportSender>
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Read when `config.stdin` is set. */
  readonly stdin?: Readable
  readonly random?: () => number
  /** Tells the person who started the program what is taken where. */
  readonly announce?: (line: string) => void
}

/** Reads the sources, numbers what they give and delivers it. The spool and the senders stay the caller's to close. */
export interface Collector {
  start(): Promise<void>
  /** Stops reading, numbers what was read, delivers until the signal aborts, and says goodbye. What is left waits in the spool. */
  stop(signal: AbortSignal): Promise<void>
  status(): CollectorStatus
}

export interface CollectorStatus {
  readonly collector: string
  readonly host: string
  readonly epoch: string
  readonly readAgeMs: number | null
  /** Why the spool takes nothing now, so that the sources wait; null: it does. */
  readonly held: string | null
  readonly files: FileSourceStatus
  /** Null: it is not configured. */
  readonly statsd: StatsdStatus | null
  readonly spool: SpoolStats
  readonly destinations: readonly DestinationStatus[]
}

/** Any frame of this many bytes of lines is below FRAME_BYTES_MAX, also when they cannot be compressed. */
const BATCH_BYTES_MAX = 7 << 20
const READ_LOOK_MS = 100

export function createCollector(options: CollectorOptions): Collector {
  const { spool, senders, clock, log, metrics, random = Math.random, announce = () => undefined } = options
  const config = boundedConfig(options.config)
  const { host } = config
  const { onNumbered, drops } = countBatches(metrics)
  const batcher = createBatcher({ spool, host, bounds: config.batch, clock, log, random, onNumbered })
  const files = createFileSource({ config, positions: spool.positions(), batcher, clock, log })
  const sources: Source[] = [files]
  if (config.stdin !== undefined && options.stdin !== undefined) {
    const source = { path: '', ...tierOf(config), ...config.stdin }
    sources.push(createStreamSource({ input: options.stdin, source, config, batcher, clock, log }))
  }
  const statsd = config.statsd.enabled
    ? createStatsdServer({ config, spool, batcher, clock, log, metrics, random, announce })
    : null
  if (statsd !== null) sources.push(statsd)
  const shippers = [...senders].map(([destination, sender]) =>
    createShipper({ destination, spool, sender, clock, log, random }),
  )
  const reading = createReadAge({ sources, numbered: () => batcher.numbered(), clock })
  const marks = createMarks({ spool, host, senders, readAgeMs: reading.ageMs, clock, log })
  const status = (): CollectorStatus => ({
    collector: spool.collector,
    host,
    epoch: spool.epoch,
    readAgeMs: reading.ageMs(),
    held: batcher.stats().held,
    files: files.status(),
    statsd: statsd?.status() ?? null,
    spool: spool.stats(),
    destinations: shippers.map((shipper) => shipper.status()),
  })
  const watch = createHostWatch({
    ...options,
    config,
    collector: spool.collector,
    batcher,
    drops,
    random,
    status,
    ...(statsd === null ? {} : { takeMetrics: (lines: string) => statsd.take(lines) }),
  })
  addGauges(metrics, { spool, files, heldMs: () => batcher.stats().heldMs })

  return {
    async start() {
      for (const shipper of shippers) shipper.start()
      await Promise.all(sources.map((source) => source.start()))
      reading.start()
      marks.start()
      watch.start()
    },
    async stop(signal) {
      await Promise.all([...sources.map((source) => source.stop()), watch.stopChecks()])
      try {
        await Promise.all([batcher.flush(signal), statsd?.numbered(signal)])
        await Promise.all(shippers.map((shipper) => shipper.drained(signal)))
      } catch {
        log.warn(
          { ...spool.stats() },
          'stopped before everything was delivered: the rest stays in files and spool',
        )
      }
      reading.stop()
      await Promise.all(shippers.map((shipper) => shipper.stop()))
      await Promise.all([marks.stop(), watch.stop()])
    },
    status,
  }
}

function boundedConfig(config: Config['collector']): Config['collector'] {
  const bytesMax = Math.min(config.batch.bytesMax, BATCH_BYTES_MAX)
  const lineBytesMax = Math.min(config.lineBytesMax, BATCH_BYTES_MAX)
  const files = config.files.map((entry) => ({ ...tierOf(config), ...entry }))
  return { ...config, files, lineBytesMax, batch: { ...config.batch, bytesMax } }
}

/** The host's tier, where nothing says another. */
function tierOf({ tier }: Config['collector']): { tier?: string } {
  return tier === undefined ? {} : { tier }
}

/** Follows how far all sources are read *and* numbered: first the reading is looked at, then everything that it gave is waited for. */
function createReadAge({
  sources,
  numbered,
  clock,
}: {
  sources: readonly Source[]
  numbered: () => Promise<void>
  clock: Clock
}) {
  let throughMs: number | null = null
  let cancel = (): void => undefined
  let stopped = false

  async function look(): Promise<void> {
    const times = sources.map((source) => source.readThroughMs())
    await numbered()
    const known = times.filter((time) => time !== null)
    if (known.length === times.length) throughMs = Math.max(throughMs ?? 0, Math.min(...known))
  }

  function start(): void {
    void look().then(() => {
      if (!stopped) cancel = clock.after(READ_LOOK_MS, start)
    })
  }

  return {
    start,
    stop() {
      stopped = true
      cancel()
    },
    ageMs: () => (throughMs === null ? null : Math.max(0, clock.monotonicMs() - throughMs)),
  }
}

/** Counts batches and what is in them; `drops` are those since the start. */
function countBatches(metrics: Metrics): {
  readonly onNumbered: (draft: BatchDraft) => void
  readonly drops: () => Readonly<Record<string, number>>
} {
  const batches = metrics.counter('noctule_collector_batches_total', 'Batches numbered.')
  const lines = metrics.counter('noctule_collector_lines_total', 'Lines numbered.')
  const bytes = metrics.counter('noctule_collector_bytes_total', 'Bytes of the lines numbered.')
  const drops = metrics.counter('noctule_collector_drops_total', 'Losses noticed before numbering.', [
    'reason',
  ])
  const dropped: Record<string, number> = {}
  return {
    drops: () => dropped,
    onNumbered({ header, body }) {
      batches.add(1)
      lines.add(header['records'] as number)
      bytes.add(body.length)
      for (const { reason, records } of header['drops'] as readonly Drop[]) {
        drops.add(1, { reason })
        dropped[reason] = (dropped[reason] ?? 0) + (records ?? 1)
      }
    },
  }
}

function addGauges(
  metrics: Metrics,
  { spool, files, heldMs }: { spool: Spool; files: { status(): FileSourceStatus }; heldMs: () => number },
): void {
  metrics.gauge('noctule_spool_bytes', 'Disk used by batches that wait.', () => spool.stats().bytes)
  metrics.gauge('noctule_spool_batches', 'Batches that wait.', () => spool.stats().batches)
  metrics.gauge(
    'noctule_collector_held_seconds',
    'How long the spool took nothing, since the start.',
    () => heldMs() / 1_000,
  )
  metrics.gauge('noctule_collector_files', 'Files followed.', () => files.status().files)
  metrics.gauge(
    'noctule_collector_behind_bytes',
    'Bytes written and not yet read.',
    () => files.status().behindBytes,
  )
}
