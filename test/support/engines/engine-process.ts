import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { until } from '../program.ts'

/** A free port of loopback. Another process could take it before the engine does; engines take no port 0 for all their listeners. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** A running engine; it ends with this process. */
export interface EngineProcess {
  readonly pid: number
  output(): string
  signal(name: NodeJS.Signals): void
  /** SIGTERM, or the signal given; resolves when it has ended. */
  end(name?: NodeJS.Signals): Promise<void>
}

const OUTPUT_KEPT = 200_000

export interface EngineCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd: string
  readonly readyWithinMs: number
  /** Is it ready? Asked again and again; failures count as no. */
  isReady(output: string): Promise<boolean> | boolean
}

/** Starts an engine and waits until it is ready; throws with its output when it ends before or takes too long. */
export async function startEngine(engine: EngineCommand): Promise<EngineProcess> {
  const child = spawn(engine.command, engine.args, {
    cwd: engine.cwd,
    env: { ...process.env, ...engine.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const running = handle(child)
  try {
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`the engine ended: ${running.output().slice(-4_000)}`)
        return (await engine.isReady(running.output())) ? true : undefined
      },
      engine.readyWithinMs,
      () => `the engine is not ready: ${running.output().slice(-4_000)}`,
      100,
    )
    return running
  } catch (error) {
    await running.end('SIGKILL')
    throw error
  }
}

function handle(child: ChildProcess): EngineProcess {
  let output = ''
  const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-OUTPUT_KEPT))
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  // A test run that breaks off leaves no engine behind.
  const killLeftOver = () => child.kill('SIGKILL')
  process.once('exit', killLeftOver)
  child.once('close', () => process.off('exit', killLeftOver))
  return {
    pid: child.pid ?? 0,
    output: () => output,
    signal: (name) => void child.kill(name),
    async end(name = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(name)
      await exited
    },
  }
}
