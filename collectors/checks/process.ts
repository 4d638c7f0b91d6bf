import { compileExpression } from '../../core/query/grep.ts'
import { problemOf, unknown, type CheckOf, type Outcome, type Probe } from './probe.ts'
import type { Processes } from './processes.ts'

type ProcessCheck = CheckOf<'process'>

/** Counts the processes whose command line has the expression in it. */
export function processProbe(config: ProcessCheck, { processes }: { processes: Processes }): Probe {
  const found = compileExpression(config.command)
  let answers = new Map<string, boolean>()
  return async () => {
    // Most command lines are the same as a second ago: each is tried once.
    const tried = new Map<string, boolean>()
    const isWanted = (commandLine: string) => {
      const answer =
        tried.get(commandLine) ?? answers.get(commandLine) ?? (commandLine !== '' && found(commandLine))
      tried.set(commandLine, answer)
      return answer
    }
    try {
      const outcome = judge(config, await processes.count(isWanted))
      answers = tried
      return outcome
    } catch (error) {
      return unknown(`the processes cannot be listed: ${problemOf(error)}`)
    }
  }
}

function judge({ atLeast, atMost }: ProcessCheck, count: number): Outcome {
  const message = count === 1 ? '1 process' : `${count} processes`
  if (count < atLeast)
    return { state: 'fail', message: `${message}, expected at least ${atLeast}`, value: count }
  if (atMost !== undefined && count > atMost)
    return { state: 'fail', message: `${message}, expected at most ${atMost}`, value: count }
  return { state: 'ok', message, value: count }
}
