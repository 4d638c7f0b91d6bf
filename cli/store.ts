import type { Command } from 'commander'
import { dataPaths, retentionOf } from '../core/config.ts'
import type { PartitionStats, StoreStats } from '../core/ports.ts'
import type { Retention } from '../core/retention.ts'
import { CONFIG_OPTION, loadConfig } from './config.ts'
import { counted, mebibytes } from './format.ts'
import { explained } from './help.ts'
import { createProgress } from './progress.ts'
import { writeTable } from './table.ts'
import type { Column } from './table.ts'
import { EXIT, harmless, processTerminal, runCommand, write } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

/** What the command needs of a store that is not in use. */
export interface StoreInspection {
  verify(
    onFile: (file: string) => void,
    signal: AbortSignal,
  ): Promise<{
    readonly files: number
    readonly bytes: number
    readonly records: number
    readonly segments: number
    readonly problems: readonly { readonly file: string; readonly problem: string }[]
  }>
  stats(): Promise<{
    readonly records: number
    readonly unsealedRecords: number
    readonly bytes: number
    readonly partitions: readonly PartitionStats[]
    readonly purged: StoreStats['purged']
    readonly setAside: StoreStats['setAside']
  }>
  close(): Promise<void>
}

/** Opens a store's directory; rejects with DATA_DIR_IN_USE or NOT_FOUND. */
export type OpenInspection = (options: { dir: string; retention: Retention }) => Promise<StoreInspection>

interface Options {
  readonly config?: string
  readonly json?: boolean
}

const utc = (timeMs: number) =>
  Math.abs(timeMs) <= 8.64e15 ? new Date(timeMs).toISOString().slice(0, 19) : 'never'

const PARTITION_COLUMNS: readonly Column<PartitionStats>[] = [
  { name: 'class', value: (row) => row.class },
  { name: 'from', value: (row) => row.fromMs, shown: (row) => utc(row.fromMs) },
  { name: 'to', value: (row) => row.toMs, shown: (row) => utc(row.toMs) },
  { name: 'segments', value: (row) => row.segments, align: 'right' },
  { name: 'records', value: (row) => row.records, align: 'right' },
  { name: 'size', value: (row) => row.bytes, shown: (row) => mebibytes(row.bytes), align: 'right' },
  { name: 'purged at', value: (row) => row.purgeAtMs, shown: (row) => utc(row.purgeAtMs) },
]

/** Adds `store verify` and `store stats`, which look at the data directory of a node that does not run. */
export function addStoreCommands(
  program: Command,
  open: OpenInspection,
  terminal: Terminal = processTerminal(),
): void {
  const store = program.command('store').description('look at the data directory of a node that does not run')
  explained(store, { examples: ['noctule store verify', 'noctule store stats --json'] })

  const verify = store.command('verify').description('read every file of the store against its checksums')
  verify
    .option(...CONFIG_OPTION)
    .action((options: Options) =>
      runCommand(terminal, (signal) =>
        inspecting(options, open, (store) => showProblems(terminal, store, signal)),
      ),
    )
  const exits = '0 every file is as it was written, 1 something is damaged, or the store is in use, 2 usage'
  explained(verify, { exits, examples: ['noctule store verify --config /etc/noctule/noctule.yaml'] })

  const stats = store.command('stats').description('show partitions, their sizes, and what was purged')
  stats
    .option(...CONFIG_OPTION)
    .option('--json', 'one JSON object')
    .action((options: Options) =>
      runCommand(terminal, (signal) =>
        inspecting(options, open, (store) =>
          showStats(terminal, store, { json: options.json === true, signal }),
        ),
      ),
    )
  explained(stats, {
    exits: '0 done, 1 failed, or the store is in use, 2 usage',
    examples: ['noctule store stats'],
  })
}

async function inspecting(
  { config: file }: Options,
  open: OpenInspection,
  work: (store: StoreInspection) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = loadConfig(file, process.env)
  const store = await open({ dir: dataPaths(config).store, retention: retentionOf(config) })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

async function showProblems(
  terminal: Terminal,
  store: StoreInspection,
  signal: AbortSignal,
): Promise<ExitCode> {
  let files = 0
  let last = ''
  const progress = createProgress(terminal, () => `${counted(files, 'file')} read, now ${last}`)
  const onFile = (file: string) => {
    files += 1
    last = file
    progress.tick()
  }
  const found = await store.verify(onFile, signal).finally(() => progress.clear())
  const { stdout } = terminal
  for (const { file, problem } of found.problems)
    await write(stdout, `${file}: ${harmless(problem)}\n`, signal)
  const looked = `${counted(found.records, 'record')} in ${counted(found.segments, 'segment')} and the logs`
  const said = found.problems.length === 0 ? 'no damage' : counted(found.problems.length, 'problem')
  await write(
    stdout,
    `${said}: ${counted(found.files, 'file')}, ${mebibytes(found.bytes)}, ${looked}\n`,
    signal,
  )
  const { setAside } = await store.stats()
  if (setAside.length > 0)
    await write(
      stdout,
      `${counted(setAside.length, 'file')} set aside before: see "noctule store stats"\n`,
      signal,
    )
  return found.problems.length === 0 ? EXIT.complete : EXIT.failed
}

async function showStats(
  terminal: Terminal,
  store: StoreInspection,
  { json, signal }: { readonly json: boolean; readonly signal: AbortSignal },
): Promise<ExitCode> {
  const stats = await store.stats()
  const { stdout } = terminal
  if (json) {
    await write(stdout, `${JSON.stringify(stats)}\n`, signal)
    return EXIT.complete
  }
  const { partitions, records, unsealedRecords, bytes, purged, setAside } = stats
  const table = { rows: partitions, columns: PARTITION_COLUMNS, output: 'pretty' as const }
  if (partitions.length > 0) await writeTable(terminal, table, signal)
  const lines = [
    `${counted(records, 'record')}, ${unsealedRecords.toLocaleString('en-US')} of them not sealed yet; ${mebibytes(bytes)} on disk`,
    `purged so far: ${counted(purged.partitions, 'partition')}, ${counted(purged.records, 'record')}, ${mebibytes(purged.bytes)}`,
    ...setAside.map(({ file, problem }) => `set aside: ${harmless(file)}: ${harmless(problem)}`),
  ]
  await write(stdout, `${lines.join('\n')}\n`, signal)
  return EXIT.complete
}
