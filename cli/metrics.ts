import { Option } from 'commander'
import type { Command } from 'commander'
import { compileTagFilters } from '../core/metrics/match.ts'
import { METRIC_KINDS } from '../core/metrics/types.ts'
import { metricNamesSchema, metricTagsSchema, metricValuesSchema } from './answers.ts'
import type { ShownMetricName } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { counted, grouped, shownValue } from './format.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { formatValues, valueRemarks } from './metric-values.ts'
import { rangeParameters, withConnection, withOutput, withRange, withTimeout } from './questions.ts'
import type { OutputOptions, RangeOptions } from './questions.ts'
import { writeData } from './records.ts'
import { writeTable } from './table.ts'
import { harmless, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const COLUMNS_DEFAULT = 100
/** The most that a node answers. */
const NAMES_MAX = 10_000
const TAG_VALUES_TOLD_MAX = 5
const EXAMPLES = ['noctule metrics', 'noctule metrics shop.orders --by env --since 1h']

type Several = readonly string[]
type SelectionOptions = ConnectionOptions &
  OutputOptions &
  RangeOptions & { readonly tag?: Several; readonly site?: Several; readonly kind?: string }
type ShowOptions = SelectionOptions & {
  readonly by?: Several
  readonly agg?: Several
  readonly step?: string
}

/** Adds `metrics show` and `metrics tags`. */
export function addMetricsCommands(program: Command, terminal: Terminal): void {
  const metrics = program
    .command('metrics')
    .description('values of metrics over time, their names and their tags')
  explained(metrics, { examples: EXAMPLES })

  const show = metrics
    .command('show', { isDefault: true })
    .description('the values of a metric, or the names that there are')
    .argument('[name]', 'name of the metric; with * or ?, or left out: list the names')
    .option('--by <tag>', 'a line for each value of this tag; may be repeated', several)
    .option(
      '--agg <aggregate>',
      'rate, sum, avg, min, max, count, last, p50 … p999; may be repeated',
      several,
    )
    .option('--step <duration>', 'width of a step: 10s, 1m, 1h (default: about 300 steps)')
  withSelection(show).action((name: string | undefined, options: ShowOptions) =>
    runCommand(terminal, (signal) =>
      name === undefined || /[*?]/.test(name)
        ? listNames(terminal, name ?? '*', options, signal)
        : showValues(terminal, name, options, signal),
    ),
  )
  explained(show, {
    notes: [
      'By default a counter is shown as its rate, a gauge as its average, a set as its count, a distribution',
      'as its p95. last, min and max are of the steps that are over. jsonl has an object per line of the',
      'chart, csv a row per step.',
    ].join('\n'),
    exits: EXITS_OF_ANSWERS,
    examples: [
      "noctule metrics show 'shop.*'",
      "noctule metrics shop.latency --tag env:prod --tag '!host:web-1' --by host --agg p99 --since 6h",
      'noctule metrics shop.orders --agg sum --step 1h --since 1d -o csv',
    ],
  })

  const tags = metrics
    .command('tags')
    .description('the tags of a metric with their most frequent values')
    .argument('<name>', 'name of the metric')
  withSelection(tags).action((name: string, options: SelectionOptions) =>
    runCommand(terminal, (signal) => listTags(terminal, name, options, signal)),
  )
  explained(tags, {
    exits: EXITS_OF_ANSWERS,
    examples: [
      'noctule metrics tags shop.orders',
      'noctule metrics tags shop.orders --tag env:prod -o jsonl',
    ],
  })
}

const several = (value: string, before: Several = []) => [...before, value]

function withSelection(command: Command): Command {
  command
    .option(
      '--tag <filter>',
      "only series with env:prod, '!host:web-1' or 'queue:a*'; may be repeated",
      several,
    )
    .option('--site <name>', 'only this site; may be repeated', several)
    .addOption(new Option('--kind <kind>', 'only series of this kind').choices(METRIC_KINDS))
  return withConnection(withOutput(withTimeout(withRange(command))))
}

function selectionParameters(name: string, options: SelectionOptions) {
  const { tag, site, kind } = options
  return { name, kind, tags: tag?.join(','), sites: site?.join(','), ...rangeParameters(options) }
}

async function showValues(
  terminal: Terminal,
  name: string,
  options: ShowOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { by, agg, step, output } = options
  const parameters = { ...selectionParameters(name, options), by: by?.join(','), agg: agg?.join(','), step }
  const question = { path: '/v1/metrics/query', parameters, schema: metricValuesSchema }
  const answer = await ask(connect(options, terminal), question, signal)
  const { stdout, stderr, clock } = terminal
  const shown = { name, nowMs: clock.nowMs(), columns: stdout.columns ?? COLUMNS_DEFAULT }
  await writeData(terminal, formatValues(answer, { ...shown, output }, terminal), output, signal)
  for (const remark of valueRemarks(answer)) stderr.write(`${harmless(remark)}\n`)
  return conclude(terminal, answer.meta)
}

async function listNames(
  terminal: Terminal,
  pattern: string,
  options: ShowOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const prefix = pattern.split(/[*?]/)[0]
  const parameters = { prefix, limit: String(NAMES_MAX), ...rangeParameters(options) }
  const question = { path: '/v1/metrics/names', parameters, schema: metricNamesSchema }
  const { names, total, meta } = await ask(connect(options, terminal), question, signal)
  const matches = compileTagFilters([{ tag: 'name', values: [pattern], exclude: false }])
  const rows = names.filter(
    ({ name, kind }) => matches({ name }) && (options.kind === undefined || kind === options.kind),
  )
  const columns = [
    { name: 'kind', value: ({ kind }: ShownMetricName) => kind },
    {
      name: 'series',
      value: ({ series }: ShownMetricName) => series,
      shown: ({ series }: ShownMetricName) => grouped(series),
      align: 'right' as const,
    },
    { name: 'name', value: ({ name }: ShownMetricName) => name },
  ]
  await writeTable(terminal, { rows, columns, output: options.output }, signal)
  const untold = total - names.length
  const rest = untold > 0 ? `; ${grouped(untold)} more were not looked at` : ''
  terminal.stderr.write(`${counted(rows.length, 'name')}${rest}\n`)
  return conclude(terminal, meta)
}

async function listTags(
  terminal: Terminal,
  name: string,
  options: SelectionOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const parameters = selectionParameters(name, options)
  const question = { path: '/v1/metrics/tags', parameters, schema: metricTagsSchema }
  const { tags, series, meta } = await ask(connect(options, terminal), question, signal)
  type Tag = (typeof tags)[number]
  const columns = [
    { name: 'tag', value: ({ tag }: Tag) => tag },
    { name: 'values', value: ({ valuesTotal }: Tag) => valuesTotal, align: 'right' as const },
    {
      name: 'most frequent',
      value: ({ values }: Tag) => values.map(({ value }) => value).join(' '),
      shown: ({ values }: Tag) =>
        values
          .slice(0, TAG_VALUES_TOLD_MAX)
          .map(({ value, series }) => `${shownValue(value)} (${grouped(series)})`)
          .join(', '),
    },
  ]
  await writeTable(terminal, { rows: tags, columns, output: options.output }, signal)
  terminal.stderr.write(`${grouped(series)} series of ${harmless(name)}\n`)
  return conclude(terminal, meta)
}
