import { expect, test } from 'vitest'
import type { DatagramAddress, Listener } from '../../../../collectors/statsd/datagrams.ts'
import { createListening, LISTEN_RETRY_MS } from '../../../../collectors/statsd/listening.ts'
import type { Report } from '../../../../collectors/statsd/messages.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const UDP: DatagramAddress = { kind: 'udp', host: '127.0.0.1', port: 8125, bufferBytes: 1_000 }
const UNIX: DatagramAddress = { kind: 'unix', path: '/run/statsd', bufferBytes: 1_000 }

function setUp() {
  const clock = createFakeClock()
  const told: Report[] = []
  const problems = new Map<string, string>() // By kind of address.
  const drops = { count: 0 as number | null }
  const listening = createListening({
    addresses: [UDP, UNIX],
    clock,
    tell: (report) => told.push(report),
    readDrops: () => Promise.resolve(drops.count),
    datagrams: {
      listen({ kind }): Promise<Listener> {
        const problem = problems.get(kind)
        if (problem !== undefined) return Promise.reject(new Error(problem))
        const udp = { host: '127.0.0.1', port: 8125 }
        return Promise.resolve(
          kind === 'udp'
            ? { name: 'udp 127.0.0.1:8125', udp, bufferBytes: 2_000 }
            : { name: 'unix /run/statsd', udp: null, bufferBytes: 2_000 },
        )
      },
    },
  })
  const reports = () => told.filter(({ type }) => type === 'listening')
  const logged = (level: string) =>
    told.flatMap((report) => (report.type === 'log' && report.level === level ? [report.message] : []))
  return { clock, problems, drops, listening, reports, logged }
}

test('everything is opened once', async () => {
  const { listening, reports, logged } = setUp()
  await listening.open()
  await listening.open()
  expect(reports()).toEqual([
    {
      type: 'listening',
      names: ['udp 127.0.0.1:8125', 'unix /run/statsd'],
      port: 8125,
      socket: '/run/statsd',
      problem: null,
    },
  ])
  expect(logged('info')).toEqual(['taking statsd', 'taking statsd'])
})

test('what fails is told once, tried again, and told when it works', async () => {
  const { clock, problems, listening, reports, logged } = setUp()
  problems.set('udp', 'port taken')
  await listening.open()
  expect(reports()).toMatchObject([{ names: ['unix /run/statsd'], port: null, problem: 'port taken' }])
  for (let tries = 0; tries < 3; tries += 1) {
    await clock.advance(LISTEN_RETRY_MS)
    await listening.open()
  }
  expect(logged('error')).toEqual(['port taken: tried again'])
  expect(reports()).toHaveLength(1)
  problems.clear()
  await listening.open()
  expect(reports()).toHaveLength(1) // Not due yet.
  await clock.advance(LISTEN_RETRY_MS)
  await listening.open()
  expect(reports().at(-1)).toMatchObject({ port: 8125, socket: '/run/statsd', problem: null })
})

test('with everything failing it is told, too, and both problems are named', async () => {
  const { problems, listening, reports } = setUp()
  problems.set('udp', 'port taken').set('unix', 'no socket')
  await listening.open()
  expect(reports()).toEqual([
    { type: 'listening', names: [], port: null, socket: null, problem: 'port taken; no socket' },
  ])
})

test('drops are what came since the last look', async () => {
  const { drops, listening } = setUp()
  drops.count = 5
  expect(await listening.drops()).toBe(0) // Nothing is open.
  await listening.open()
  expect(await listening.drops()).toBe(5)
  expect(await listening.drops()).toBe(0)
  drops.count = 12
  expect(await listening.drops()).toBe(7)
  drops.count = null // Cannot be read now.
  expect(await listening.drops()).toBe(0)
  drops.count = 13
  expect(await listening.drops()).toBe(1)
})

test('a buffer that the kernel made smaller than half is worth a warning', async () => {
  const told: Report[] = []
  const listening = createListening({
    addresses: [{ ...UDP, bufferBytes: 4_000_000 }],
    clock: createFakeClock(),
    tell: (report) => told.push(report),
    datagrams: {
      listen: () => Promise.resolve({ name: 'udp', udp: { host: '', port: 1 }, bufferBytes: 425_984 }),
    },
  })
  await listening.open()
  expect(told).toContainEqual(
    expect.objectContaining({
      level: 'warn',
      message: expect.stringContaining('net.core.rmem_max') as string,
    }),
  )
})
