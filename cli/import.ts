import { createReadStream, statSync } from 'node:fs'
import { Readable, Transform } from 'node:stream'
import type { Command } from 'commander'
import { ServiceError, messageOf } from '../core/errors.ts'
import { importSchema, parseAnswer } from './answers.ts'
import { connect, reach } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { counted, grouped, mebibytes } from './format.ts'
import { EXITS_OF_ACTS, explained } from './help.ts'
import { createProgress } from './progress.ts'
import { withConnection } from './questions.ts'
import { EXIT, harmless, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export function addImportCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('import')
    .description('store records that bring their own times: one JSON object a line')
    .argument('<file>', 'file to read; - is standard input')
  withConnection(command).action((file: string, options: ConnectionOptions) =>
    runCommand(terminal, (signal) => importFile(terminal, file, options, signal)),
  )
  explained(command, {
    notes:
      "Fields: the short names (time, message, level, …) or those of the Elastic Common Schema; others are kept as the record's own. What `noctule export` writes is taken back. Refused lines are named, and make the exit code 1.",
    exits: EXITS_OF_ACTS,
    examples: ['noctule import old.ndjson', 'zcat old.ndjson.gz | noctule import -'],
  })
}

async function importFile(
  terminal: Terminal,
  file: string,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const client = connect(options, terminal)
  const { source, bytes } = openSource(terminal, file)
  const upload = createUpload(terminal, bytes)
  const body = Readable.toWeb(source.pipe(upload.counter)) as ReadableStream
  // pipe() does not pass an error on: the upload would wait for ever.
  source.once('error', (error) => upload.counter.destroy(error))
  try {
    const headers = { 'content-type': 'application/x-ndjson' }
    const response = await client.open('/v1/import', { method: 'POST', headers, body, signal })
    const answer = await reach(client.url, () => response.json())
    upload.clear()
    return report(terminal, parseAnswer(importSchema, answer, client.url))
  } catch (error) {
    upload.clear()
    if (source.errored) throw unreadable(file, source.errored)
    throw error
  } finally {
    source.destroy()
  }
}

function openSource({ stdin }: Terminal, file: string): { source: Readable; bytes: number | null } {
  if (file === '-') return { source: stdin, bytes: null }
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) throw new Error('it is a folder')
    return { source: createReadStream(file), bytes: stat.isFile() ? stat.size : null }
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, error: unknown): ServiceError {
  return new ServiceError('BAD_REQUEST', `cannot read ${file}: ${messageOf(error)}`, {}, error)
}

/** Counts what goes through it, and shows it when somebody watches. */
function createUpload(terminal: Terminal, bytesTotal: number | null) {
  let sent = 0
  const progress = createProgress(terminal, () => {
    const share =
      bytesTotal === null || bytesTotal === 0 ? '' : ` (${Math.floor((100 * sent) / bytesTotal)} %)`
    return `sent ${mebibytes(sent)}${share}`
  })
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length
      progress.tick()
      done(null, chunk)
    },
  })
  return { counter, clear: () => progress.clear() }
}

interface Report {
  readonly imported: number
  readonly refusedTotal: number
  readonly refused: readonly { readonly line: number; readonly problem: string }[]
}

function report({ stdout, stderr }: Terminal, { imported, refusedTotal, refused }: Report): ExitCode {
  stdout.write(`imported ${counted(imported, 'record')}\n`)
  if (refusedTotal === 0) return EXIT.complete
  for (const { line, problem } of refused) stderr.write(`line ${line}: ${harmless(problem)}\n`)
  const unnamed = refusedTotal - refused.length
  const named = unnamed > 0 ? `, ${grouped(unnamed)} of them not named above` : ''
  stderr.write(`refused ${counted(refusedTotal, 'line')}${named}\n`)
  return EXIT.failed
}
