import type { Command } from 'commander'

/** What the exit codes mean after a question. */
export const EXITS_OF_ANSWERS = '0 complete, 2 usage, 3 incomplete, 4 nobody answered, 5 denied'
/** The same after a command that changes something. */
export const EXITS_OF_ACTS = '0 done, 1 failed, 2 usage, 4 nobody answered, 5 denied'

interface Explanation {
  /** Sentences that the options cannot say. */
  readonly notes?: string
  readonly exits?: string
  /** Lines to copy, without the `$`. */
  readonly examples: readonly string[]
}

/** What `--help` says behind the options: notes, exit codes, examples. */
export function explained(command: Command, { notes, exits, examples }: Explanation): Command {
  const codes = exits === undefined ? undefined : `Exit codes: ${exits}.`
  const text = [notes, codes].filter((part) => part !== undefined).join('\n')
  const head = text === '' ? '' : `\n${text}\n`
  return command.addHelpText('after', `${head}\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
}
