import { Option } from 'commander'
import type { Command } from 'commander'
import { HISTOGRAM_BY } from '../core/ports.ts'
import type { HistogramBy } from '../core/ports.ts'
import { histogramSchema, parseAnswer } from './answers.ts'
import type { ShownBucket } from './answers.ts'
import { connect } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { completenessRemark, grouped } from './completeness.ts'
import {
  pointingAt,
  queryParameters,
  rangeParameters,
  withConnection,
  withFilters,
  withOutput,
  withRange,
} from './questions.ts'
import type { FilterOptions, OutputOptions, RangeOptions } from './questions.ts'
import { csvLine } from './records.ts'
import type { Output } from './records.ts'
import { EXIT, harmless, runCommand, write } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const COLUMNS_DEFAULT = 100
const BAR_CHARS_MIN = 10
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const
/** Values of `by` that are told beside a bar; the rest are summed up. */
const VALUES_TOLD_MAX = 4
/** The most that a node answers; rows for empty buckets are added up to it. */
const BUCKETS_MAX = 2_000

type HistogramOptions = ConnectionOptions &
  FilterOptions &
  RangeOptions &
  OutputOptions & { readonly interval?: string; readonly by?: HistogramBy }

export function addHistogramCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('histogram')
    .description('count records over time')
    .argument('[query...]', 'query; put -- before one that starts with "-"')
    .option('--interval <duration>', 'width of a bucket: 30s, 1m, … (default: about 60 buckets)')
    .addOption(new Option('--by <field>', 'also count by the values of this field').choices(HISTOGRAM_BY))
    .addHelpText(
      'after',
      '\njsonl has a line per bucket that is not empty; csv and pretty have all.\nExit codes: 0 complete, 2 usage, 3 incomplete, 4 nobody answered, 5 denied.',
    )
  withConnection(withOutput(withRange(withFilters(command)))).action(
    (words: string[], options: HistogramOptions) =>
      runCommand(terminal, (signal) => histogram(terminal, words, options, signal)),
  )
}

async function histogram(
  terminal: Terminal,
  words: readonly string[],
  options: HistogramOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { stdout, stderr, clock } = terminal
  const parameters = {
    ...queryParameters(words, options, clock.nowMs()),
    ...rangeParameters(options),
    interval: options.interval,
    by: options.by,
  }
  const client = connect(options, terminal)
  const asked = client.get('/v1/histogram', parameters, signal).catch((error: unknown) => {
    throw pointingAt(parameters.q, error)
  })
  const { buckets, intervalMs, meta } = parseAnswer(histogramSchema, await asked, client.url)
  const all = withEmptyBuckets(buckets, { from: meta.from, to: meta.to, intervalMs })
  const shown = { buckets, all, columns: stdout.columns ?? COLUMNS_DEFAULT, by: options.by }
  await write(stdout, formatHistogram(shown, options.output), signal)
  stderr.write(`${completenessRemark(meta.sites, clock.nowMs())}\n`)
  return meta.complete ? EXIT.complete : EXIT.incomplete
}

interface ShownHistogram {
  readonly buckets: readonly ShownBucket[]
  /** With the empty ones. */
  readonly all: readonly ShownBucket[]
  readonly columns: number
  readonly by: HistogramBy | undefined
}

function formatHistogram({ buckets, all, columns, by }: ShownHistogram, output: Output): string {
  if (output === 'jsonl') return buckets.map((bucket) => `${JSON.stringify(bucket)}\n`).join('')
  if (output === 'pretty') return bars(all, columns)
  const values =
    by === undefined ? [] : [...new Set(all.flatMap((bucket) => Object.keys(bucket.by)))].toSorted()
  const head = csvLine(['start', 'total', ...values.map(valueName)])
  return (
    head +
    all
      .map(({ start, total, by }) => csvLine([start, total, ...values.map((value) => by[value] ?? 0)]))
      .join('')
  )
}

/** The node leaves empty buckets out; in a row of bars they are what one looks for. */
export function withEmptyBuckets(
  buckets: readonly ShownBucket[],
  { from, to, intervalMs }: { from: string; to: string; intervalMs: number },
): ShownBucket[] {
  const byStart = new Map(buckets.map((bucket) => [Date.parse(bucket.start), bucket]))
  const firstMs = Math.floor(Date.parse(from) / intervalMs) * intervalMs
  const toMs = Date.parse(to)
  if ((toMs - firstMs) / intervalMs > BUCKETS_MAX + 1) return [...buckets]
  const all: ShownBucket[] = []
  for (let startMs = firstMs; startMs < toMs; startMs += intervalMs)
    all.push(byStart.get(startMs) ?? { start: new Date(startMs).toISOString(), total: 0, by: {} })
  return all
}

/** One bar per bucket, the longest as wide as `columns` leave room for. */
export function bars(buckets: readonly ShownBucket[], columns: number): string {
  const rows = buckets.map((bucket) => ({
    time: bucket.start.replace('.000Z', 'Z'),
    count: grouped(bucket.total),
    total: bucket.total,
    split: splitOf(bucket),
  }))
  const longest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length))
  const countChars = longest(rows.map(({ count }) => count))
  const taken =
    longest(rows.map(({ time }) => time)) + countChars + longest(rows.map(({ split }) => split)) + 4
  const barChars = Math.max(BAR_CHARS_MIN, columns - taken)
  const most = Math.max(1, ...rows.map(({ total }) => total))
  return rows
    .map(({ time, count, total, split }) => {
      const filled = bar(total / most, barChars)
      const row = `${time} ${count.padStart(countChars)} ${split === '' ? filled : `${filled.padEnd(barChars)} ${split}`}`
      return `${row.trimEnd()}\n`
    })
    .join('')
}

function bar(share: number, chars: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(share * chars * 8))
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
}

/** `error 24, info 1,000, 3 more 7` */
function splitOf({ by }: ShownBucket): string {
  const values = Object.entries(by).toSorted(([, a], [, b]) => b - a)
  const told = values
    .slice(0, VALUES_TOLD_MAX)
    .map(([value, count]) => `${harmless(valueName(value))} ${grouped(count)}`)
  const rest = values.slice(VALUES_TOLD_MAX)
  if (rest.length > 0)
    told.push(`${rest.length} more ${grouped(rest.reduce((sum, [, count]) => sum + count, 0))}`)
  return told.join(', ')
}

function valueName(value: string): string {
  return value === '' ? '(none)' : value
}
