import type { Command } from 'commander'
import { topSchema } from './answers.ts'
import type { ShownTop } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import { clockTime, counted, grouped, percent } from './format.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { parseCount, questionParameters, withQuery } from './questions.ts'
import type { QueryOptions } from './questions.ts'
import { writeTable } from './table.ts'
import type { Column } from './table.ts'
import { harmless, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const VALUES_DEFAULT = 10

type TopOptions = QueryOptions & { readonly count: number }
type TopValue = ShownTop['values'][number]

export function addTopCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('top')
    .description('the most frequent values of a field, and when each was seen first and last')
    .argument('<field>', 'host, service, level, status, … or the path of an own field, as in labels.team')
    .option('-n, --count <number>', 'at most so many values', parseCount, VALUES_DEFAULT)
  withQuery(command).action((field: string, words: string[], options: TopOptions) =>
    runCommand(terminal, (signal) => top(terminal, { field, words, options }, signal)),
  )
  explained(command, {
    notes: 'Shares are of the matching records that have the field.',
    exits: EXITS_OF_ANSWERS,
    examples: ["noctule top host 'level:error' --since 1h", 'noctule top labels.team -n 3 -o csv'],
  })
}

interface Asked {
  readonly field: string
  readonly words: readonly string[]
  readonly options: TopOptions
}

async function top(
  terminal: Terminal,
  { field, words, options }: Asked,
  signal: AbortSignal,
): Promise<ExitCode> {
  const nowMs = terminal.clock.nowMs()
  const parameters = {
    ...questionParameters(words, options, nowMs),
    field,
    limit: String(options.count),
  }
  const question = { path: '/v1/top', parameters, schema: topSchema }
  const answer = await ask(connect(options, terminal), question, signal)
  const { output } = options
  await writeTable(terminal, { rows: answer.values, columns: columnsOf(field, nowMs), output }, signal)
  terminal.stderr.write(`${harmless(summary(answer))}\n`)
  return conclude(terminal, answer.meta)
}

function columnsOf(field: string, nowMs: number): Column<TopValue>[] {
  return [
    { name: 'count', value: ({ count }) => count, shown: ({ count }) => grouped(count), align: 'right' },
    { name: 'share', value: ({ share }) => share, shown: ({ share }) => percent(share), align: 'right' },
    { name: 'first', value: ({ first }) => first, shown: ({ first }) => clockTime(first, nowMs) },
    { name: 'last', value: ({ last }) => last, shown: ({ last }) => clockTime(last, nowMs) },
    // The longest stands last, so that the others stay aligned. An empty string is a value, too.
    { name: field, value: ({ value }) => value, shown: ({ value }) => (value === '' ? '""' : value) },
  ]
}

/** `2 of 40 values; 1,260 of 1,300 records have host` */
function summary({ field, values, distinct, having, matched, approximate }: ShownTop): string {
  const shown = `${grouped(values.length)} of ${counted(distinct, 'value')}`
  const owners = `${grouped(having)} of ${counted(matched, 'record')} ${having === 1 ? 'has' : 'have'} ${field}`
  return `${shown}; ${owners}${approximate ? '; approximate: counts are lower bounds' : ''}`
}
