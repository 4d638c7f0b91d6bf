import type { Command } from 'commander'
import { HELP_COLUMNS, addQueryCommands, createProgram } from './commands.ts'
import { addConfigCommands } from './config.ts'
import { addRoleCommands } from './roles.ts'
import { addStoreCommands } from './store.ts'
import { EXIT } from './terminal.ts'

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  complete: 'done; an answer is complete',
  failed: 'failed, or done in part: standard error says what',
  usage: 'wrong usage, configuration or query; nothing was done',
  incomplete: 'an answer was given, and something is missing from it: standard error says what',
  noAnswer: 'nobody answered: not reachable, too late, overloaded or stopping',
  denied: 'no credential, or one without the role',
  interrupted: 'Ctrl-C before the end',
}

const INTRODUCTION = `# Command line reference

What \`--help\` of every command says; written by \`npm run docs\`.

Data goes to standard output, remarks to standard error; the last remark says how complete the answer is. \`pretty\` is for
people: times are UTC, and nothing in a log line can control the terminal. \`jsonl\` has what the API answers, one object a
line; \`csv\` follows RFC 4180. Ctrl-C also stops the query in the node. Colours are used on a terminal only, and not with
\`NO_COLOR\`. The query language is in [search.md](search.md), the endpoints are in [http-api.md](http-api.md).`

/** The page docs/reference/cli.md: the help of every command, as commander prints it where there is no terminal. */
export function cliReference(): string {
  let printed = ''
  // Commands take these settings over when they are added.
  const program = createProgram('').configureOutput({
    writeOut: (text) => (printed += text),
    getOutHelpWidth: () => HELP_COLUMNS,
  })
  addRoleCommands(program, async () => {})
  addConfigCommands(program, {})
  addQueryCommands(program)
  addStoreCommands(program, () => Promise.reject(new Error('only the help is asked for')))
  const sections = commandsBelow(program).map((command) => {
    printed = ''
    command.outputHelp()
    return `## ${nameOf(command)}\n\n\`\`\`text\n${printed.trim()}\n\`\`\``
  })
  const codes = (Object.keys(EXIT) as (keyof typeof EXIT)[]).map(
    (name) => `- ${EXIT[name]}: ${EXIT_MEANINGS[name]}`,
  )
  return `${[INTRODUCTION, '## Exit codes', codes.join('\n'), ...sections].join('\n\n')}\n`
}

/** The command and all below it, in the order of their help. */
function commandsBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsBelow)]
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}
