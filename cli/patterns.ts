import type { Command } from 'commander'
import { patternsSchema } from './answers.ts'
import type { ShownPattern } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import { clockTime, counted, grouped, percent, sparkline } from './format.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { parseCount, questionParameters, withQuery } from './questions.ts'
import type { QueryOptions } from './questions.ts'
import { writeTable } from './table.ts'
import type { Column } from './table.ts'
import { runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const PATTERNS_DEFAULT = 20
const TREND_CHARS_MAX = 24
/** The most that a node answers. */
const STEPS_MAX = 2_001

type PatternsOptions = QueryOptions & { readonly count: number; readonly interval?: string }
type Trend = ShownPattern['trend']

export function addPatternsCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('patterns')
    .description('group matching records by the pattern of their message, most frequent first')
    .option('-n, --count <number>', 'at most so many patterns', parseCount, PATTERNS_DEFAULT)
    .option('--interval <duration>', 'width of a step of the trend: 30s, 1m, … (default: about 60 steps)')
  withQuery(command).action((words: string[], options: PatternsOptions) =>
    runCommand(terminal, (signal) => patterns(terminal, words, options, signal)),
  )
  explained(command, {
    notes:
      'The trend goes over the whole range, each line relative to its own highest step; jsonl and csv also have an example.\nThe records of one pattern: noctule search pattern:<pattern>',
    exits: EXITS_OF_ANSWERS,
    examples: [
      "noctule patterns 'level:error' --since 6h",
      'noctule patterns --service checkout -n 5 -o jsonl',
    ],
  })
}

async function patterns(
  terminal: Terminal,
  words: readonly string[],
  options: PatternsOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const nowMs = terminal.clock.nowMs()
  const parameters = {
    ...questionParameters(words, options, nowMs),
    limit: String(options.count),
    interval: options.interval,
  }
  const question = { path: '/v1/patterns', parameters, schema: patternsSchema }
  const { patterns, distinct, matched, intervalMs, meta } = await ask(
    connect(options, terminal),
    question,
    signal,
  )
  const steps = stepsOf(meta, intervalMs)
  const table = { rows: patterns, columns: columnsOf(nowMs, steps), output: options.output }
  await writeTable(terminal, table, signal)
  terminal.stderr.write(
    `${grouped(patterns.length)} of ${counted(distinct, 'pattern')} in ${counted(matched, 'record')}\n`,
  )
  return conclude(terminal, meta)
}

function columnsOf(nowMs: number, steps: readonly number[]): Column<ShownPattern>[] {
  return [
    { name: 'count', value: ({ count }) => count, shown: ({ count }) => grouped(count), align: 'right' },
    { name: 'share', value: ({ share }) => share, shown: ({ share }) => percent(share), align: 'right' },
    { name: 'trend', value: ({ trend }) => trend, shown: ({ trend }) => trendLine(trend, steps) },
    { name: 'first', value: ({ first }) => first, shown: ({ first }) => clockTime(first, nowMs) },
    { name: 'last', value: ({ last }) => last, shown: ({ last }) => clockTime(last, nowMs) },
    { name: 'pattern', value: ({ pattern }) => pattern, shown: ({ pattern }) => pattern || '(none)' },
    { name: 'template', value: ({ template }) => template },
    { name: 'example', value: ({ example }) => example, shown: null },
  ]
}

function trendLine(trend: Trend, steps: readonly number[]): string {
  const countAt = new Map(trend.map(({ start, count }) => [Date.parse(start), count]))
  return sparkline(
    steps.map((ms) => countAt.get(ms) ?? 0),
    TREND_CHARS_MAX,
  )
}

/** Start of every step of the range: those without a record are left out of a trend. */
function stepsOf({ from, to }: { from: string; to: string }, intervalMs: number): number[] {
  const firstMs = Math.floor(Date.parse(from) / intervalMs) * intervalMs
  const count = Math.min(STEPS_MAX, Math.ceil((Date.parse(to) - firstMs) / intervalMs))
  return Array.from({ length: count }, (_, at) => firstMs + at * intervalMs)
}
