import type { Command } from 'commander'
import { parseAnswer, queriesSchema } from './answers.ts'
import type { ShownQuery } from './answers.ts'
import { connect } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { clockTime, elapsed } from './format.ts'
import { EXITS_OF_ACTS, explained } from './help.ts'
import { withConnection, withOutput } from './questions.ts'
import type { OutputOptions } from './questions.ts'
import { writeTable } from './table.ts'
import type { Column } from './table.ts'
import { EXIT, harmless, runCommand, write } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const CANCEL_EXAMPLE = 'noctule queries cancel 6f1c9a52-0d3e-4c8b-9b57-2f6f0f3d7a11'

type ListOptions = ConnectionOptions & OutputOptions

/** Adds `queries list` and `queries cancel`. */
export function addQueriesCommands(program: Command, terminal: Terminal): void {
  const queries = program
    .command('queries')
    .description('the queries that run or wait now: your own, for an administrator all')
  explained(queries, { examples: ['noctule queries', CANCEL_EXAMPLE] })

  const list = queries.command('list', { isDefault: true }).description('show them, the oldest first')
  withConnection(withOutput(list)).action((options: ListOptions) =>
    runCommand(terminal, (signal) => listQueries(terminal, options, signal)),
  )
  explained(list, { exits: EXITS_OF_ACTS, examples: ['noctule queries list -o jsonl'] })

  const cancel = queries
    .command('cancel')
    .description('stop a query; whoever asked it is told who cancelled it')
    .argument('<id>', 'id of the query, as `noctule queries` shows it')
  withConnection(cancel).action((id: string, options: ConnectionOptions) =>
    runCommand(terminal, (signal) => cancelQuery(terminal, id, options, signal)),
  )
  explained(cancel, { exits: EXITS_OF_ACTS, examples: [CANCEL_EXAMPLE] })
}

async function listQueries(terminal: Terminal, options: ListOptions, signal: AbortSignal): Promise<ExitCode> {
  const client = connect(options, terminal)
  const { queries } = parseAnswer(queriesSchema, await client.get('/v1/queries', {}, signal), client.url)
  const columns = columnsOf(terminal.clock.nowMs())
  await writeTable(terminal, { rows: queries, columns, output: options.output }, signal)
  return EXIT.complete
}

function columnsOf(nowMs: number): Column<ShownQuery>[] {
  const time = (text: string | null) => (text === null ? '' : clockTime(text, nowMs))
  return [
    { name: 'id', value: ({ id }) => id },
    { name: 'kind', value: ({ kind }) => kind },
    { name: 'state', value: ({ state }) => state },
    { name: 'user', value: ({ user }) => user },
    { name: 'startedAt', value: ({ startedAt }) => startedAt, shown: ({ startedAt }) => time(startedAt) },
    {
      name: 'runningMs',
      value: ({ runningMs }) => runningMs,
      shown: ({ runningMs }) => elapsed(runningMs),
      align: 'right',
    },
    { name: 'from', value: ({ from }) => from, shown: ({ from }) => time(from) },
    { name: 'to', value: ({ to }) => to, shown: ({ to }) => time(to) },
    { name: 'query', value: ({ query }) => query },
  ]
}

async function cancelQuery(
  terminal: Terminal,
  id: string,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  await connect(options, terminal).act('DELETE', `/v1/queries/${encodeURIComponent(id)}`, signal)
  await write(terminal.stdout, `cancelled ${harmless(id)}\n`, signal)
  return EXIT.complete
}
