import type { Command } from 'commander'
import { ServiceError } from '../core/errors.ts'
import { parseAnswer, searchSchema } from './answers.ts'
import type { ShownMeta } from './answers.ts'
import { connect } from './client.ts'
import type { Client, ConnectionOptions, Parameters } from './client.ts'
import { completenessRemark, grouped } from './completeness.ts'
import {
  parseCount,
  pointingAt,
  queryParameters,
  rangeParameters,
  withConnection,
  withFilters,
  withOutput,
  withRange,
} from './questions.ts'
import type { FilterOptions, OutputOptions, RangeOptions } from './questions.ts'
import { formatRecord, recordsHead } from './records.ts'
import { EXIT, hasColours, painter, runCommand, write } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const COUNT_DEFAULT = 100
/** Records asked for at once. */
const PAGE_RECORDS = 1_000
/** `pretty` is turned round, so all of it is held. */
const PRETTY_RECORDS_MAX = 100_000

type SearchOptions = ConnectionOptions &
  FilterOptions &
  RangeOptions &
  OutputOptions & { readonly count: number }

export function addSearchCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('search')
    .description('find records; what is missing from the answer is said on standard error')
    .argument('[query...]', 'query; put -- before one that starts with "-"')
    .option('-n, --count <number>', 'at most so many records, the newest', parseCount, COUNT_DEFAULT)
    .addHelpText('after', HELP)
  withConnection(withOutput(withRange(withFilters(command)))).action(
    (words: string[], options: SearchOptions) =>
      runCommand(terminal, (signal) => search(terminal, words, options, signal)),
  )
}

const HELP = `
pretty prints the oldest record first, so that the newest is above the prompt; jsonl and csv print the newest first.
Exit codes: 0 complete, 2 usage, 3 incomplete, 4 nobody answered, 5 denied.

  noctule search timeout --service checkout --since 1h
  noctule search 'level:error -"health check"' --from now/d -n 5000 -o jsonl | jq .message`

async function search(
  terminal: Terminal,
  words: readonly string[],
  options: SearchOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { output, count } = options
  if (output === 'pretty' && count > PRETTY_RECORDS_MAX)
    throw new ServiceError(
      'BAD_REQUEST',
      `-n: pretty shows at most ${grouped(PRETTY_RECORDS_MAX)} records; use -o jsonl`,
    )
  const parameters = {
    ...queryParameters(words, options, terminal.clock.nowMs()),
    ...rangeParameters(options),
  }
  const paint = painter(hasColours(terminal))
  const metas: ShownMeta[] = []
  const held: string[] = []
  await write(terminal.stdout, recordsHead(output), signal)
  for await (const { records, meta } of pages(connect(options, terminal), parameters, count, signal)) {
    metas.push(meta)
    const entries = records.map((record) => formatRecord(record, output, paint))
    if (output === 'pretty') held.push(...entries)
    else await write(terminal.stdout, entries.join(''), signal)
  }
  if (held.length > 0) await write(terminal.stdout, held.reverse().join(''), signal)
  return remark(terminal, metas, count)
}

/** Pages of the answer, until `count` records are there. */
async function* pages(
  client: Client,
  parameters: Parameters & { q: string },
  count: number,
  signal: AbortSignal,
) {
  let cursor: string | undefined
  for (let left = count; left > 0;) {
    const limit = String(Math.min(left, PAGE_RECORDS))
    const asked = client.get('/v1/search', { ...parameters, limit, cursor }, signal)
    const answer = await asked.catch((error: unknown) => {
      throw pointingAt(parameters.q, error)
    })
    const page = parseAnswer(searchSchema, answer, client.url)
    yield page
    left -= page.records.length
    cursor = page.meta.cursor
    if (cursor === undefined || page.records.length === 0) return
  }
}

/** Every page was judged by itself: the answer is as complete as its least complete page. */
function remark({ stderr, clock }: Terminal, metas: readonly ShownMeta[], count: number): ExitCode {
  const last = metas.at(-1)
  const meta = metas.find(({ complete }) => !complete) ?? last
  if (meta === undefined || last === undefined) return EXIT.noAnswer
  stderr.write(`${completenessRemark(meta.sites, clock.nowMs())}\n`)
  if (last.truncated) stderr.write(`the newest ${grouped(count)} records; there are more, see -n\n`)
  return meta.complete ? EXIT.complete : EXIT.incomplete
}
