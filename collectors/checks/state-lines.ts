import type { CheckState } from '../../core/health.ts'
import type { Clock } from '../../core/ports.ts'
import type { StateChange } from './runner.ts'

/** Lines about one check within CHANGES_WINDOW_MS; what it does beyond that is summed up in one more. */
export const CHANGES_MAX = 6
const CHANGES_WINDOW_MS = 60_000

export interface StateLinesOptions {
  readonly host: string
  readonly tier: string
  readonly clock: Clock
  /** Takes one line of JSON, without its end. */
  readonly give: (line: string) => void
}

/** Makes log lines of state changes: `event.kind:state`. */
export interface StateLines {
  changed(change: StateChange): void
  /** Sums up what is still held back. */
  close(): void
}

interface Window {
  changes: number
  latest: StateChange
  readonly cancel: () => void
}

const WORDS: Readonly<Record<CheckState, string>> = {
  ok: 'is ok again',
  warn: 'warns',
  fail: 'failed',
  unknown: 'could not be made',
}

export function createStateLines({ host, tier, clock, give }: StateLinesOptions): StateLines {
  const windows = new Map<string, Window>()

  function tell({ config, state, before, ...change }: StateChange, message: string, more: object = {}): void {
    const nowMs = clock.nowMs()
    const since = new Date(nowMs - (clock.monotonicMs() - change.sinceMs)).toISOString()
    const level = levelOf(state)
    const event = { kind: 'state', what: 'check', name: config.name, check_kind: config.kind, state, before }
    const tiers = tier === '' ? {} : { tier }
    const times = { since, before_lasted_ms: Math.round(change.lastedMs) }
    const time = new Date(nowMs).toISOString()
    give(
      JSON.stringify({
        time,
        level,
        service: 'noctule',
        message,
        event: { ...event, ...tiers, ...times, ...more },
      }),
    )
  }

  function closeWindow(name: string): void {
    const window = windows.get(name)
    if (window === undefined) return
    windows.delete(name)
    const held = window.changes - CHANGES_MAX
    if (held <= 0) return
    const { latest } = window
    const message = `check ${name} of ${host} flaps: ${held} more changes within a minute; now it ${WORDS[latest.state]}: ${latest.message}`
    tell(latest, message, { held_back: held })
  }

  function windowOf(change: StateChange): Window {
    const { name } = change.config
    const open = windows.get(name)
    if (open !== undefined) return open
    const cancel = clock.after(CHANGES_WINDOW_MS, () => closeWindow(name))
    const window = { changes: 0, latest: change, cancel }
    windows.set(name, window)
    return window
  }

  return {
    changed(change) {
      const window = windowOf(change)
      window.changes++
      window.latest = change
      if (window.changes > CHANGES_MAX) return
      tell(change, `check ${change.config.name} of ${host} ${WORDS[change.state]}: ${change.message}`)
    },
    close() {
      for (const [name, { cancel }] of windows) {
        cancel()
        closeWindow(name)
      }
    },
  }
}

function levelOf(state: CheckState): 'error' | 'warn' | 'info' {
  if (state === 'fail') return 'error'
  return state === 'ok' ? 'info' : 'warn'
}
