import { messageOf } from './errors.ts'
import type { Clock, Logger } from './ports.ts'

/** Something that runs. Parts are started in order and stopped in the reverse order. */
export interface Part {
  readonly name: string
  start?(): Promise<void>
  /** Finishes what it holds; once the signal aborts it has to give up and return. */
  stop(signal: AbortSignal): Promise<void>
}

type StopSignal = 'SIGTERM' | 'SIGINT'

/** The part of `process` that is needed here. */
interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown
  off(signal: StopSignal, listener: () => void): unknown
}

export interface LifecycleOptions {
  readonly parts: readonly Part[]
  readonly clock: Clock
  readonly log: Logger
  /** Time for all parts together to drain. */
  readonly drainMsMax: number
  readonly signals: SignalSource
  /** Ends the process. */
  readonly exit: (code: number) => void
}

export interface Lifecycle {
  /**
   * Starts every part. When one fails, those already started are stopped and its error is thrown. From here on the first SIGTERM
   * or SIGINT stops everything and exits (0, or 1 when a part failed or did not end in time), a second one exits at once.
   */
  start(): Promise<void>
  /** Stops what was started, once; false when a part failed to stop. */
  stop(): Promise<boolean>
}

/** What a part gets to return after its signal was aborted, before the process ends without it. */
export const ABORT_GRACE_MS = 2_000
const SIGNALS: Readonly<Record<StopSignal, number>> = { SIGINT: 2, SIGTERM: 15 }

interface State {
  readonly options: LifecycleOptions
  readonly running: Part[]
  starting: Promise<void>
  stopping: Promise<boolean> | undefined
  unlisten: () => void
}

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const state: State = {
    options,
    running: [],
    starting: Promise.resolve(),
    stopping: undefined,
    unlisten() {},
  }
  return {
    async start() {
      state.unlisten = listen(state)
      state.starting = startAll(state)
      try {
        await state.starting
      } catch (error) {
        await stopOnce(state)
        throw error
      }
    },
    stop: () => stopOnce(state),
  }
}

async function startAll(state: State): Promise<void> {
  for (const part of state.options.parts) {
    if (state.stopping !== undefined) return
    await part.start?.()
    state.running.push(part)
  }
}

function stopOnce(state: State): Promise<boolean> {
  state.stopping ??= stopAll(state)
  return state.stopping
}

async function stopAll(state: State): Promise<boolean> {
  const { options, running, starting } = state
  await starting.catch(() => undefined) // Its caller gets the error.
  const abort = new AbortController()
  const cancel = options.clock.after(options.drainMsMax, () => {
    options.log.warn({ part: running.at(-1)?.name }, 'draining took too long, giving up what is not finished')
    abort.abort()
  })
  let clean = true
  for (let part = running.at(-1); part !== undefined; part = running.at(-1)) {
    try {
      await part.stop(abort.signal)
    } catch (error) {
      clean = false
      options.log.error({ part: part.name, error: messageOf(error) }, 'a part failed to stop')
    }
    running.pop()
  }
  cancel()
  state.unlisten()
  return clean && !abort.signal.aborted
}

function listen(state: State): () => void {
  const { signals, exit, log } = state.options
  let signalled = false
  const onSignal = (signal: StopSignal) => {
    if (signalled) {
      log.warn({ signal }, 'second signal, exiting at once')
      exit(128 + SIGNALS[signal])
      return
    }
    signalled = true
    log.info({ signal }, 'stopping')
    void stopAndExit(state)
  }
  const listeners = { SIGINT: () => onSignal('SIGINT'), SIGTERM: () => onSignal('SIGTERM') }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) signals.on(signal, listeners[signal])
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) signals.off(signal, listeners[signal])
  }
}

async function stopAndExit(state: State): Promise<void> {
  const { clock, drainMsMax, exit, log } = state.options
  const cancel = clock.after(drainMsMax + ABORT_GRACE_MS, () => {
    log.error({ part: state.running.at(-1)?.name ?? 'start' }, 'a part does not stop, exiting without it')
    exit(1)
  })
  const clean = await stopOnce(state)
  cancel()
  exit(clean ? 0 : 1)
}
