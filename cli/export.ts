import type { Command } from 'commander'
import { ServiceError, messageOf } from '../core/errors.ts'
import { exportLineSchema, parseAnswer, recordSchema } from './answers.ts'
import type { ShownMeta } from './answers.ts'
import { conclude } from './ask.ts'
import { connect, parseJson, parseProblem, toFailure } from './client.ts'
import { counted, grouped, mebibytes } from './format.ts'
import { explained } from './help.ts'
import { exportParts } from './ndjson.ts'
import type { ExportPart } from './ndjson.ts'
import { openPartFile } from './part-file.ts'
import type { PartFile } from './part-file.ts'
import { createProgress } from './progress.ts'
import {
  listingParameters,
  parseCount,
  pointingAt,
  questionParameters,
  withListing,
  withQuery,
} from './questions.ts'
import type { ListingOptions, QueryOptions } from './questions.ts'
import { formatRecord, recordsHead } from './records.ts'
import type { Output } from './records.ts'
import { EXIT, harmless, hasColours, painter, runCommand, write } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type ExportOptions = QueryOptions & ListingOptions & { readonly count?: number; readonly outputFile?: string }

export function addExportCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('export')
    .description('write every matching record, as many as there are, to standard output or a file')
    .option('-n, --count <number>', 'at most so many records (default: all)', parseCount)
    .option('-O, --output-file <file>', 'write to this file; until all is there it is called <file>.part')
  withQuery(withListing(command), 'jsonl').action((words: string[], options: ExportOptions) =>
    runCommand(terminal, (signal) => exportRecords(terminal, words, options, signal)),
  )
  explained(command, {
    notes:
      'An export that is cut off ends with exit code 1, and what came stays in <file>.part; it cannot be resumed.\n--timeout is for every page that the node reads, not for the export. `noctule import` takes the jsonl form.',
    exits: '0 complete, 1 cut off, 2 usage, 3 incomplete, 4 nobody answered, 5 denied',
    examples: [
      "noctule export 'service:checkout' --from now/d -O checkout.ndjson",
      'noctule export level:error --since 1d | zstd > errors.ndjson.zst',
    ],
  })
}

async function exportRecords(
  terminal: Terminal,
  words: readonly string[],
  options: ExportOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { count, outputFile } = options
  const asked = questionParameters(words, options, terminal.clock.nowMs())
  const parameters = {
    ...asked,
    ...listingParameters(options),
    limit: count === undefined ? undefined : String(count),
  }
  const client = connect(options, terminal)
  const response = await client.open('/v1/export', { parameters, signal }).catch((error: unknown) => {
    throw pointingAt(asked.q, error)
  })
  await using parts = exportParts(bodyOf(response))
  await expectPlan(parts, client.url)
  // Nothing is written before the node has begun to answer.
  await using file = outputFile === undefined ? null : await openPartFile(outputFile)
  return await receive(terminal, { parts, file, output: options.output, url: client.url }, signal)
}

interface Receiving {
  readonly parts: AsyncIterable<ExportPart>
  /** null: standard output. */
  readonly file: PartFile | null
  readonly output: Output
  readonly url: string
}

/** The first line; a page of somebody else must not be taken for records. */
async function expectPlan(parts: AsyncIterator<ExportPart>, url: string): Promise<void> {
  const { value, done } = await parts.next()
  const isPlan = done !== true && value.kind === 'control' && value.line.startsWith('{"plan":')
  if (!isPlan) throw strange(url)
}

async function receive(terminal: Terminal, receiving: Receiving, signal: AbortSignal): Promise<ExitCode> {
  const { file } = receiving
  const { stdout, stderr, clock } = terminal
  const startedAtMs = clock.monotonicMs()
  const done = { records: 0, bytes: 0 }
  const told = () => `${counted(done.records, 'record')}, ${mebibytes(done.bytes)}`
  const progress = createProgress(terminal, () => {
    const seconds = (clock.monotonicMs() - startedAtMs) / 1_000
    return `${told()}, ${grouped(Math.round(done.records / seconds))} records/s`
  })
  // Where the records themselves are shown, a line about them would only be in their way.
  const isWatched = file !== null || stdout.isTTY !== true
  const onRecords = (records: number, bytes: number) => {
    done.records += records
    done.bytes += bytes
    if (isWatched) progress.tick()
  }
  try {
    const meta = await copyRecords(terminal, receiving, onRecords, signal)
    await file?.finish()
    progress.clear()
    stderr.write(`exported ${told()}${file === null ? '' : ` to ${harmless(file.path)}`}\n`)
    if (meta.truncated) stderr.write('there are more records, see -n\n')
    return conclude(terminal, meta)
  } catch (error) {
    progress.clear()
    const kept = file === null ? '' : `; what came is in ${harmless(file.partPath)}`
    if (signal.aborted || !(error instanceof ServiceError)) {
      if (file !== null) stderr.write(`stopped after ${told()}${kept}\n`)
      throw error
    }
    stderr.write(`noctule: the export is CUT OFF after ${told()}: ${harmless(error.message)}${kept}\n`)
    return EXIT.failed
  }
}

/** Copies the records; resolves with the meta of the last line, and throws what kept it from coming. */
async function copyRecords(
  terminal: Terminal,
  { parts, output, file, url }: Receiving,
  onRecords: (records: number, bytes: number) => void,
  signal: AbortSignal,
): Promise<ShownMeta> {
  const put = (data: Uint8Array | string) =>
    file === null ? write(terminal.stdout, data, signal) : file.write(data)
  const format = formatOf(terminal, output, file !== null)
  await put(recordsHead(output))
  for await (const part of parts) {
    signal.throwIfAborted()
    if (part.kind === 'control') return metaOf(part.line, url)
    await put(format(part.bytes, url))
    onRecords(part.count, part.bytes.length)
  }
  throw new ServiceError('UNREACHABLE', 'the connection ended before the last line')
}

async function* bodyOf({ body }: Response): AsyncGenerator<Uint8Array> {
  try {
    if (body !== null) yield* body
  } catch (error) {
    throw new ServiceError('UNREACHABLE', `the connection broke: ${messageOf(error)}`, {}, error)
  }
}

/** The meta of the last line. Throws the failure that it tells of instead. */
function metaOf(line: string, url: string): ShownMeta {
  const { meta, error } = parseAnswer(exportLineSchema, parseJson(line), url)
  if (meta !== undefined) return meta
  if (error === undefined) throw strange(url)
  const problem = parseProblem(error)
  throw toFailure(typeof problem?.['status'] === 'number' ? problem['status'] : 503, problem)
}

/** Lines of records → what is written. Bytes of jsonl go through as they are, unless a terminal would obey them. */
function formatOf(terminal: Terminal, output: Output, isFile: boolean) {
  const isScreen = !isFile && terminal.stdout.isTTY === true
  const paint = painter(!isFile && hasColours(terminal))
  return (bytes: Buffer, url: string): Uint8Array | string => {
    if (output === 'jsonl' && !isScreen) return bytes
    const lines = bytes.toString('utf8').split('\n').filter(Boolean)
    const records = lines.map((line) => parseAnswer(recordSchema, parseJson(line), url))
    const text = records.map((record) => formatRecord(record, output, paint)).join('')
    return output === 'csv' && isScreen ? harmless(text) : text
  }
}

function strange(url: string): ServiceError {
  return new ServiceError('UNREACHABLE', `${url} does not answer as Noctule does`)
}
