import { Command, CommanderError } from 'commander'
import { asServiceError } from '../core/errors.ts'
import { addContextCommand } from './context.ts'
import { addExplainCommand } from './explain.ts'
import { addExportCommand } from './export.ts'
import { addFieldsCommand } from './fields.ts'
import { explained } from './help.ts'
import { addHistogramCommand } from './histogram.ts'
import { addHostsCommand } from './hosts.ts'
import { addImportCommand } from './import.ts'
import { addLedgerCommands } from './ledger.ts'
import { addMetricsCommands } from './metrics.ts'
import { addPatternsCommand } from './patterns.ts'
import { addQueriesCommands } from './queries.ts'
import { addSearchCommand } from './search.ts'
import { addTailCommand } from './tail.ts'
import { EXIT, harmless, processTerminal } from './terminal.ts'
import type { Terminal } from './terminal.ts'
import { addTopCommand } from './top.ts'

/** Width of help that nobody sees on a terminal. */
export const HELP_COLUMNS = 100

/** The `noctule` command. Its subcommands inherit that a usage error ends with exit code 2 and a hint at `--help`. */
export function createProgram(version: string, terminal: Terminal = processTerminal()): Command {
  const program = new Command('noctule')
    .version(version)
    .description('Search the logs of every host, and know what is missing from the answer.')
    .showHelpAfterError('(--help shows the options)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      getOutHelpWidth: () => terminal.stdout.columns ?? HELP_COLUMNS,
      getErrHelpWidth: () => terminal.stderr.columns ?? HELP_COLUMNS,
    })
  return explained(program, {
    examples: ['noctule all', "noctule search 'level:error' --since 1h", 'noctule help search'],
  })
}

/** Adds the commands that ask a node over HTTP. */
export function addQueryCommands(program: Command, terminal: Terminal = processTerminal()): void {
  addSearchCommand(program, terminal)
  addTailCommand(program, terminal)
  addHistogramCommand(program, terminal)
  addTopCommand(program, terminal)
  addPatternsCommand(program, terminal)
  addFieldsCommand(program, terminal)
  addContextCommand(program, terminal)
  addExportCommand(program, terminal)
  addExplainCommand(program, terminal)
  addImportCommand(program, terminal)
  addMetricsCommands(program, terminal)
  addQueriesCommands(program, terminal)
  addLedgerCommands(program, terminal)
  addHostsCommand(program, terminal)
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
    terminal.stderr.write(`noctule: ${harmless(failure.message)}\n`)
    terminal.exit(failure.code === 'BAD_CONFIG' ? EXIT.usage : EXIT.failed)
  }
}
