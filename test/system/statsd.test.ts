import { createHash, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { StatsD } from 'hot-shots'
import { expect, test } from 'vitest'
import { search } from '../support/answers.ts'
import { startProgram, until, type Program } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

const DEADLINE_MS = 30_000

/** Lets a client with default options send; resolves when everything is with the kernel. */
async function send(port: number, work: (client: StatsD) => void): Promise<void> {
  const failures: Error[] = []
  const client = new StatsD({ port, errorHandler: (error) => void failures.push(error) })
  work(client)
  await new Promise((closed) => client.close(closed))
  expect(failures).toEqual([])
}

async function sendText(port: number, text: string): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise((sent) => socket.send(text, port, '127.0.0.1', sent))
  socket.close()
}

interface Values {
  readonly lines: readonly { readonly kind: string; readonly points: readonly (readonly number[])[] }[]
  readonly lost: { readonly total: number; readonly byReason: Readonly<Record<string, number>> }
}

async function query(program: Program, name: string, aggregate: string): Promise<Values> {
  const parameters = new URLSearchParams({ name, agg: aggregate, from: 'now-15m', to: 'now+1m', step: '1m' })
  const response = await program.get(`/v1/metrics/query?${parameters.toString()}`)
  if (response.status !== 200) throw new Error(await response.text())
  return (await response.json()) as Values
}

/** All points of the last minutes, added up. */
async function total(program: Program, name: string): Promise<number> {
  const { lines } = await query(program, name, 'sum')
  return lines.flatMap(({ points }) => points).reduce((sum, [, value = 0]) => sum + value, 0)
}

async function untilTotal(program: Program, name: string, expected: number): Promise<void> {
  let seen = 0
  await until(
    async () => ((seen = await total(program, name)) >= expected ? true : undefined),
    DEADLINE_MS,
    () => `${name} is ${seen} of ${expected}: ${program.output().slice(-3_000)}`,
    50,
  )
  expect(await total(program, name)).toBe(expected)
}

test('an app that sends statsd is found in answers, and so are its events, and what was lost', async () => {
  using space = createWorkspace()
  writeFileSync(space.configFile, 'collector: { files: [], host: web-1, statsd: { flush: 1s } }\n')
  const program = await startProgram(space)
  const port = await program.statsdPort()
  await send(port, (client) => {
    for (let value = 1; value <= 100; value += 1) client.timing('shop.checkout', value, { env: 'prod' })
    client.increment('shop.orders', 5)
    client.gauge('shop.queue', 12)
    for (const user of ['mia', 'tom', 'mia']) client.set('shop.users', user)
    client.event('deployed', 'version 7', { alert_type: 'warning' })
    client.check('db.up', client.CHECKS.CRITICAL, { message: 'no answer' })
  })
  await sendText(port, 'no metric')
  await untilTotal(program, 'shop.orders', 5)
  const value = async (name: string, aggregate: string) =>
    (await query(program, name, aggregate)).lines[0]?.points.at(-1)?.[1]
  expect(await value('shop.queue', 'last')).toBe(12)
  expect(await value('shop.users', 'count')).toBe(2)
  const p95 = (await value('shop.checkout', 'p95')) ?? 0
  expect(Math.abs(p95 - 95)).toBeLessThanOrEqual(0.01 * 95 + 1)
  await until(
    async () =>
      (await query(program, 'shop.orders', 'sum')).lost.byReason['malformed'] === 1 ? true : undefined,
    DEADLINE_MS,
    () => 'the loss is not told',
  )
  for (const [question, message, level] of [
    ['event.kind:event', 'deployed: version 7', 'warn'],
    ['event.kind:service_check', 'service check db.up is critical: no answer', 'error'],
  ] as const) {
    const found = await until(
      async () => (await search(program, question)).records[0],
      DEADLINE_MS,
      () => `nothing is found for ${question}`,
    )
    expect(found).toMatchObject({ message, level, host: 'web-1', service: 'statsd' })
  }
  expect(await program.stop()).toBe(0)
})

test('a stop flushes the interval that is open', async () => {
  using space = createWorkspace()
  writeFileSync(space.configFile, 'collector: { files: [], host: web-1 }\n')
  const first = await startProgram(space)
  await send(await first.statsdPort(), (client) => client.increment('shop.orders', 7))
  expect(await first.stop()).toBe(0)
  const second = await startProgram(space)
  await untilTotal(second, 'shop.orders', 7)
  expect(await second.stop()).toBe(0)
})

test('what was numbered is neither lost nor counted twice, whoever is killed', async () => {
  using here = createWorkspace()
  using there = createWorkspace()
  const token = randomBytes(32).toString('base64url')
  const sha256 = createHash('sha256').update(token).digest('hex')
  writeFileSync(
    there.configFile,
    `site: eu\ncollector: { files: [] }\naccess: { tokens: [{ name: web-1, role: collector, sha256: "${sha256}" }] }\n`,
  )
  const node = await startProgram({ ...there, role: 'site' })
  const port = Number(new URL(node.url).port)
  writeFileSync(
    here.configFile,
    `log: { level: debug }\ncollector:\n  host: web-1\n  files: []\n  statsd: { flush: 1s }\n` +
      `  destinations: [{ name: eu, url: "${node.url}", token: "${token}" }]\n`,
  )
  let collector = await startProgram({ ...here, role: 'collector' })
  const numbered = () => collector.output().split('metrics numbered').length
  const sendNumbered = async (count: number) => {
    const before = numbered()
    await send(await collector.statsdPort(), (client) => client.increment('shop.orders', count))
    await until(
      () => (numbered() > before ? true : undefined),
      DEADLINE_MS,
      () => collector.output().slice(-3_000),
    )
  }
  await sendNumbered(1)
  await untilTotal(node, 'shop.orders', 1)
  await node.kill()
  await sendNumbered(20)
  await collector.kill() // The node was away: it waits in the spool.
  collector = await startProgram({ ...here, role: 'collector' })
  await sendNumbered(300)
  let back = await startProgram({ ...there, role: 'site', port })
  await untilTotal(back, 'shop.orders', 321)
  for (const count of [4_000, 50_000]) {
    await sendNumbered(count)
    // Perhaps while it stores: what was stored and not acknowledged comes again.
    await back.kill()
    back = await startProgram({ ...there, role: 'site', port })
  }
  await untilTotal(back, 'shop.orders', 54_321)
  expect(await collector.stop()).toBe(0)
  expect(await total(back, 'shop.orders')).toBe(54_321)
  expect(await back.stop()).toBe(0)
})

test('a collector whose port is taken collects all the same, and takes statsd when the port is free', async () => {
  using here = createWorkspace()
  using there = createWorkspace()
  for (const space of [here, there])
    writeFileSync(space.configFile, 'collector: { files: [], host: web-1 }\n')
  const first = await startProgram(here)
  const port = await first.statsdPort()
  const environment = { NOCTULE_STATSD_PORT: String(port) }
  const second = await startProgram({ ...there, environment })
  expect(await second.statsdPort()).toBe(0)
  expect(second.output()).toContain(`cannot take statsd on udp 127.0.0.1:${port}`)
  expect(await first.stop()).toBe(0)
  await until(
    () => (second.output().includes(`taking statsd on udp 127.0.0.1:${port}\n`) ? true : undefined),
    DEADLINE_MS,
    () => second.output(),
  )
  await send(port, (client) => client.increment('shop.orders', 3))
  expect(await second.stop()).toBe(0)
})
