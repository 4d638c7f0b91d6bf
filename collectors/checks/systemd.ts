import type { CheckState } from '../../core/health.ts'
import type { Children, Ending } from './child.ts'
import { unknown, type CheckOf, type Outcome, type Probe } from './probe.ts'

/** What `systemctl is-active` says of a unit. */
const STATES: Readonly<Record<string, CheckState>> = {
  active: 'ok',
  reloading: 'ok',
  refreshing: 'ok',
  activating: 'warn',
  deactivating: 'warn',
  maintenance: 'warn',
  inactive: 'fail',
  failed: 'fail',
}
/** The exit code for a unit that nobody knows; it is then called `inactive`, or `unknown`. */
const NO_SUCH_UNIT = 4

/** Is a unit of systemd active? */
export function systemdProbe(
  { unit }: CheckOf<'systemd'>,
  { children, systemctl = 'systemctl' }: { children: Children; systemctl?: string },
): Probe {
  return async (signal) => judge(unit, await children.run([systemctl, 'is-active', '--', unit], signal))
}

function judge(unit: string, ending: Ending): Outcome {
  if ('problem' in ending) return unknown(`systemctl: ${ending.problem}`)
  const { code, stdout, stderr } = ending
  if (code === NO_SUCH_UNIT) return unknown(`there is no unit ${unit}`)
  const word = stdout.trim()
  const state = Object.hasOwn(STATES, word) ? STATES[word] : undefined
  if (state === undefined) return unknown(stderr.trim() || word || `systemctl ends with exit code ${code}`)
  return { state, message: word }
}
