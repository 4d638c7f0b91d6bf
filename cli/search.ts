import type { Command } from 'commander'
import { ServiceError } from '../core/errors.ts'
import { searchSchema } from './answers.ts'
import type { ShownMeta } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import type { Client, Parameters } from './client.ts'
import { grouped } from './format.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { listingParameters, parseCount, questionParameters, withListing, withQuery } from './questions.ts'
import type { ListingOptions, QueryOptions } from './questions.ts'
import { formatRecord, recordsHead, writeData } from './records.ts'
import { EXIT, harmless, hasColours, painter, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const COUNT_DEFAULT = 100
/** Records asked for at once. */
const PAGE_RECORDS = 1_000
/** `pretty` is turned round, so all of it is held. */
const PRETTY_RECORDS_MAX = 100_000

type SearchOptions = QueryOptions &
  ListingOptions & {
    readonly count: number
    readonly ids?: boolean
  }

export function addSearchCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('search')
    .description('find records; what is missing from the answer is said on standard error')
    .option('-n, --count <number>', 'at most so many records', parseCount, COUNT_DEFAULT)
    .option('--ids', 'pretty: also the id of each record, for `noctule context`')
  withQuery(withListing(command)).action((words: string[], options: SearchOptions) =>
    runCommand(terminal, (signal) => search(terminal, words, options, signal)),
  )
  explained(command, {
    notes:
      'pretty prints the oldest record first, so that the newest is above the prompt; jsonl and csv print the newest first, with --oldest the oldest.',
    exits: EXITS_OF_ANSWERS,
    examples: [
      'noctule search timeout --service checkout --since 1h',
      `noctule search 'level:error -"health check"' --from now/d -n 5000 -o jsonl | jq .message`,
      "noctule search payment --grep 'card [0-9]{4}-' --oldest",
    ],
  })
}

async function search(
  terminal: Terminal,
  words: readonly string[],
  options: SearchOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { output, count, oldest = false } = options
  const isTurned = output === 'pretty' && !oldest
  if (isTurned && count > PRETTY_RECORDS_MAX)
    throw new ServiceError(
      'BAD_REQUEST',
      `-n: pretty shows at most ${grouped(PRETTY_RECORDS_MAX)} records; use -o jsonl`,
    )
  const parameters = {
    ...questionParameters(words, options, terminal.clock.nowMs()),
    ...listingParameters(options),
  }
  const entryOf = entryFormat(terminal, options)
  const metas: ShownMeta[] = []
  const held: string[] = []
  await writeData(terminal, recordsHead(output), output, signal)
  for await (const { records, meta } of pages(connect(options, terminal), parameters, count, signal)) {
    metas.push(meta)
    const entries = records.map(entryOf)
    if (isTurned) held.push(...entries)
    else await writeData(terminal, entries.join(''), output, signal)
  }
  if (held.length > 0) await writeData(terminal, held.reverse().join(''), output, signal)
  return remark(terminal, metas, options)
}

function entryFormat(terminal: Terminal, { output, ids = false }: SearchOptions) {
  const paint = painter(hasColours(terminal))
  return (record: Readonly<Record<string, unknown>>) => {
    const id = record['id']
    const head = ids && output === 'pretty' && typeof id === 'string' ? `${paint('dim', harmless(id))} ` : ''
    return head + formatRecord(record, output, paint)
  }
}

/** Pages of the answer, until `count` records are there. */
async function* pages(client: Client, parameters: Parameters, count: number, signal: AbortSignal) {
  let cursor: string | undefined
  for (let left = count; left > 0;) {
    const limit = String(Math.min(left, PAGE_RECORDS))
    const question = {
      path: '/v1/search',
      parameters: { ...parameters, limit, cursor },
      schema: searchSchema,
    }
    const page = await ask(client, question, signal)
    yield page
    left -= page.records.length
    cursor = page.meta.cursor
    if (cursor === undefined || page.records.length === 0) return
  }
}

/** Every page was judged by itself: the answer is as complete as its least complete page. */
function remark(terminal: Terminal, metas: readonly ShownMeta[], { count, oldest }: SearchOptions): ExitCode {
  const last = metas.at(-1)
  const meta = metas.find(({ complete }) => !complete) ?? last
  if (meta === undefined || last === undefined) return EXIT.noAnswer
  const code = conclude(terminal, meta)
  const kind = oldest === true ? 'oldest' : 'newest'
  if (last.truncated) terminal.stderr.write(`the ${kind} ${grouped(count)} records; there are more, see -n\n`)
  return code
}
