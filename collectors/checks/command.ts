import type { CheckState } from '../../core/health.ts'
import type { Children, Ending } from './child.ts'
import { parsePerfValues } from './perf-values.ts'
import { unknown, type CheckOf, type Outcome, type Probe } from './probe.ts'

const STATES: readonly CheckState[] = ['ok', 'warn', 'fail', 'unknown']

/** Runs a plugin of Nagios, or any other program that keeps to the same exit codes. */
export function commandProbe({ command }: CheckOf<'command'>, { children }: { children: Children }): Probe {
  return async (signal) => judge(await children.run(command, signal))
}

function judge(ending: Ending): Outcome {
  if ('problem' in ending) return unknown(ending.problem)
  const { code, stdout, stderr } = ending
  const [message, perfText] = readOutput(stdout)
  const said = message || (stderr.trim().split('\n')[0] ?? '')
  const state = STATES[code]
  if (state === undefined) return unknown(`exit code ${code}${said === '' ? '' : `: ${said}`}`)
  return { state, message: said || `exit code ${code}`, perfValues: parsePerfValues(perfText) }
}

/** The first line is the message; behind a `|` in it, and behind the first one in the lines below, stand numbers. */
function readOutput(stdout: string): [message: string, perfText: string] {
  const [first = '', ...rest] = stdout.trimStart().split('\n')
  const bar = first.indexOf('|')
  const long = rest.join('\n')
  const longBar = long.indexOf('|')
  const perfTexts = [bar < 0 ? '' : first.slice(bar + 1), longBar < 0 ? '' : long.slice(longBar + 1)]
  return [(bar < 0 ? first : first.slice(0, bar)).trim(), perfTexts.join('\n')]
}
