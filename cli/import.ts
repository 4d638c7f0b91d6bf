import { createReadStream, statSync } from 'node:fs'
import { Readable, Transform } from 'node:stream'
import type { Command } from 'commander'
import { ServiceError, messageOf } from '../core/errors.ts'
import { importSchema, parseAnswer } from './answers.ts'
import { connect, reach } from './client.ts'
import type { ConnectionOptions } from './client.ts'
import { grouped } from './completeness.ts'
import { withConnection } from './questions.ts'
import { EXIT, harmless, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

const PROGRESS_EVERY_MS = 500

export function addImportCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('import')
    .description('store records that bring their own times: one JSON object a line')
    .argument('<file>', 'file to read; - is standard input')
    .addHelpText(
      'after',
      "\nFields: the short names (time, message, level, …) or those of the Elastic Common Schema; others are kept as the record's own.\nExit codes: 0 all lines are stored, 1 some were refused (each is named), 2 usage, 4 nobody answered, 5 denied.",
    )
  withConnection(command).action((file: string, options: ConnectionOptions) =>
    runCommand(terminal, (signal) => importFile(terminal, file, options, signal)),
  )
}

async function importFile(
  terminal: Terminal,
  file: string,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const client = connect(options, terminal)
  const { source, bytes } = openSource(terminal, file)
  const progress = createProgress(terminal, bytes)
  const body = Readable.toWeb(source.pipe(progress.counter)) as ReadableStream
  // pipe() does not pass an error on: the upload would wait for ever.
  source.once('error', (error) => progress.counter.destroy(error))
  try {
    const headers = { 'content-type': 'application/x-ndjson' }
    const response = await client.open('/v1/import', { method: 'POST', headers, body, signal })
    const answer = await reach(client.url, () => response.json())
    progress.clear()
    return report(terminal, parseAnswer(importSchema, answer, client.url))
  } catch (error) {
    progress.clear()
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
function createProgress({ stderr, clock }: Terminal, bytesTotal: number | null) {
  let sent = 0
  let shownAtMs = clock.monotonicMs()
  function show() {
    const share =
      bytesTotal === null || bytesTotal === 0 ? '' : ` (${Math.floor((100 * sent) / bytesTotal)} %)`
    stderr.write(`\r\u001b[Ksent ${(sent / 2 ** 20).toFixed(1)} MiB${share}`)
  }
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length
      if (stderr.isTTY === true && clock.monotonicMs() - shownAtMs >= PROGRESS_EVERY_MS) {
        shownAtMs = clock.monotonicMs()
        show()
      }
      done(null, chunk)
    },
  })
  return {
    counter,
    clear() {
      if (stderr.isTTY === true) stderr.write('\r\u001b[K')
    },
  }
}

interface Report {
  readonly imported: number
  readonly refusedTotal: number
  readonly refused: readonly { readonly line: number; readonly problem: string }[]
}

function report({ stdout, stderr }: Terminal, { imported, refusedTotal, refused }: Report): ExitCode {
  stdout.write(`imported ${grouped(imported)} ${imported === 1 ? 'record' : 'records'}\n`)
  if (refusedTotal === 0) return EXIT.complete
  for (const { line, problem } of refused) stderr.write(`line ${line}: ${harmless(problem)}\n`)
  const unnamed = refusedTotal - refused.length
  const named = unnamed > 0 ? `, ${grouped(unnamed)} of them not named above` : ''
  stderr.write(`refused ${grouped(refusedTotal)} ${refusedTotal === 1 ? 'line' : 'lines'}${named}\n`)
  return EXIT.failed
}
