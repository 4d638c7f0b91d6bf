import { messageOf } from '../../core/errors.ts'
import type { CheckConfig } from '../../core/config-checks.ts'
import type { CheckState } from '../../core/health.ts'

export type CheckOf<Kind extends CheckConfig['kind']> = Extract<CheckConfig, { kind: Kind }>

/** A number that a command printed about itself. */
export interface PerfValue {
  readonly label: string
  readonly value: number
  /** `s`, `%`, `B`, …; '' when there is none. */
  readonly unit: string
}

/** What one look saw. */
export interface Outcome {
  readonly state: CheckState
  /** For a person; any text, the runner makes it short and harmless. Never a secret. */
  readonly message: string
  readonly value?: number
  readonly perfValues?: readonly PerfValue[]
}

/**
 * Looks once. What can go wrong outside is an outcome; a rejection is a bug, or the signal. Once the signal aborts it lets go of
 * everything: as long as its promise is pending, nothing looks again.
 */
export type Probe = (signal: AbortSignal) => Promise<Outcome>

export function unknown(message: string): Outcome {
  return { state: 'unknown', message }
}

/** The state of a number that must not be above `fail`, and better not above `warn`. */
export function stateAbove(value: number, { warn, fail }: { warn: number; fail: number }): CheckState {
  if (value > fail) return 'fail'
  return value > warn ? 'warn' : 'ok'
}

/** What went wrong with a connection or file, without what was sent or read. A host of several addresses fails once for each of them. */
export function problemOf(error: unknown): string {
  const errors = error instanceof AggregateError ? error.errors : [error]
  return [...new Set(errors.map(messageOf))].join('; ')
}
