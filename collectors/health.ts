import type { Config } from '../core/config.ts'
import { durationMs } from '../core/config-checks.ts'
import { messageOf } from '../core/errors.ts'
import type { CollectorStatusReport, HealthReport, HostFacts } from '../core/health.ts'
import type { Clock, Logger, TransportSender } from '../core/ports.ts'
import type { Checks } from './checks/runner.ts'
import { withDeadline } from './deadline.ts'
import type { Facts } from './facts/facts.ts'
import { factMetrics } from './facts/metrics.ts'

export interface HealthOptions {
  readonly config: Pick<Config['collector'], 'host' | 'tier' | 'health'>
  readonly collector: string
  readonly senders: ReadonlyMap<string, Pick<TransportSender, 'sendHealth'>>
  readonly facts: Facts
  readonly checks: Pick<Checks, 'reports' | 'metrics'>
  /** What the collector says of itself, at this moment. */
  readonly status: () => CollectorStatusReport
  /** Takes DogStatsD lines, parted by newlines; absent: facts and checks are not kept as metrics. */
  readonly takeMetrics?: ((lines: string) => void) | undefined
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Tells every destination how the host is, at a fixed beat, on its own way beside batches and marks. A report that fails is not
 * repeated, and a destination that is slow misses beats: it never gets old news.
 */
export interface Health {
  start(): void
  /** Ends the reports with one that says goodbye. */
  stop(): Promise<void>
}

/** A report is believed from its arrival on: one that takes longer says nothing any more. */
const REPORT_DEADLINE_MS = 2_000
/** Below what the parts of the program get to return after their time is up. */
const GOODBYE_DEADLINE_MS = 1_000
/** Facts that take longer are left out of a report. */
const FACTS_DEADLINE_MS = 1_000
/** Half of the default flush, so that no interval is without a value. */
const METRICS_EVERY_MS = 5_000

export function createHealth(options: HealthOptions): Health {
  const { config, senders, facts, checks, takeMetrics, clock, log } = options
  const everyMs = durationMs(config.health.every)
  const stopping = new AbortController()
  const busy = new Set<string>()
  const failing = new Set<string>()
  let beating = Promise.resolve()
  let metricsMs = -Infinity

  function reportOf(known: HostFacts | null): HealthReport {
    const { host, tier = '' } = config
    const sentAtMs = clock.nowMs()
    const { collector, status } = options
    const own = { v: 1, collector, host, tier, sentAtMs, intervalMs: everyMs } as const
    return { ...own, facts: known, checks: checks.reports(), status: status() }
  }

  async function sendOne(destination: string, report: HealthReport): Promise<void> {
    const sender = senders.get(destination)
    // The goodbye comes after everything was told to stop.
    const limits =
      report.goodbye === true
        ? { deadlineMs: GOODBYE_DEADLINE_MS, signal: new AbortController().signal }
        : { deadlineMs: REPORT_DEADLINE_MS, signal: stopping.signal }
    busy.add(destination)
    try {
      await withDeadline(async (signal) => sender?.sendHealth(report, signal), { clock, ...limits })
      if (failing.delete(destination)) log.info({ destination }, 'destination takes health reports again')
    } catch (error) {
      if (stopping.signal.aborted && report.goodbye !== true) return
      if (!failing.has(destination))
        log.warn({ destination, error: messageOf(error) }, 'destination takes no health reports')
      failing.add(destination)
    } finally {
      busy.delete(destination)
    }
  }

  async function readFacts(): Promise<HostFacts | null> {
    try {
      const limits = { deadlineMs: FACTS_DEADLINE_MS, clock, signal: stopping.signal }
      return await withDeadline(() => facts.read(), limits)
    } catch {
      return null
    }
  }

  function keepMetrics(known: HostFacts | null): void {
    if (takeMetrics === undefined || clock.monotonicMs() - metricsMs < METRICS_EVERY_MS) return
    metricsMs = clock.monotonicMs()
    const lines = [...(known === null ? [] : factMetrics(known)), ...checks.metrics()]
    if (lines.length > 0) takeMetrics(lines.join('\n'))
  }

  async function beat(): Promise<void> {
    const known = await readFacts()
    if (stopping.signal.aborted) return
    const report = reportOf(known)
    for (const destination of senders.keys()) if (!busy.has(destination)) void sendOne(destination, report)
    keepMetrics(known)
  }

  async function loop(): Promise<void> {
    const { signal } = stopping
    while (!signal.aborted) {
      const startMs = clock.monotonicMs()
      await beat()
      const leftMs = Math.max(0, startMs + everyMs - clock.monotonicMs())
      await clock.sleep(leftMs, signal).catch(() => undefined)
    }
  }

  return {
    start() {
      beating = loop()
    },
    async stop() {
      stopping.abort()
      await beating
      const goodbye = { ...reportOf(null), goodbye: true }
      await Promise.all([...senders.keys()].map((destination) => sendOne(destination, goodbye)))
    },
  }
}
