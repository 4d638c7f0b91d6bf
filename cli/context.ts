import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { contextSchema } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { timeoutParameters, withConnection, withOutput, withTimeout } from './questions.ts'
import type { OutputOptions, TimeoutOptions } from './questions.ts'
import { formatRecord, recordsHead, writeData } from './records.ts'
import { hasColours, painter, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const RECORDS_DEFAULT = 20

type ContextOptions = ConnectionOptions &
  OutputOptions &
  TimeoutOptions & {
    readonly before: number
    readonly after: number
    readonly time?: string
    readonly of: string
  }

export function addContextCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('context')
    .description('the records around one: what the same file or host said before and after it')
    .argument('<id>', 'id of the record, as `search --ids` and `search -o jsonl` give it')
    .option('-B, --before <number>', 'so many records before it', parseCountOrNone, RECORDS_DEFAULT)
    .option('-A, --after <number>', 'so many records after it', parseCountOrNone, RECORDS_DEFAULT)
    .option('--time <time>', 'time of the record; without it only the last day is looked through')
    .addOption(
      new Option('--of <source>', 'records of the same file or of the whole host')
        .choices(['file', 'host'])
        .default('file'),
    )
  withConnection(withOutput(withTimeout(command))).action((id: string, options: ContextOptions) =>
    runCommand(terminal, (signal) => context(terminal, id, options, signal)),
  )
  explained(command, {
    notes: 'The oldest record comes first; pretty marks the one that was asked for with ">".',
    exits: EXITS_OF_ANSWERS,
    examples: [
      "noctule search --ids -n 1 'level:fatal'",
      'noctule context sb49apqocqjqaans0000000c04s6 --time 2026-11-21T03:12:07.123Z --of host -B 50',
    ],
  })
}

function parseCountOrNone(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number')
  return Number(text)
}

async function context(
  terminal: Terminal,
  id: string,
  options: ContextOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { before, after, time, of, output } = options
  const around = { id, time, before: String(before), after: String(after), of }
  const parameters = { ...around, ...timeoutParameters(options) }
  const question = { path: '/v1/context', parameters, schema: contextSchema }
  const answer = await ask(connect(options, terminal), question, signal)
  const paint = painter(hasColours(terminal))
  const marked = (mark: string) => (record: object) => {
    const text = formatRecord({ ...record }, output, paint)
    return output === 'pretty' ? mark + text.replaceAll(/\n(?!$)/g, '\n  ') : text
  }
  const lines = [
    recordsHead(output),
    ...answer.before.map(marked('  ')),
    marked(paint('bold', '> '))(answer.record),
    ...answer.after.map(marked('  ')),
  ]
  await writeData(terminal, lines.join(''), output, signal)
  return conclude(terminal, answer.meta)
}
