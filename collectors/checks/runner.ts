import { durationMs, type CheckConfig } from '../../core/config-checks.ts'
import { asServiceError, messageOf } from '../../core/errors.ts'
import type { CheckReport, CheckState } from '../../core/health.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { withDeadline } from '../deadline.ts'
import { gauge } from '../facts/metrics.ts'
import { nextCourse, startOf, type Change, type Course } from './course.ts'
import { harmless } from './message.ts'
import type { Outcome, PerfValue, Probe } from './probe.ts'

export interface CheckToRun {
  readonly config: CheckConfig
  readonly probe: Probe
}

/** A check that is now in another state. Times are monotonic ms. */
export interface StateChange extends Change {
  readonly config: CheckConfig
  /** What was seen; harmless. */
  readonly message: string
  readonly atMs: number
}

export interface ChecksOptions {
  readonly checks: readonly CheckToRun[]
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly onChange: (change: StateChange) => void
}

/** Looks at everything that was configured, each on its own, never twice at once. */
export interface Checks {
  start(): void
  /** Calls back what runs, and does not wait for what does not heed that. */
  stop(): Promise<void>
  /** In the order of the configuration; one that was not made yet is unknown. */
  reports(): CheckReport[]
  /** DogStatsD gauges of what was seen last. */
  metrics(): string[]
}

/** Checks do not start all at once. */
const START_JITTER_MS = 1_000
/** What a check that does not answer in time is: of another machine it fails, on this one it could not be made. */
const LATE: Readonly<Record<CheckConfig['kind'], CheckState>> = {
  http: 'fail',
  tcp: 'fail',
  certificate: 'fail',
  process: 'unknown',
  systemd: 'unknown',
  disk: 'unknown',
  cpu: 'unknown',
  memory: 'unknown',
  load: 'unknown',
  command: 'unknown',
}
const STATE_NUMBERS: Readonly<Record<CheckState, number>> = { ok: 0, warn: 1, fail: 2, unknown: 3 }

interface Seen {
  readonly course: Course
  readonly message: string
  readonly atMs: number
  readonly tookMs: number
  readonly value: number | undefined
  readonly perfValues: readonly PerfValue[]
}

export function createChecks({ checks, clock, random, log, onChange }: ChecksOptions): Checks {
  const stopping = new AbortController()
  const seen = new Map<CheckToRun, Seen>()
  const notMade = notMadeSince(clock.monotonicMs())
  const runs = checks.map((check) => createRun(check, { clock, log }))
  let loops: Promise<void>[] = []

  function take(check: CheckToRun, outcome: Outcome, startMs: number): void {
    const { config } = check
    const atMs = clock.monotonicMs()
    const forMs = durationMs(config.for)
    const { course, change } = nextCourse(seen.get(check)?.course ?? null, outcome.state, { atMs, forMs })
    const message = harmless(outcome.message)
    const { value, perfValues = [] } = outcome
    seen.set(check, { course, message, atMs, tookMs: atMs - startMs, value, perfValues })
    if (change !== null) onChange({ ...change, config, message, atMs })
  }

  async function loop(check: CheckToRun, run: Run): Promise<void> {
    const { signal } = stopping
    const everyMs = durationMs(check.config.every)
    await clock.sleep(random() * Math.min(everyMs, START_JITTER_MS), signal)
    for (
      let dueMs = clock.monotonicMs();
      !signal.aborted;
      dueMs = nextDue(dueMs, everyMs, clock.monotonicMs())
    ) {
      await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal)
      const startMs = clock.monotonicMs()
      const outcome = await run(signal)
      if (signal.aborted) return
      take(check, outcome, startMs)
    }
  }

  /** When it began by the wall clock: as that stands now, so a clock that was set right sets it right, too. */
  const wallMs = (monotonicMs: number) => Math.round(clock.nowMs() - (clock.monotonicMs() - monotonicMs))

  return {
    start() {
      loops = checks.map((check, at) => loop(check, runs[at] as Run).catch(() => undefined))
    },
    async stop() {
      stopping.abort()
      await Promise.all(loops)
    },
    reports: () => checks.map((check) => reportOf(check.config, seen.get(check) ?? notMade, wallMs)),
    metrics: () => [...seen].flatMap(([{ config }, last]) => metricsOf(config.name, last)),
  }
}

/** The next multiple of `everyMs` that is still to come: what was missed is not made up for. */
function nextDue(dueMs: number, everyMs: number, nowMs: number): number {
  return dueMs + everyMs * Math.max(1, Math.ceil((nowMs - dueMs) / everyMs))
}

type Run = (stop: AbortSignal) => Promise<Outcome>

/** Makes one check. One that heeds no signal is left to itself, and nothing looks again before it has ended. */
function createRun({ config, probe }: CheckToRun, { clock, log }: { clock: Clock; log: Logger }): Run {
  const deadlineMs = durationMs(config.timeout)
  let hangingSinceMs: number | null = null
  let bug = ''

  async function begin(signal: AbortSignal, startMs: number): Promise<Outcome> {
    hangingSinceMs = startMs
    try {
      return await probe(signal)
    } finally {
      hangingSinceMs = null
    }
  }

  return async (stop) => {
    const startMs = clock.monotonicMs()
    if (hangingSinceMs !== null) {
      const forS = Math.round((startMs - hangingSinceMs) / 1_000)
      return { state: LATE[config.kind], message: `it hangs since ${forS} s and cannot be called back` }
    }
    try {
      return await withDeadline((signal) => begin(signal, startMs), { deadlineMs, clock, signal: stop })
    } catch (error) {
      if (asServiceError(error)?.code === 'DEADLINE')
        return { state: LATE[config.kind], message: `no answer within ${deadlineMs} ms` }
      const message = messageOf(error)
      if (!stop.aborted && bug !== message) log.error({ check: config.name, error }, 'a check is broken')
      bug = message
      return { state: 'unknown', message }
    }
  }
}

function notMadeSince(atMs: number): Seen {
  const message = 'not made yet'
  return { course: startOf(atMs), message, atMs, tookMs: 0, value: undefined, perfValues: [] }
}

function reportOf(
  { name, kind }: CheckConfig,
  { course, message, atMs, tookMs, value }: Seen,
  wallMs: (monotonicMs: number) => number,
): CheckReport {
  const { state, sinceMs } = course
  const report = { name, kind, state, message, sinceMs: wallMs(sinceMs), atMs: wallMs(atMs), tookMs }
  return value === undefined ? report : { ...report, value }
}

function metricsOf(check: string, { course, tookMs, perfValues }: Seen): string[] {
  return [
    ...gauge('check.state', STATE_NUMBERS[course.state], { check }),
    ...gauge('check.took_ms', Math.round(tookMs * 10) / 10, { check }),
    ...perfValues.flatMap(({ label, value, unit }) =>
      gauge(`check.${label}`, value, unit === '' ? { check } : { check, unit }),
    ),
  ]
}
