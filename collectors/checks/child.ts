import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import type { Readable } from 'node:stream'
import { createGate } from '../../core/gate.ts'
import { problemOf } from './probe.ts'

/** What is kept of each output … */
export const OUTPUT_BYTES_MAX = 8 << 10
/** … and how much may come before it is ended: reading costs CPU, too. */
const OUTPUT_READ_BYTES_MAX = 16 << 20
/** Children at once, of all checks. */
export const CHILDREN_MAX = 16
/** Output that is on its way when the child ends. */
const LAST_OUTPUT_MS = 100

/** How a child ended; `problem`: it did not start, or was ended for that. */
export type Ending =
  { readonly code: number; readonly stdout: string; readonly stderr: string } | { readonly problem: string }

type Start = (program: string, args: readonly string[], options: SpawnOptions) => ChildProcess

/** Runs programs, at most CHILDREN_MAX at once. */
export interface Children {
  /**
   * Runs a program without a shell, in a process group of its own that is killed when the program ends or the signal aborts, with
   * everything that it started and left in there. Resolves once the program has ended; never rejects.
   */
  run(command: readonly string[], signal: AbortSignal): Promise<Ending>
}

export function createChildren(start: Start = spawn): Children {
  const gate = createGate(CHILDREN_MAX)
  return {
    async run(command, signal) {
      const leave = await gate.enter(1, signal).catch(() => null)
      if (leave === null) return { problem: 'it did not get its turn in time' }
      try {
        return await runOne(command, start, signal)
      } catch (error) {
        return { problem: problemOf(error) }
      } finally {
        leave()
      }
    },
  }
}

function runOne(
  [program = '', ...args]: readonly string[],
  start: Start,
  signal: AbortSignal,
): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>()
  // A group of its own, which can be killed as a whole. It gets nothing that configures this program.
  const child = start(program, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(),
  })
  let problem: string | null = null
  const finish = (ending: Ending) => {
    signal.removeEventListener('abort', abort)
    child.stdout?.destroy()
    child.stderr?.destroy()
    resolve(problem === null ? ending : { problem })
  }
  // The kernel may take its time: one that cannot even be killed must not be followed by another one.
  const kill = (why: string) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    problem ??= why
    killGroup(child)
  }
  const abort = () => kill('it did not end in time')
  // First of all: without a file descriptor left there is nothing else of it.
  child.once('error', (error) => finish({ problem: problemOf(error) }))
  const tooMuch = () => kill(`it printed more than ${OUTPUT_READ_BYTES_MAX} bytes`)
  const stdout = collect(child.stdout, tooMuch)
  const stderr = collect(child.stderr, tooMuch)
  child.once('exit', (code, killedBy) => {
    killGroup(child) // At once: its number may soon be another's.
    const ended = () =>
      finish(
        code === null
          ? { problem: `it was ended by ${killedBy ?? 'a signal'}` }
          : { code, stdout: stdout(), stderr: stderr() },
      )
    // What left its group may hold the pipes open for ever.
    const timer = setTimeout(ended, LAST_OUTPUT_MS)
    child.once('close', () => {
      clearTimeout(timer)
      ended()
    })
  })
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return promise
}

function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NOCTULE_')))
}

/** Reads on beyond what is kept, so that the writer does not wait. Gives the text that came so far. */
function collect(output: Readable | null | undefined, tooMuch: () => void): () => string {
  const chunks: Buffer[] = []
  let kept = 0
  let read = 0
  output?.on('error', () => undefined)
  output?.on('data', (chunk: Buffer) => {
    read += chunk.length
    if (read > OUTPUT_READ_BYTES_MAX) tooMuch()
    const part = chunk.subarray(0, OUTPUT_BYTES_MAX - kept)
    if (part.length > 0) chunks.push(Buffer.from(part))
    kept += part.length
  })
  return () => Buffer.concat(chunks).toString()
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of them have ended.
  }
}
