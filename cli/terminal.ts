import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { systemClock } from '../core/clock.ts'
import { asServiceError } from '../core/errors.ts'
import type { ServiceError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'

/** What a command ends with. */
export const EXIT = {
  complete: 0,
  /** The work was done in part or failed; standard error says what. */
  failed: 1,
  usage: 2,
  /** An answer was given, and it is not complete. */
  incomplete: 3,
  /** Nobody answered: not reachable, too late, overloaded or stopping. */
  noAnswer: 4,
  denied: 5,
  /** Ctrl-C before the end. */
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export type Screen = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** What a command sees of its process. */
export interface Terminal {
  readonly environment: NodeJS.ProcessEnv
  readonly stdin: Readable
  readonly stdout: Screen
  readonly stderr: Screen
  readonly clock: Clock
  /** Calls `listener` once, at Ctrl-C; returns how to stop that. */
  onInterrupt(listener: () => void): () => void
  /** The code to end with once everything is written. */
  setExitCode(code: ExitCode): void
  /** Ends at once. */
  exit(code: ExitCode): never
}

/** The terminal or pipes of this process. */
export function processTerminal(): Terminal {
  const { env: environment, stdin, stdout, stderr } = process
  return {
    environment,
    stdin,
    stdout,
    stderr,
    clock: systemClock,
    onInterrupt(listener) {
      process.once('SIGINT', listener)
      return () => process.off('SIGINT', listener)
    },
    setExitCode(code) {
      process.exitCode = code
    },
    exit: (code) => process.exit(code),
  }
}

/** Aborts a command whose reader went away (`| head`): that is no failure. */
class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/** Aborts a command at Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** Runs a command to its exit code. An expected failure is one line on standard error; anything else is thrown, as a bug is. */
export async function runCommand(
  terminal: Terminal,
  work: (signal: AbortSignal) => Promise<ExitCode>,
): Promise<void> {
  const { stdout, stderr } = terminal
  const stop = new AbortController()
  const stopListening = terminal.onInterrupt(() => stop.abort(new Interrupted('interrupted')))
  const onError = (error: NodeJS.ErrnoException) =>
    stop.abort(error.code === 'EPIPE' ? new ReaderGone('nobody reads') : error)
  stdout.on('error', onError)
  try {
    terminal.setExitCode(await work(stop.signal))
  } catch (error) {
    const reason: unknown = stop.signal.aborted ? stop.signal.reason : error
    const failure = asServiceError(reason)
    if (reason instanceof ReaderGone) terminal.setExitCode(EXIT.complete)
    else if (reason instanceof Interrupted) terminal.setExitCode(EXIT.interrupted)
    else if (failure === undefined) throw reason
    else {
      stderr.write(`noctule: ${harmless(failure.message)}\n`)
      terminal.setExitCode(exitCodeOf(failure))
    }
  } finally {
    stopListening()
    // The listener for errors of standard output stays: a late EPIPE is still no failure.
  }
}

function exitCodeOf({ status }: ServiceError): ExitCode {
  if (status === 401 || status === 403) return EXIT.denied
  if (status === 400) return EXIT.usage
  return status === 429 || status >= 503 ? EXIT.noAnswer : EXIT.failed
}

/** Waits while the reader is slow. */
export async function write(screen: Screen, data: string | Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (!screen.write(data)) await once(screen, 'drain', { signal })
}

export function hasColours({ environment, stdout }: Terminal): boolean {
  return stdout.isTTY === true && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb'
}

const CODES = { red: 31, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const
export type Colour = keyof typeof CODES
export type Paint = (colour: Colour, text: string) => string

/** Colours, or nothing of the kind. */
export function painter(colours: boolean): Paint {
  if (!colours) return (_colour, text) => text
  return (colour, text) => `\u001b[${CODES[colour]}m${text}\u001b[0m`
}

/** Whatever text a log holds, it cannot steer the terminal: control characters are shown as escapes. */
export function harmless(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are the ones to find
  return text.replaceAll(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (char) => {
    const hex = char.charCodeAt(0).toString(16)
    return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`
  })
}
