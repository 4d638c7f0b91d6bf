import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { search } from '../support/answers.ts'
import { startProgram, until, type Program } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

/** How long a page may show green for something that is down. */
const RED_MS_MAX = 5_000

interface Hosts {
  readonly hosts: readonly {
    readonly host: string
    readonly tier: string
    readonly state: string
    readonly checks: readonly { readonly name: string; readonly state: string; readonly message: string }[]
    readonly status: { readonly version: string } | null
    readonly facts: { readonly cpu: { readonly cores: number } } | null
  }[]
}

async function hostOf(program: Program) {
  const response = await program.get('/v1/hosts')
  if (response.status !== 200) throw new Error(`hosts: ${response.status} ${await response.text()}`)
  return ((await response.json()) as Hosts).hosts.find(({ host }) => host === 'web-1')
}

/** Resolves with how many ms it took until the host is in that state. */
async function untilState(program: Program, state: string): Promise<number> {
  const startMs = performance.now()
  let seen: unknown
  const look = async () => {
    const host = await hostOf(program)
    seen = host
    return host?.state === state ? true : undefined
  }
  await until(
    look,
    30_000,
    () => `it is not ${state}: ${JSON.stringify(seen)}; ${program.output().slice(-2_000)}`,
    50,
  )
  return performance.now() - startMs
}

const stateOf = async (program: Program, name: string) =>
  (await hostOf(program))?.checks.find((check) => check.name === name)

async function untilEvent(program: Program, query: string) {
  const [record] = await until(
    async () => {
      const { records } = await search(program, query)
      return records.length > 0 ? records : undefined
    },
    30_000,
    () => `nothing is found for ${query}`,
    50,
  )
  return record
}

/** The newest value of a gauge. */
async function newestOf(program: Program, name: string, tags: string): Promise<number> {
  const query = new URLSearchParams({ name, tags, agg: 'last', from: 'now-5m', to: 'now+1m' })
  const look = async () => {
    const response = await program.get(`/v1/metrics/query?${query.toString()}`)
    if (response.status !== 200) throw new Error(`metrics: ${response.status} ${await response.text()}`)
    const { lines } = (await response.json()) as { lines: readonly { points: readonly number[][] }[] }
    return lines[0]?.points.at(-1)?.[1]
  }
  return await until(look, 30_000, () => `${name} is not found; ${program.output().slice(-2_000)}`, 50)
}

/** A program to be watched, with a name in its command line. */
async function startWatched(name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => 0, 1e6)', name], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (child.stdout !== null) await once(child.stdout, 'data')
  return child
}

async function startSite(port: number): Promise<Server> {
  const server = createServer((_, response) => response.end('all is fine'))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function stopSite(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

test('what is stopped turns its host red within 5 s, and green when it is back; each change is found', async () => {
  let site = await startSite(0)
  const { port } = site.address() as AddressInfo
  const workerName = `shop-worker-of-${process.pid}`
  let worker = await startWatched(workerName)
  onTestFinished(() => void worker.kill('SIGKILL'))
  using workspace = createWorkspace(`collector:
  host: web-1
  tier: webhead
  statsd: { port: 0, flush: 1s }
  files: [{ paths: ["{logs}/*.log"] }]
  checks:
    - { name: worker, kind: process, command: "${workerName}$" }
    - { name: site, kind: http, url: "http://127.0.0.1:${port}/", contains: fine }
    - { name: plugin, kind: command, command: [/bin/cat, "{logs}/plugin.txt"] }
    - { name: elsewhere, kind: tcp, host: 127.0.0.1, port: 1, tiers: [database] }
`)
  writeFileSync(join(workspace.logs, 'plugin.txt'), 'QUEUE OK | jobs=7\n')
  const program = await startProgram(workspace)
  await untilState(program, 'ok')
  const host = await hostOf(program)
  expect(host).toMatchObject({ tier: 'webhead', status: { version: expect.any(String) as string } })
  expect(host?.facts?.cpu.cores).toBeGreaterThan(0)
  expect(host?.checks.map(({ name, state }) => [name, state])).toEqual([
    ['worker', 'ok'],
    ['site', 'ok'],
    ['plugin', 'ok'],
  ])
  expect((await stateOf(program, 'plugin'))?.message).toBe('QUEUE OK')

  const took: Record<string, number> = {}
  worker.kill('SIGKILL')
  await once(worker, 'exit')
  took['process stopped → red'] = await untilState(program, 'fail')
  expect((await stateOf(program, 'worker'))?.message).toBe('0 processes, expected at least 1')
  worker = await startWatched(workerName)
  took['process back → green'] = await untilState(program, 'ok')

  await stopSite(site)
  took['server stopped → red'] = await untilState(program, 'fail')
  expect((await stateOf(program, 'site'))?.message).toContain('ECONNREFUSED')
  site = await startSite(port)
  took['server back → green'] = await untilState(program, 'ok')

  for (const [what, ms] of Object.entries(took)) {
    process.stdout.write(`${what}: ${Math.round(ms)} ms\n`)
    expect(ms, what).toBeLessThanOrEqual(RED_MS_MAX)
  }

  expect(await untilEvent(program, 'event.kind:state event.name:worker event.state:fail')).toMatchObject({
    level: 'error',
    service: 'noctule',
    host: 'web-1',
    tier: 'webhead',
    message: 'check worker of web-1 failed: 0 processes, expected at least 1',
  })
  expect(await untilEvent(program, 'event.kind:state event.name:worker event.state:ok')).toMatchObject({
    level: 'info',
    message: 'check worker of web-1 is ok again: 1 process',
  })
  expect(await untilEvent(program, 'event.kind:state event.name:site event.before:ok')).toMatchObject({
    level: 'error',
  })
  expect(await newestOf(program, 'check.jobs', 'check:plugin')).toBe(7)
  expect(await newestOf(program, 'check.state', 'check:site')).toBe(0)
  expect(await newestOf(program, 'host.cpu.busy', 'tier:webhead')).toBeGreaterThanOrEqual(0)
  await stopSite(site)
  expect(await program.stop()).toBe(0)
})
