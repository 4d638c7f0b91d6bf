import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')
const START_DEADLINE_MS = 60_000

/** The real program as a child process. */
export interface Program {
  readonly url: string
  readonly pid: number
  readonly token: string
  /** UDP port at which it takes statsd, once it collects; 0: at none. */
  statsdPort(): Promise<number>
  /** What it wrote to standard output and standard error so far. */
  output(): string
  /** Requests with the admin token. */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>
  post(path: string, body: string | Uint8Array<ArrayBuffer>, type?: string): Promise<Response>
  /** kill -9. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
}

export interface ProgramOptions {
  readonly dataDir: string
  /** YAML. */
  readonly configFile?: string | undefined
  readonly role?: 'all' | 'site' | 'collector' | 'aggregator' | 'query'
  readonly port?: number
  readonly environment?: Readonly<Record<string, string>>
  /** Commands to run instead of plain Node, e.g. a wrapper that limits something. */
  readonly wrapper?: readonly string[]
}

/** Runs the `noctule` command to its end. */
export async function runCli(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input?: string,
) {
  const child = spawn(process.execPath, [join(ROOT, 'main.ts'), ...args], {
    env: { ...process.env, NO_COLOR: '1', ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const chunks = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (chunks.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (chunks.stderr += chunk.toString()))
  child.stdin.end(input ?? '')
  const code = await new Promise<number | null>((done) => child.on('close', done))
  return { code, ...chunks }
}

/** What `startProgram` makes of the options it is given: how the same tests run over other backends. */
let changed = (options: ProgramOptions): ProgramOptions => options

/** From now on, in this test file: every program starts with changed options. */
export function changePrograms(change: (options: ProgramOptions) => ProgramOptions): void {
  changed = change
}

/** Starts `noctule all` (or another role) on a free port and waits until it listens. */
export async function startProgram(asked: ProgramOptions): Promise<Program> {
  const options = changed(asked)
  const { dataDir, role = 'all', port = 0, configFile, wrapper = [] } = options
  const command = [
    ...wrapper,
    process.execPath,
    join(ROOT, 'main.ts'),
    role,
    ...(configFile === undefined ? [] : ['--config', configFile]),
  ]
  const child = spawn(command[0] ?? '', command.slice(1), {
    env: {
      ...process.env,
      NOCTULE_DATA_DIR: dataDir,
      NOCTULE_HTTP_PORT: String(port),
      NOCTULE_STATSD_PORT: '0', // Programs of one machine do not fight for a port: `statsdPort` tells it.
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // A test that fails before its stop leaves nothing running.
  const killLeftOver = () => child.kill('SIGKILL')
  process.once('exit', killLeftOver)
  child.once('close', () => process.off('exit', killLeftOver))
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-1_000_000)))
  const exited = new Promise<number | null>((done) => child.on('close', done))
  const url = await until(
    () => (child.exitCode === null ? urlIn(output, role) : fail(`the program ended: ${output}`)),
    START_DEADLINE_MS,
    () => `the program does not listen: ${output}`,
  )
  const token = role === 'collector' ? '' : readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
  return programHandle(child, { url, token, output: () => output, exited })
}

function programHandle(
  child: ChildProcess,
  {
    url,
    token,
    output,
    exited,
  }: { url: string; token: string; output: () => string; exited: Promise<number | null> },
): Program {
  const authorization = `Bearer ${token}`
  return {
    url,
    token,
    output,
    async statsdPort() {
      const collects = () => (/collecting on .*\n/.test(output()) ? true : undefined)
      await until(collects, START_DEADLINE_MS, () => `it does not collect: ${output()}`)
      return Number(/taking statsd on udp \S+:(\d+)\n/.exec(output())?.[1] ?? 0)
    },
    pid: child.pid ?? 0,
    get: (path, headers) => fetch(url + path, { headers: { authorization, ...headers } }),
    post: (path, body, type = 'application/json') =>
      fetch(url + path, { method: 'POST', body, headers: { authorization, 'content-type': type } }),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async stop() {
      child.kill('SIGTERM')
      return await exited
    },
  }
}

function urlIn(output: string, role: string): string | undefined {
  if (role === 'collector') return /collecting/.test(output) ? '' : undefined
  if (role === 'aggregator') return /listening on (http:\/\/[\d.]+:\d+)\n/.exec(output)?.[1]
  // The last line of the start; its end shows that the code is whole.
  return /sign in .*: (http:\/\/[\d.]+:\d+)\/#code=[\w-]+\n/.exec(output)?.[1]
}

function fail(message: string): never {
  throw new Error(message)
}

/** Polls `check` until it gives something; fails with `describe()` when the deadline passes. */
export async function until<T>(
  check: () => T | undefined | Promise<T | undefined>,
  deadlineMs: number,
  describe: () => string,
  pollMs = 10,
): Promise<T> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const value = await check()
    if (value !== undefined) return value
    if (performance.now() > end) throw new Error(`after ${deadlineMs} ms: ${describe()}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}
