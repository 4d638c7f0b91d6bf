import type { Command } from 'commander'
import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { completenessSchema, parseAnswer, recordSchema } from './answers.ts'
import { connect, parseProblem, toFailure, unreachable } from './client.ts'
import type { Client, ConnectionOptions, Parameters } from './client.ts'
import { completenessRemark } from './completeness.ts'
import { explained } from './help.ts'
import {
  parseCount,
  pointingAt,
  queryParameters,
  withConnection,
  withFilters,
  withOutput,
  withWords,
} from './questions.ts'
import type { FilterOptions, OutputOptions } from './questions.ts'
import { formatRecord, recordsHead, writeData } from './records.ts'
import { serverEvents } from './sse.ts'
import type { ServerEvent } from './sse.ts'
import { EXIT, Interrupted, harmless, hasColours, painter, runCommand } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

/** First wait before a new connection; it doubles up to the maximum, and starts again once events come. */
const RECONNECT_MS = 250
const RECONNECT_MS_MAX = 10_000
/** The node sends `meta` every second. A stream that says nothing for so long is broken, whatever its socket says. */
const SILENCE_MS_MAX = 15_000

const planSchema = z.looseObject({
  sites: z.array(z.string()).default([]),
  position: z.number().optional(),
})

type TailOptions = ConnectionOptions & FilterOptions & OutputOptions & { readonly count?: number }

export function addTailCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('tail')
    .description('follow records as they arrive; goes on after a lost connection without a gap')
    .option('-n, --count <number>', 'stop after so many records', parseCount)
  withConnection(withOutput(withFilters(withWords(command)))).action(
    (words: string[], options: TailOptions) =>
      runCommand(terminal, (signal) => createTail({ terminal, words, options, signal }).run()),
  )
  explained(command, {
    notes: 'Ctrl-C ends it.',
    exits:
      '0 nothing is known to be missing, 2 usage, 3 incomplete at the end, 4 not connected at the end, 5 denied',
    examples: [
      "noctule tail 'service:shop status:>=500'",
      'noctule tail --level error -o jsonl | jq -r .message',
    ],
  })
}

interface TailContext {
  readonly terminal: Terminal
  readonly words: readonly string[]
  readonly options: TailOptions
  readonly signal: AbortSignal
}

function createTail({ terminal, words, options, signal }: TailContext) {
  const { stderr, clock } = terminal
  const { output, count = Infinity } = options
  const paint = painter(hasColours(terminal))
  const parameters = queryParameters(words, options, clock.nowMs())
  const client = connect(options, terminal)
  let written = 0
  let position = ''
  let site = ''
  /** What the ledger said last; null: nothing yet. */
  let complete: boolean | null = null
  /** null: the node never answered. */
  let waitMs: number | null = null
  const isDone = () => written >= count

  async function take({ event, data, id }: ServerEvent): Promise<void> {
    waitMs = RECONNECT_MS
    const value = parseJson(data, client.url)
    if (event === 'plan') {
      const plan = parseAnswer(planSchema, value, client.url)
      site = plan.sites.join(', ')
      if (position === '' && plan.position !== undefined) position = String(plan.position)
    } else if (event === 'record') {
      const record = parseAnswer(recordSchema, value, client.url)
      await writeData(terminal, formatRecord(record, output, paint), output, signal)
      written += 1
    } else if (event === 'meta') tell(parseAnswer(completenessSchema, value, client.url))
    else if (event === 'end') throw failureOfEnd(value)
    if (id !== '') position = id
  }

  /** Says it only when it changes; that it is complete goes without saying at the start. */
  function tell(judged: z.infer<typeof completenessSchema>): void {
    const isNews = judged.complete ? complete === false : complete !== false
    if (isNews)
      stderr.write(`${completenessRemark({ [site]: { ...judged, status: 'ok' } }, clock.nowMs())}\n`)
    complete = judged.complete
  }

  /** Waits before the next connection. What waiting does not help, and a node that never answered, end the tail. */
  async function recover(error: unknown): Promise<void> {
    if (!(error instanceof ServiceError) || !error.retryable || waitMs === null)
      throw pointingAt(parameters.q, error)
    stderr.write(`${harmless(error.message)}. Reconnecting…\n`)
    await clock.sleep(waitMs, signal)
    waitMs = Math.min(2 * waitMs, RECONNECT_MS_MAX)
  }

  async function connection(): Promise<void> {
    for await (const event of events({ client, parameters, position, clock, signal })) {
      await take(event)
      if (isDone()) return
    }
  }

  async function run(): Promise<ExitCode> {
    await writeData(terminal, recordsHead(output), output, signal)
    let connected = true
    try {
      while (!isDone()) {
        await connection().then(
          () => (connected = true),
          (error: unknown) => {
            connected = signal.aborted
            return recover(error)
          },
        )
      }
    } catch (error) {
      if (!(signal.reason instanceof Interrupted)) throw error
    }
    if (!connected) return EXIT.noAnswer
    return complete === false ? EXIT.incomplete : EXIT.complete
  }

  return { run }
}

interface Connection {
  readonly client: Client
  readonly parameters: Parameters
  readonly position: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** The events of one connection. It never ends by itself: a stream that is closed, breaks or goes silent is UNREACHABLE. */
async function* events({
  client,
  parameters,
  position,
  clock,
  signal,
}: Connection): AsyncGenerator<ServerEvent> {
  const silence = new AbortController()
  const watch = () => clock.after(SILENCE_MS_MAX, () => silence.abort(new Error('it went silent')))
  let cancel = watch()
  try {
    const headers = resumeHeader(position)
    const response = await client.open('/v1/tail', {
      parameters,
      headers,
      signal: AbortSignal.any([signal, silence.signal]),
    })
    if (response.body !== null) {
      for await (const event of serverEvents(response.body)) {
        cancel()
        yield event
        cancel = watch()
      }
    }
    throw new Error('the connection was closed')
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof ServiceError
      ? error
      : unreachable(client.url, silence.signal.aborted ? silence.signal.reason : error)
  } finally {
    cancel()
  }
}

function failureOfEnd(value: unknown): ServiceError {
  const problem = parseProblem(value)
  return toFailure(typeof problem?.['status'] === 'number' ? problem['status'] : 503, problem)
}

function resumeHeader(position: string): Record<string, string> {
  return { accept: 'text/event-stream', ...(position === '' ? {} : { 'last-event-id': position }) }
}

function parseJson(data: string, url: string): unknown {
  try {
    return JSON.parse(data)
  } catch (error) {
    throw new ServiceError('UNREACHABLE', `${url} does not answer as Noctule does`, {}, error)
  }
}
