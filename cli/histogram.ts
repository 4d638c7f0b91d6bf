import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { ServiceError } from '../core/errors.ts'
import { HISTOGRAM_BY, QUANTILE_OF } from '../core/ports.ts'
import type { HistogramBy, Quantile } from '../core/ports.ts'
import { histogramSchema } from './answers.ts'
import type { ShownBucket } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import { grouped } from './format.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { questionParameters, withQuery } from './questions.ts'
import type { QueryOptions } from './questions.ts'
import { csvLine, jsonLine, writeData } from './records.ts'
import type { Output } from './records.ts'
import { harmless, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const COLUMNS_DEFAULT = 100
const BAR_CHARS_MIN = 10
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const
/** Values of `by` that are told beside a bar; the rest are summed up. */
const VALUES_TOLD_MAX = 4
/** The most that a node answers; rows for empty buckets are added up to it. */
const BUCKETS_MAX = 2_000

type HistogramOptions = QueryOptions & {
  readonly interval?: string
  readonly by?: HistogramBy
  readonly quantile?: string
  readonly of?: Quantile['of']
}

export function addHistogramCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('histogram')
    .description('count records over time, or follow a quantile of a number')
    .option('--interval <duration>', 'width of a bucket: 30s, 1m, … (default: about 60 buckets)')
    .addOption(new Option('--by <field>', 'also count by the values of this field').choices(HISTOGRAM_BY))
    .option(
      '--quantile <pN>',
      'p50, p99, p99.9, …: bars show this quantile of --of, not counts',
      parseQuantile,
    )
    .addOption(new Option('--of <number>', 'whose quantile (default: latency_ms)').choices(QUANTILE_OF))
  withQuery(command).action((words: string[], options: HistogramOptions) =>
    runCommand(terminal, (signal) => histogram(terminal, words, options, signal)),
  )
  explained(command, {
    notes: 'jsonl has a line per bucket that is not empty; csv and pretty have all.',
    exits: EXITS_OF_ANSWERS,
    examples: [
      'noctule histogram level:error --since 6h --by service',
      'noctule histogram service:shop --since 1h --interval 1m --quantile p99 --of latency_ms',
    ],
  })
}

function parseQuantile(text: string): string {
  if (/^p(?:[1-9]\d?|99\.9)$/.test(text)) return text
  throw new InvalidArgumentError('expected p1 to p99, or p99.9')
}

async function histogram(
  terminal: Terminal,
  words: readonly string[],
  options: HistogramOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { interval, by, quantile, of, output } = options
  if (of !== undefined && quantile === undefined)
    throw new ServiceError('BAD_REQUEST', '--of: needs --quantile, as in --quantile p99')
  const { stdout, clock } = terminal
  const parameters = {
    ...questionParameters(words, options, clock.nowMs()),
    interval,
    by,
    quantile,
    of: quantile === undefined ? undefined : (of ?? 'latency_ms'),
  }
  const question = { path: '/v1/histogram', parameters, schema: histogramSchema }
  const { buckets, intervalMs, meta } = await ask(connect(options, terminal), question, signal)
  const all = withEmptyBuckets(buckets, { from: meta.from, to: meta.to, intervalMs })
  const shown = { buckets, all, columns: stdout.columns ?? COLUMNS_DEFAULT, by, quantile }
  await writeData(terminal, formatHistogram(shown, output), output, signal)
  return conclude(terminal, meta)
}

interface ShownHistogram {
  readonly buckets: readonly ShownBucket[]
  /** With the empty ones. */
  readonly all: readonly ShownBucket[]
  readonly columns: number
  readonly by: HistogramBy | undefined
  readonly quantile: string | undefined
}

function formatHistogram({ buckets, all, columns, by, quantile }: ShownHistogram, output: Output): string {
  if (output === 'jsonl') return buckets.map(jsonLine).join('')
  if (output === 'pretty') return bars(all, columns, quantile)
  const valuesOf = (read: (bucket: ShownBucket) => object) =>
    [...new Set(all.flatMap((bucket) => Object.keys(read(bucket))))].toSorted()
  const values = by === undefined ? [] : valuesOf((bucket) => bucket.by)
  const measured = quantile === undefined ? [] : valuesOf(({ quantiles }) => quantiles ?? {})
  const measuredName = (value: string) => (by === undefined ? quantile : `${quantile} ${valueName(value)}`)
  const head = csvLine(['start', 'total', ...values.map(valueName), ...measured.map(measuredName)])
  const lines = all.map(({ start, total, by, quantiles }) =>
    csvLine([
      start,
      total,
      ...values.map((value) => by[value] ?? 0),
      ...measured.map((value) => quantiles?.[value]),
    ]),
  )
  return head + lines.join('')
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

/** One bar per bucket, the longest as wide as `columns` leave room for: of the count, or of a quantile beside the count. */
export function bars(buckets: readonly ShownBucket[], columns: number, quantile?: string): string {
  const isCount = quantile === undefined
  const rows = buckets.map((bucket) => {
    const measure = isCount ? bucket.total : Math.max(0, ...Object.values(bucket.quantiles ?? {}))
    return {
      time: bucket.start.replace('.000Z', 'Z'),
      count: grouped(bucket.total),
      measure,
      quantile: isCount ? '' : `${quantile} ${hasQuantile(bucket) ? grouped(measure) : '–'}`,
      split: splitOf(isCount ? bucket.by : withoutWhole(bucket.quantiles ?? {}), { isSum: isCount }),
    }
  })
  const longest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length))
  const countChars = longest(rows.map(({ count }) => count))
  const quantileChars = longest(rows.map(({ quantile }) => quantile))
  const taken =
    longest(rows.map(({ time }) => time)) +
    countChars +
    (isCount ? 0 : quantileChars + 2) +
    longest(rows.map(({ split }) => split)) +
    4
  const barChars = Math.max(BAR_CHARS_MIN, columns - taken)
  const most = Math.max(...rows.map(({ measure }) => measure), isCount ? 1 : Number.MIN_VALUE)
  return rows
    .map(({ time, count, measure, quantile, split }) => {
      const filled = bar(measure / most, barChars)
      const numbers = `${time} ${count.padStart(countChars)}${isCount ? '' : `  ${quantile.padEnd(quantileChars)}`}`
      return `${`${numbers} ${split === '' ? filled : `${filled.padEnd(barChars)} ${split}`}`.trimEnd()}\n`
    })
    .join('')
}

function hasQuantile({ quantiles = {} }: ShownBucket): boolean {
  return Object.keys(quantiles).length > 0
}

/** Without `by` there is one quantile, under '': it stands before the bar already. */
function withoutWhole(quantiles: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const values = Object.keys(quantiles)
  return values.length === 1 && values[0] === '' ? {} : quantiles
}

function bar(share: number, chars: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(share * chars * 8))
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
}

/** `error 24, info 1,000, 3 more 7`; quantiles cannot be summed up: `, 3 more` */
function splitOf(numbers: Readonly<Record<string, number>>, { isSum }: { isSum: boolean }): string {
  const values = Object.entries(numbers).toSorted(([, a], [, b]) => b - a)
  const told = values
    .slice(0, VALUES_TOLD_MAX)
    .map(([value, number]) => `${harmless(valueName(value))} ${grouped(number)}`)
  const rest = values.slice(VALUES_TOLD_MAX)
  const restSum = isSum ? ` ${grouped(rest.reduce((sum, [, count]) => sum + count, 0))}` : ''
  if (rest.length > 0) told.push(`${rest.length} more${restSum}`)
  return told.join(', ')
}

function valueName(value: string): string {
  return value === '' ? '(none)' : value
}
