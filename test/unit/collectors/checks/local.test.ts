import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createDiskGate, diskProbe } from '../../../../collectors/checks/disk.ts'
import { hostProbe } from '../../../../collectors/checks/host.ts'
import { createLookup } from '../../../../collectors/checks/lookup.ts'
import type { CheckOf } from '../../../../collectors/checks/probe.ts'
import { processProbe } from '../../../../collectors/checks/process.ts'
import { createProcesses } from '../../../../collectors/checks/processes.ts'
import { checkSchema } from '../../../../core/config-checks.ts'
import type { HostFacts } from '../../../../core/health.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createWorkspace } from '../../../support/workspace.ts'

const { signal } = new AbortController()

/** A /proc with processes that a test starts and stops. */
function machine(dir: string) {
  const clock = createFakeClock()
  const processes = createProcesses({ clock, proc: dir })
  mkdirSync(join(dir, 'sys'), { recursive: true })
  const set = (pid: number, commandLine: string) => {
    mkdirSync(join(dir, String(pid)), { recursive: true })
    writeFileSync(join(dir, String(pid), 'cmdline'), commandLine)
  }
  const end = (pid: number) => rmSync(join(dir, String(pid)), { recursive: true })
  const probe = (config: object) =>
    processProbe(checkSchema.parse({ name: 'a', kind: 'process', ...config }) as CheckOf<'process'>, {
      processes,
    })
  return { clock, set, end, probe }
}

test('process: counts whole command lines that have the expression in them', async () => {
  using workspace = createWorkspace()
  const { clock, set, end, probe } = machine(join(workspace.dir, 'proc'))
  const look = probe({ command: '^/usr/bin/java .*shop[.]jar$', atMost: 1 })
  set(10, '')
  set(11, '/usr/bin/java\0-Xmx1g\0-jar\0shop.jar\0')
  set(12, '/usr/bin/java\0-jar\0other.jar\0')
  expect(await look(signal)).toEqual({ state: 'ok', message: '1 process', value: 1 })

  set(13, '/usr/bin/java\0-jar\0shop.jar\0')
  await clock.advance(1_000)
  expect(await look(signal)).toMatchObject({ state: 'fail', message: '2 processes, expected at most 1' })

  end(13)
  set(11, '')
  await clock.advance(1_000)
  expect(await look(signal)).toMatchObject({
    state: 'fail',
    message: '0 processes, expected at least 1',
    value: 0,
  })
})

test('process: one that dies is missed at once, also between two looks at the list', async () => {
  using workspace = createWorkspace()
  const { set, end, probe } = machine(join(workspace.dir, 'proc'))
  const look = probe({ command: 'shop' })
  set(11, 'shop')
  expect(await look(signal)).toMatchObject({ state: 'ok' })
  end(11)
  expect(await look(signal)).toMatchObject({ state: 'fail' })
})

test('process: a new one that becomes another program is seen at once, an old one within ten looks', async () => {
  using workspace = createWorkspace()
  const { clock, set, probe } = machine(join(workspace.dir, 'proc'))
  const look = probe({ command: 'shop' })
  set(11, '/bin/sh')
  await look(signal)
  set(11, 'shop')
  await clock.advance(1_000)
  expect(await look(signal)).toMatchObject({ state: 'ok' })

  set(12, '/bin/sh')
  set(11, '/bin/sh')
  for (let at = 0; at < 20; at++) {
    await clock.advance(1_000)
    await look(signal)
  }
  set(12, 'shop')
  const states: string[] = []
  for (let at = 0; at < 10; at++) {
    await clock.advance(1_000)
    states.push((await look(signal)).state)
  }
  expect(states.at(-1)).toBe('ok')
})

test('process: none wanted', async () => {
  using workspace = createWorkspace()
  const { set, probe } = machine(join(workspace.dir, 'proc'))
  set(11, 'telnetd')
  expect(await probe({ command: 'ftpd', atLeast: 0, atMost: 1 })(signal)).toMatchObject({
    state: 'ok',
    value: 0,
  })
})

test('process: without /proc it is unknown', async () => {
  const processes = createProcesses({ clock: createFakeClock(), proc: '/none' })
  const config = checkSchema.parse({ name: 'a', kind: 'process', command: 'x' }) as CheckOf<'process'>
  expect(await processProbe(config, { processes })(signal)).toMatchObject({ state: 'unknown' })
})

test('process: the processes of this machine', async () => {
  const processes = createProcesses({ clock: createFakeClock() })
  const config = checkSchema.parse({
    name: 'a',
    kind: 'process',
    command: 'node|vitest',
  }) as CheckOf<'process'>
  expect(await processProbe(config, { processes })(signal)).toMatchObject({ state: 'ok' })
})

const disk = (config: object = {}) =>
  checkSchema.parse({ name: 'a', kind: 'disk', path: '/data', ...config }) as CheckOf<'disk'>

test.each([
  {
    name: 'as df counts',
    blocks: { blocks: 1_000, bfree: 200, bavail: 100, files: 100, ffree: 50 },
    value: 88.9,
    state: 'warn',
  },
  {
    name: 'inodes, too',
    blocks: { blocks: 1_000, bfree: 900, bavail: 900, files: 100, ffree: 1 },
    value: 99,
    state: 'fail',
  },
  {
    name: 'no inodes to count',
    blocks: { blocks: 1_000, bfree: 900, bavail: 900, files: 0, ffree: 0 },
    value: 10,
    state: 'ok',
  },
  {
    name: 'nothing at all',
    blocks: { blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 },
    value: 0,
    state: 'ok',
  },
])('disk: $name', async ({ blocks, value, state }) => {
  const probe = diskProbe(disk(), { gate: createDiskGate(), ask: () => Promise.resolve(blocks) })
  expect(await probe(signal)).toMatchObject({ state, value })
})

test('disk: a path that is not there is unknown; a real one is not', async () => {
  const gate = createDiskGate()
  expect(await diskProbe(disk({ path: '/none/at/all' }), { gate })(signal)).toMatchObject({
    state: 'unknown',
    message: expect.stringContaining('ENOENT') as string,
  })
  expect((await diskProbe(disk({ path: '/', warn: 100, fail: 100 }), { gate })(signal)).state).toBe('ok')
})

test('disk: one that does not answer holds one thread, not one for each question', async () => {
  const gate = createDiskGate()
  let asked = 0
  const ask = () => {
    asked++
    return new Promise<never>(() => undefined)
  }
  void diskProbe(disk(), { gate, ask })(signal)
  await expect(diskProbe(disk(), { gate, ask })(AbortSignal.timeout(20))).rejects.toThrow(/timeout/)
  expect(asked).toBe(1)
})

const facts: HostFacts = {
  cpu: {
    cores: 4,
    busy: 0.97,
  },
  load: [8.5, 2, 1],
  memory: {
    totalBytes: 4 * 2 ** 30,
    availableBytes: 2 ** 30,
  },
  disks: [],
  network: null,
  uptimeS: 1,
}

test.each([
  { config: { kind: 'cpu' }, is: { state: 'warn', value: 97, message: '97 % busy of 4 cores' } },
  { config: { kind: 'cpu', warn: 50, fail: 96 }, is: { state: 'fail' } },
  { config: { kind: 'memory' }, is: { state: 'ok', value: 75, message: '75 % used, 1024 MiB available' } },
  { config: { kind: 'memory', warn: 60, fail: 74.9 }, is: { state: 'fail' } },
  {
    config: { kind: 'load' },
    is: { state: 'warn', value: 2.1, message: 'load 8.5 of one minute on 4 cores' },
  },
])('$config is $is.state', async ({ config, is }) => {
  const check = checkSchema.parse({ name: 'a', ...config }) as CheckOf<'cpu' | 'memory' | 'load'>
  expect(await hostProbe(check, { facts: { read: () => Promise.resolve(facts) } })(signal)).toMatchObject(is)
})

test('lookup: a name is asked for once at a time, and each gets the answer in its form', () => {
  const asked: string[] = []
  const answers: (() => void)[] = []
  const lookup = createLookup((hostname, _, answer) => {
    asked.push(hostname)
    answers.push(() => answer(null, [{ address: '10.0.0.1', family: 4 }]))
  })
  const got: unknown[] = []
  lookup('a', { all: true }, (_, addresses) => got.push(addresses))
  lookup('a', {}, (_, address, family) => got.push([address, family]))
  lookup('b', { family: 6 }, (_, address) => got.push(address))
  expect(asked).toEqual(['a', 'b'])
  answers[0]?.()
  expect(got).toEqual([[{ address: '10.0.0.1', family: 4 }], ['10.0.0.1', 4]])
  lookup('a', {}, () => undefined)
  expect(asked).toEqual(['a', 'b', 'a'])
})

test('lookup: a name that nobody knows is an error for all who asked', () => {
  const lookup = createLookup((_hostname, _options, answer) =>
    answer(new Error('ENOTFOUND'), undefined as never),
  )
  const errors: unknown[] = []
  lookup('a', { all: true }, (error) => errors.push(error?.message))
  lookup('a', {}, (error) => errors.push(error?.message))
  expect(errors).toEqual(['ENOTFOUND', 'ENOTFOUND'])
})
