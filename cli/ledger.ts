import type { Command } from 'commander'
import { collectorsSchema, parseAnswer, sitesSchema } from './answers.ts'
import { connect } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { completenessRemark, isComplete } from './completeness.ts'
import { grouped } from './format.ts'
import { EXITS_OF_ACTS, EXITS_OF_ANSWERS, explained } from './help.ts'
import { withConnection, withOutput } from './questions.ts'
import type { OutputOptions } from './questions.ts'
import { writeTable } from './table.ts'
import type { Column } from './table.ts'
import { EXIT, harmless, runCommand, write } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type Options = ConnectionOptions & OutputOptions
type Row = Readonly<Record<string, unknown>>

const SITE_COLUMNS = [...texts('site', 'complete', 'completeTo'), ...numbers('gapsTotal')]
const COLLECTOR_COLUMNS = [
  ...texts('collector', 'host', 'site', 'state', 'watermark', 'markAt'),
  ...numbers('pendingRecords', 'skewMs'),
]

function texts(...names: readonly string[]): Column<Row>[] {
  return names.map((name) => ({ name, value: (row) => row[name] }))
}

function numbers(...names: readonly string[]): Column<Row>[] {
  const shown = (value: unknown) => (typeof value === 'number' ? grouped(value) : '')
  return names.map((name) => ({
    name,
    value: (row) => row[name],
    shown: (row) => shown(row[name]),
    align: 'right',
  }))
}

/** Adds `sites` and `collectors`: what the completeness ledger knows. */
export function addLedgerCommands(program: Command, terminal: Terminal): void {
  const sites = program
    .command('sites')
    .description('show how complete each site is for the last 15 minutes; exit code 3 when one is not')
  withConnection(withOutput(sites)).action((options: Options) =>
    runCommand(terminal, (signal) => showSites(terminal, options, signal)),
  )
  explained(sites, { exits: EXITS_OF_ANSWERS, examples: ['noctule sites', 'noctule sites -o jsonl'] })
  addCollectorsCommands(program, terminal)
}

function addCollectorsCommands(program: Command, terminal: Terminal): void {
  const collectors = program.command('collectors').description('the collectors that were seen')
  explained(collectors, { examples: ['noctule collectors', 'noctule collectors retire 7d442a5d3b8adafd'] })

  const list = collectors.command('list', { isDefault: true }).description('show them and what waits there')
  withConnection(withOutput(list)).action((options: Options) =>
    runCommand(terminal, (signal) => showCollectors(terminal, options, signal)),
  )
  explained(list, { exits: EXITS_OF_ACTS, examples: ['noctule collectors list -o csv'] })

  const retire = collectors
    .command('retire')
    .description('stop expecting a collector whose host is gone; its records stay')
    .argument('<id>', 'id of the collector, as `noctule collectors` shows it')
  withConnection(retire).action((id: string, options: ConnectionOptions) =>
    runCommand(terminal, (signal) => retireCollector(terminal, id, options, signal)),
  )
  explained(retire, {
    notes: 'A collector that sends again is expected again.',
    exits: EXITS_OF_ACTS,
    examples: ['noctule collectors retire 7d442a5d3b8adafd'],
  })
}

async function showSites(terminal: Terminal, options: Options, signal: AbortSignal): Promise<ExitCode> {
  const client = connect(options, terminal)
  const { sites } = parseAnswer(sitesSchema, await client.get('/v1/sites', {}, signal), client.url)
  const rows = Object.entries(sites).map(([site, judged]) => ({ site, ...judged }))
  await writeTable(terminal, { rows, columns: SITE_COLUMNS, output: options.output }, signal)
  terminal.stderr.write(`${completenessRemark(sites, terminal.clock.nowMs())}\n`)
  return Object.values(sites).every(isComplete) ? EXIT.complete : EXIT.incomplete
}

async function showCollectors(terminal: Terminal, options: Options, signal: AbortSignal): Promise<ExitCode> {
  const client = connect(options, terminal)
  const answer = await client.get('/v1/collectors', {}, signal)
  const { collectors } = parseAnswer(collectorsSchema, answer, client.url)
  const rows = collectors.map((collector) => ({ ...collector, state: stateOf(collector) }))
  await writeTable(terminal, { rows, columns: COLLECTOR_COLUMNS, output: options.output }, signal)
  return EXIT.complete
}

async function retireCollector(
  terminal: Terminal,
  id: string,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  await connect(options, terminal).act('POST', `/v1/collectors/${encodeURIComponent(id)}/retire`, signal)
  await write(terminal.stdout, `${harmless(id)} is no longer expected\n`, signal)
  return EXIT.complete
}

function stateOf({ clonedAt, leftAt, markAt }: Row): string {
  if (typeof clonedAt === 'string') return 'cloned'
  if (typeof leftAt === 'string') return 'left'
  return typeof markAt === 'string' ? 'expected' : 'importer'
}
