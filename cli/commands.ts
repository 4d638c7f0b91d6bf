import { Command, CommanderError } from 'commander'
import { asServiceError } from '../core/errors.ts'
import { addHistogramCommand } from './histogram.ts'
import { addImportCommand } from './import.ts'
import { addLedgerCommands } from './ledger.ts'
import { addSearchCommand } from './search.ts'
import { addTailCommand } from './tail.ts'
import { EXIT, processTerminal } from './terminal.ts'
import type { Terminal } from './terminal.ts'

/** The `noctule` command. Its subcommands inherit that a usage error ends with exit code 2 and a hint at `--help`. */
export function createProgram(version: string, terminal: Terminal = processTerminal()): Command {
  return new Command('noctule')
    .version(version)
    .description('Search the logs of every host, and know what is missing from the answer.')
    .showHelpAfterError('(--help shows the options)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    })
}

/** Adds the commands that ask a node over HTTP: `search`, `tail`, `histogram`, `import`, `sites`, `collectors`. */
export function addQueryCommands(program: Command, terminal: Terminal = processTerminal()): void {
  addSearchCommand(program, terminal)
  addTailCommand(program, terminal)
  addHistogramCommand(program, terminal)
  addImportCommand(program, terminal)
  addLedgerCommands(program, terminal)
}

/** Runs the command line. An expected failure is one line on standard error; anything else is shown whole, as a bug is. */
export async function runProgram(
  program: Command,
  args: readonly string[],
  terminal: Terminal = processTerminal(),
): Promise<void> {
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) terminal.exit(error.exitCode === 0 ? EXIT.complete : EXIT.usage)
    const failure = asServiceError(error)
    if (failure === undefined) throw error
    terminal.stderr.write(`noctule: ${failure.message}\n`)
    terminal.exit(failure.code === 'BAD_CONFIG' ? EXIT.usage : EXIT.failed)
  }
}
