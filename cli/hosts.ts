import type { Command } from 'commander'
import { ServiceError } from '../core/errors.ts'
import { HOST_STATES } from '../core/health.ts'
import { hostsSchema, parseAnswer } from './answers.ts'
import type { ShownHost, ShownHosts } from './answers.ts'
import { connect } from './client.ts'
import type { Client, ConnectionOptions, Parameters } from './client.ts'
import { counted, elapsed, percent } from './format.ts'
import { explained } from './help.ts'
import { withConnection, withOutput } from './questions.ts'
import type { OutputOptions } from './questions.ts'
import { formatTable, writeTable } from './table.ts'
import type { Column } from './table.ts'
import {
  EXIT,
  hasColours,
  harmless,
  Interrupted,
  painter,
  runCommand,
  write,
  type Colour,
  type ExitCode,
  type Terminal,
} from './terminal.ts'

interface HostsOptions extends ConnectionOptions, OutputOptions {
  readonly tier?: readonly string[]
  readonly state?: readonly string[]
  readonly host?: readonly string[]
  readonly watch?: boolean
}

const WATCH_EVERY_MS = 1_000
/** States that end the command with 1. */
const BAD: ReadonlySet<string> = new Set(['fail', 'silent', 'missing'])
const COLOURS: Readonly<Record<string, Colour>> = {
  silent: 'red',
  missing: 'red',
  fail: 'red',
  unknown: 'cyan',
  warn: 'yellow',
}
/** What a terminal does: to the upper left corner; clear the rest of the line; clear what is below. */
const HOME = '\u001b[H'
const CLEAR_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** Adds `hosts`: what every host says of itself. */
export function addHostsCommand(program: Command, terminal: Terminal): void {
  const several = (value: string, before: readonly string[] = []) => [...before, value]
  const hosts = program
    .command('hosts')
    .description('show how every host is: its checks, its facts, and who is not heard')
    .option('--tier <name>', 'only this tier; may be repeated, like the next two', several)
    .option('--state <state>', `only hosts in this state: ${HOST_STATES.join(', ')}`, several)
    .option('--host <name>', 'only this host', several)
    .option('--watch', 'show it again every second; a terminal is redrawn')
  withConnection(withOutput(hosts)).action((options: HostsOptions) =>
    runCommand(terminal, (signal) =>
      options.watch === true ? watch(terminal, options, signal) : once(terminal, options, signal),
    ),
  )
  explained(hosts, {
    notes:
      '`silent` was heard and is not any more, `missing` is expected by the configuration and was never heard; the other states are the worst of the checks of a host.',
    exits:
      '0 no host that is shown fails, is silent or missing (warn and unknown are no failure), 1 one is, 2 usage, 4 nobody answered, 5 denied',
    examples: [
      'noctule hosts',
      'noctule hosts --tier webhead --watch',
      'noctule hosts --state silent -o jsonl',
    ],
  })
}

async function once(terminal: Terminal, options: HostsOptions, signal: AbortSignal): Promise<ExitCode> {
  const answer = await ask(connect(options, terminal), options, signal)
  const { output } = options
  const rows = rowsOf(answer)
  await writeTable(terminal, { rows, columns: columnsOf(answer), output, colour: colourOf }, signal)
  terminal.stderr.write(`${summary(answer)}\n`)
  return exitCodeOf(answer)
}

/** Until Ctrl-C. A node that is away for a moment is asked again. */
async function watch(terminal: Terminal, options: HostsOptions, signal: AbortSignal): Promise<ExitCode> {
  const client = connect(options, terminal)
  let last: ShownHosts | null = null
  try {
    for (;;) {
      try {
        last = await ask(client, options, signal)
        await show(terminal, last, options, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (last === null || !(error instanceof ServiceError) || !error.retryable) throw error
        terminal.stderr.write(`${harmless(error.message)}. What is shown is as of ${last.at}.\n`)
      }
      await terminal.clock.sleep(WATCH_EVERY_MS, signal)
    }
  } catch (error) {
    if (!(signal.reason instanceof Interrupted) || last === null) throw error
    return exitCodeOf(last)
  }
}

async function show(terminal: Terminal, answer: ShownHosts, options: HostsOptions, signal: AbortSignal) {
  const { stdout } = terminal
  const { output } = options
  if (stdout.isTTY !== true || output !== 'pretty') {
    const table = { rows: rowsOf(answer), columns: columnsOf(answer), output, colour: colourOf }
    await writeTable(terminal, table, signal)
    return
  }
  const paint = painter(hasColours(terminal))
  const look = { output, paint, widthMax: stdout.columns ?? Infinity }
  const text = `${formatTable(rowsOf(answer), columnsOf(answer), look, colourOf)}${summary(answer)}\n`
  await write(stdout, `${HOME}${text.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`, signal)
}

async function ask(client: Client, options: HostsOptions, signal: AbortSignal): Promise<ShownHosts> {
  const { tier, state, host } = options
  const parameters: Parameters = { tier: tier?.join(','), state: state?.join(','), host: host?.join(',') }
  return parseAnswer(hostsSchema, await client.get('/v1/hosts', parameters, signal), client.url)
}

/** By tier, then as the node has them. */
function rowsOf({ hosts }: ShownHosts): ShownHost[] {
  return hosts.toSorted((a, b) => Number(a.tier > b.tier) - Number(a.tier < b.tier))
}

function columnsOf({ at, hosts }: ShownHosts): Column<ShownHost>[] {
  const ageMs = (time: string | null) => (time === null ? null : Date.parse(at) - Date.parse(time))
  const age = (time: string | null) => ageText(ageMs(time))
  const sites = new Set(hosts.map(({ site }) => site)).size
  return [
    { name: 'site', value: ({ site }) => site, ...(sites > 1 ? {} : { shown: null }) },
    { name: 'tier', value: ({ tier }) => tier },
    { name: 'host', value: ({ host }) => host },
    { name: 'state', value: ({ state }) => state },
    { name: 'since', value: ({ since }) => since, shown: ({ since }) => age(since), align: 'right' },
    share('cpu', cpuOf),
    share('memory', memoryOf),
    { ...share('disk', (host) => worstDisk(host)?.share ?? null), shown: diskText },
    { name: 'version', value: ({ version }) => version },
    {
      name: 'age',
      value: ({ reportedAt }) => ageMs(reportedAt),
      shown: ({ reportedAt }) => age(reportedAt),
      align: 'right',
    },
    { name: 'checks', value: checksText },
  ]
}

function share(name: string, read: (host: ShownHost) => number | null): Column<ShownHost> {
  const shown = (host: ShownHost) => shareText(read(host))
  return { name, value: read, shown, align: 'right' }
}

const shareText = (value: number | null) => (value === null ? '' : percent(value))
const cpuOf = ({ facts }: ShownHost) => facts?.cpu.busy ?? null

function memoryOf({ facts }: ShownHost): number | null {
  if (facts === null || facts.memory.totalBytes <= 0) return null
  return 1 - facts.memory.availableBytes / facts.memory.totalBytes
}

/** The fullest one. */
function worstDisk({ facts }: ShownHost): { mount: string; share: number } | null {
  const disks = (facts?.disks ?? []).filter(({ totalBytes }) => totalBytes > 0)
  const shares = disks.map(({ mount, totalBytes, usedBytes }) => ({ mount, share: usedBytes / totalBytes }))
  return shares.sort((a, b) => b.share - a.share)[0] ?? null
}

function diskText(host: ShownHost): string {
  const worst = worstDisk(host)
  return worst === null ? '' : `${worst.mount} ${percent(worst.share)}`
}

/** Those that are not ok, with what was seen. */
function checksText({ checks }: ShownHost): string {
  const failing = checks.filter(({ state }) => state !== 'ok')
  return failing.map(({ name, state, message }) => `${name} ${state}: ${message}`).join('; ')
}

/** 90 s → `1m`; what is younger than 10 s with its tenths. */
function ageText(ms: number | null): string {
  if (ms === null) return ''
  const seconds = Math.max(0, ms) / 1_000
  if (seconds < 10) return elapsed(Math.max(0, ms))
  if (seconds < 60) return `${Math.floor(seconds)}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`
}

const colourOf = ({ state }: ShownHost) => COLOURS[state] ?? null

/** `3 hosts: 1 silent, 2 ok`, and tiers that have fewer hosts up than expected. */
function summary({ hosts, hostsTotal, tiers, source }: ShownHosts): string {
  const states = HOST_STATES.flatMap((state) => {
    const many = hosts.filter((host) => host.state === state).length
    return many === 0 ? [] : [`${many} ${state}`]
  })
  const short = tiers
    .filter(({ expected, up }) => expected !== null && up < expected)
    .map(({ name, expected, up }) => `tier ${harmless(name)}: ${up} of ${expected} up`)
  const more =
    hostsTotal > hosts.length ? [`${counted(hostsTotal - hosts.length, 'host')} more not shown`] : []
  const deaf = source === 'none' ? ['no report of a host reaches this node'] : []
  const head =
    states.length === 0 ? counted(hostsTotal, 'host') : `${counted(hostsTotal, 'host')}: ${states.join(', ')}`
  return [head, ...short, ...more, ...deaf].join('; ')
}

function exitCodeOf({ hosts }: ShownHosts): ExitCode {
  return hosts.some(({ state }) => BAD.has(state)) ? EXIT.failed : EXIT.complete
}
