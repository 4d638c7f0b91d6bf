import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'

export interface LookLoopOptions {
  readonly lookAtAll: () => Promise<void>
  readonly lookAt: (paths: ReadonlySet<string>) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** Looks at everything from time to time, and at what is told to have changed at once; never at two things at a time. */
export interface LookLoop {
  start(): void
  changed(path: string): void
  /** Everything has to be looked at now. */
  hurry(): void
  stop(): Promise<void>
}

/** Everything is looked at this often, however quiet the folders' watches are; with thousands of files only every second. */
const SWEEP_MS_MIN = 500
const SWEEP_MS_MAX = 1_000
const SWEEP_SHARE = 25
/** Changes that are told within this time are looked at together. */
const GATHER_MS = 5

export function createLookLoop({ lookAtAll, lookAt, clock, log }: LookLoopOptions): LookLoop {
  const stopping = new AbortController()
  let told = new Set<string>()
  let dueMs = 0
  let wake = (): void => undefined
  let failure: string | null = null
  let running: Promise<void> | null = null

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      await look()
      const leftMs = told.size > 0 ? 0 : dueMs - clock.monotonicMs()
      if (leftMs > 0 && !stopping.signal.aborted) await untilWoken(woken, leftMs)
      await clock.sleep(GATHER_MS)
    }
  }

  async function look(): Promise<void> {
    const startMs = clock.monotonicMs()
    const paths = told
    told = new Set()
    try {
      if (startMs < dueMs) return await lookAt(paths)
      dueMs = Infinity // `hurry` sets an earlier time meanwhile.
      await lookAtAll()
      failure = null
    } catch (error) {
      if (messageOf(error) !== failure) log.error({ error }, 'looking at the files failed')
      failure = messageOf(error)
    }
    const endMs = clock.monotonicMs()
    const pauseMs = Math.min(SWEEP_MS_MAX, Math.max(SWEEP_MS_MIN, (endMs - startMs) * SWEEP_SHARE))
    dueMs = Math.min(dueMs, endMs + pauseMs)
  }

  async function untilWoken(woken: Promise<void>, maxMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = clock.after(maxMs, resolve)
    await Promise.race([woken, late])
    cancel()
  }

  return {
    start() {
      running ??= run()
    },
    changed(path) {
      told.add(path)
      wake()
    },
    hurry() {
      dueMs = 0
      wake()
    },
    async stop() {
      stopping.abort()
      wake()
      await running
    },
  }
}
