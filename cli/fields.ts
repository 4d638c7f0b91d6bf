import type { Command } from 'commander'
import { fieldsSchema } from './answers.ts'
import type { ShownField, ShownFields } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import { counted, grouped, percent, shownValue } from './format.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { parseCount, questionParameters, withQuery } from './questions.ts'
import type { QueryOptions } from './questions.ts'
import { writeTable } from './table.ts'
import type { Column } from './table.ts'
import { runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const SAMPLE_DEFAULT = 2_000

type FieldsOptions = QueryOptions & { readonly sample: number }

export function addFieldsCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('fields')
    .description('the fields that matching records have: types, share of the records, examples')
    .option('--sample <number>', 'look at so many records, the newest', parseCount, SAMPLE_DEFAULT)
  withQuery(command).action((words: string[], options: FieldsOptions) =>
    runCommand(terminal, (signal) => fields(terminal, words, options, signal)),
  )
  explained(command, {
    notes:
      'Every name can be used in a query, in `top`, and, as far as it is a field of all records, in `--by`.',
    exits: EXITS_OF_ANSWERS,
    examples: ['noctule fields service:checkout', 'noctule fields --since 1d --sample 10000 -o jsonl'],
  })
}

const COLUMNS: readonly Column<ShownField>[] = [
  { name: 'field', value: ({ name }) => name },
  { name: 'types', value: ({ types }) => types.join(' ') },
  { name: 'share', value: ({ share }) => share, shown: ({ share }) => percent(share), align: 'right' },
  {
    name: 'distinct',
    value: ({ distinct }) => distinct,
    shown: ({ distinct }) => grouped(distinct),
    align: 'right',
  },
  {
    name: 'examples',
    value: ({ examples }) => examples,
    shown: ({ examples }) => examples.map(shownValue).join(', '),
  },
]

async function fields(
  terminal: Terminal,
  words: readonly string[],
  options: FieldsOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const parameters = {
    ...questionParameters(words, options, terminal.clock.nowMs()),
    sample: String(options.sample),
  }
  const question = { path: '/v1/fields', parameters, schema: fieldsSchema }
  const answer = await ask(connect(options, terminal), question, signal)
  await writeTable(terminal, { rows: answer.fields, columns: COLUMNS, output: options.output }, signal)
  terminal.stderr.write(`${summary(answer)}\n`)
  return conclude(terminal, answer.meta)
}

/** `1,000 of 1,234 fields, in the newest 2,000 records` */
function summary({ fields, fieldsTotal = fields.length, sampled, of }: ShownFields): string {
  const listed = fieldsTotal > fields.length ? `${grouped(fields.length)} of ` : ''
  const looked = of !== undefined && of <= sampled ? 'all' : 'the newest'
  return `${listed}${counted(fieldsTotal, 'field')}, in ${looked} ${counted(sampled, 'record')}`
}
