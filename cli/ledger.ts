import type { Command } from 'commander'
import { collectorsSchema, parseAnswer, sitesSchema } from './answers.ts'
import { connect } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { completenessRemark, isComplete } from './completeness.ts'
import { withConnection, withOutput } from './questions.ts'
import type { OutputOptions } from './questions.ts'
import { csvLine } from './records.ts'
import type { Output } from './records.ts'
import { EXIT, harmless, runCommand, write } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type Options = ConnectionOptions & OutputOptions
type Row = Readonly<Record<string, unknown>>

const SITE_COLUMNS = ['site', 'complete', 'completeTo', 'gapsTotal']
const COLLECTOR_COLUMNS = [
  'collector',
  'host',
  'site',
  'state',
  'watermark',
  'markAt',
  'pendingRecords',
  'skewMs',
]

/** Adds `sites` and `collectors`: what the completeness ledger knows. */
export function addLedgerCommands(program: Command, terminal: Terminal): void {
  const sites = program
    .command('sites')
    .description('show how complete each site is for the last 15 minutes; exit code 3 when one is not')
  withConnection(withOutput(sites)).action((options: Options) =>
    runCommand(terminal, (signal) => showSites(terminal, options, signal)),
  )
  const collectors = program.command('collectors').description('show every collector that was seen')
  withConnection(withOutput(collectors)).action((options: Options) =>
    runCommand(terminal, (signal) => showCollectors(terminal, options, signal)),
  )
}

async function showSites(terminal: Terminal, options: Options, signal: AbortSignal): Promise<ExitCode> {
  const client = connect(options, terminal)
  const { sites } = parseAnswer(sitesSchema, await client.get('/v1/sites', {}, signal), client.url)
  const rows = Object.entries(sites).map(([site, judged]) => ({ site, ...judged }))
  await write(terminal.stdout, formatRows(rows, SITE_COLUMNS, options.output), signal)
  terminal.stderr.write(`${completenessRemark(sites, terminal.clock.nowMs())}\n`)
  return Object.values(sites).every(isComplete) ? EXIT.complete : EXIT.incomplete
}

async function showCollectors(terminal: Terminal, options: Options, signal: AbortSignal): Promise<ExitCode> {
  const client = connect(options, terminal)
  const answer = await client.get('/v1/collectors', {}, signal)
  const { collectors } = parseAnswer(collectorsSchema, answer, client.url)
  const rows = collectors.map((collector) => ({ ...collector, state: stateOf(collector) }))
  await write(terminal.stdout, formatRows(rows, COLLECTOR_COLUMNS, options.output), signal)
  return EXIT.complete
}

function stateOf({ clonedAt, leftAt, markAt }: Row): string {
  if (typeof clonedAt === 'string') return 'cloned'
  if (typeof leftAt === 'string') return 'left'
  return typeof markAt === 'string' ? 'expected' : 'importer'
}

/** A table for people, or every field for programs. */
export function formatRows(rows: readonly Row[], columns: readonly string[], output: Output): string {
  if (output === 'jsonl') return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))]
  if (output === 'csv') return lines.map(csvLine).join('')
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)))
  return lines
    .map(
      (line) =>
        `${line
          .map((text, at) => harmless(text).padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
