import type { CollectorStatusReport } from '../core/health.ts'
import type { Clock } from '../core/ports.ts'
import type { CollectorStatus } from './collector.ts'

/** Texts of a report are cut to this. */
const TEXT_CHARS_MAX = 1_024

type Statsd = NonNullable<CollectorStatus['statsd']>
type StatsdTold = Pick<Statsd, 'series' | 'metrics' | 'packets' | 'lost' | 'problem'>
/** The part of the status that reports have. */
type Told = Pick<CollectorStatus, 'collector' | 'spool' | 'files' | 'held' | 'destinations'> & {
  readonly statsd: StatsdTold | null
}

export interface OwnStatusOptions {
  readonly version: string
  readonly spoolBytesMax: number
  readonly clock: Clock
  readonly status: () => Told
  /** Lines dropped before numbering since the start, by reason. */
  readonly drops: () => Readonly<Record<string, number>>
}

/** What a collector says of itself in a health report. */
export function createOwnStatus(options: OwnStatusOptions): () => CollectorStatusReport {
  const { version, spoolBytesMax, clock } = options
  const startedAtMs = clock.nowMs()
  const cpuBusy = createCpuShare(clock)
  return () => {
    const { collector, spool, files, held, destinations, statsd } = options.status()
    return {
      id: collector,
      version,
      startedAtMs,
      rssBytes: process.memoryUsage.rss(),
      cpuBusy: cpuBusy(),
      spoolBytes: spool.bytes,
      spoolBytesMax,
      spoolBatches: spool.batches,
      behindBytes: files.behindBytes,
      files: files.files,
      held: cut(held),
      drops: { ...options.drops() },
      destinations: destinations.map(({ name, sent, failures, problem }) => ({
        name,
        sent,
        failures,
        problem: cut(problem),
      })),
      statsd: statsd === null ? null : statsdOf(statsd),
    }
  }
}

function statsdOf({ series, metrics, packets, lost, problem }: StatsdTold) {
  return { series, metrics, packets, lost: { ...lost }, problem: cut(problem) }
}

function cut(text: string | null): string | null {
  return text?.slice(0, TEXT_CHARS_MAX) ?? null
}

/** Share of one core since it was asked before. */
function createCpuShare(clock: Clock): () => number {
  let atMs = clock.monotonicMs()
  let used = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(used)
    const nowMs = clock.monotonicMs()
    const elapsedMs = nowMs - atMs
    if (elapsedMs <= 0) return 0
    atMs = nowMs
    used = process.cpuUsage()
    return (user + system) / 1_000 / elapsedMs
  }
}
