import { ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { CHILDREN_MAX, createChildren, OUTPUT_BYTES_MAX } from '../../../../collectors/checks/child.ts'
import { commandProbe } from '../../../../collectors/checks/command.ts'
import type { CheckOf } from '../../../../collectors/checks/probe.ts'
import { systemdProbe } from '../../../../collectors/checks/systemd.ts'
import { checkSchema } from '../../../../core/config-checks.ts'
import { createWorkspace } from '../../../support/workspace.ts'

const children = createChildren()

function run(command: readonly string[], signal = AbortSignal.timeout(10_000)) {
  const config = checkSchema.parse({ name: 'a', kind: 'command', command }) as CheckOf<'command'>
  return commandProbe(config, { children })(signal)
}
const sh = (script: string, signal?: AbortSignal) => run(['/bin/sh', '-c', script], signal)

test.each([
  { name: 'exit code 0', script: 'echo fine', is: { state: 'ok', message: 'fine' } },
  { name: 'exit code 1', script: 'echo careful; exit 1', is: { state: 'warn', message: 'careful' } },
  { name: 'exit code 2', script: 'echo broken; exit 2', is: { state: 'fail', message: 'broken' } },
  { name: 'exit code 3', script: 'exit 3', is: { state: 'unknown', message: 'exit code 3' } },
  {
    name: 'another exit code',
    script: 'echo what; exit 77',
    is: { state: 'unknown', message: 'exit code 77: what' },
  },
  { name: 'only standard error', script: 'echo why >&2; exit 2', is: { state: 'fail', message: 'why' } },
  {
    name: 'ended by a signal',
    script: 'kill -9 $$',
    is: { state: 'unknown', message: 'it was ended by SIGKILL' },
  },
  {
    name: 'numbers behind the bar, and long text',
    script: String.raw`printf 'DISK OK | /=5%%;80\nlong text\nmore | n=3\nm=4'`,
    is: {
      state: 'ok',
      message: 'DISK OK',
      perfValues: [
        {
          label: '/',
          value: 5,
          unit: '%',
        },
        {
          label: 'n',
          value: 3,
          unit: '',
        },
        {
          label: 'm',
          value: 4,
          unit: '',
        },
      ],
    },
  },
])('a command with $name', async ({ script, is }) => {
  expect(await sh(script)).toMatchObject(is)
})

test('a program that is not there, or cannot be run', async () => {
  using workspace = createWorkspace()
  expect(await run([join(workspace.dir, 'none')])).toMatchObject({
    state: 'unknown',
    message: expect.stringMatching(/ENOENT/),
  })
  const file = join(workspace.dir, 'plain')
  writeFileSync(file, '#!/bin/sh\n')
  chmodSync(file, 0o644)
  expect(await run([file])).toMatchObject({ state: 'unknown', message: expect.stringMatching(/EACCES/) })
  expect(await run([''])).toMatchObject({ state: 'unknown' })
  expect(await run(['/bin/sh', 'a\0b'])).toMatchObject({ state: 'unknown' })
})

const isAlive = (pid: number) => {
  try {
    // A zombie waits to be cleared away by whoever is its parent now: it runs no more.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves once the file is there, then with the pids in it. */
async function pidsIn(file: string): Promise<number[]> {
  await vi.waitFor(() => expect(existsSync(file) && readFileSync(file, 'utf8')).toMatch(/\n$/), {
    interval: 5,
    timeout: 5_000,
  })
  return readFileSync(file, 'utf8').trim().split(/\s+/).map(Number)
}

const untilDead = (pids: readonly number[]) =>
  vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { interval: 5, timeout: 5_000 })

test('a command that hangs, ignores SIGTERM and has children is gone with all of them when its time is up', async () => {
  using workspace = createWorkspace()
  const file = join(workspace.dir, 'pids')
  const abort = new AbortController()
  const outcome = sh(
    `trap '' TERM; sleep 1000 & echo $$ $! > ${file}; while :; do sleep 1000; done`,
    abort.signal,
  )
  const pids = await pidsIn(file)
  expect(pids.map(isAlive)).toEqual([true, true])
  abort.abort()
  expect(await outcome).toEqual({ state: 'unknown', message: 'it did not end in time' })
  await untilDead(pids)
})

test('a child that keeps the output open after the command has ended neither delays nor outlives it', async () => {
  using workspace = createWorkspace()
  const file = join(workspace.dir, 'pids')
  const startMs = performance.now()
  expect(await sh(`sleep 1000 & echo $! > ${file}; echo done`)).toMatchObject({
    state: 'ok',
    message: 'done',
  })
  expect(performance.now() - startMs).toBeLessThan(5_000)
  await untilDead(await pidsIn(file))
})

test('a child that left the group and keeps the output open delays nothing', async () => {
  using workspace = createWorkspace()
  const file = join(workspace.dir, 'pids')
  const startMs = performance.now()
  expect(
    await sh(
      `setsid sh -c 'echo $$ > ${file}; exec sleep 1000' & until test -s ${file}; do sleep 0.01; done; echo done`,
    ),
  ).toMatchObject({
    state: 'ok',
    message: 'done',
  })
  expect(performance.now() - startMs).toBeLessThan(5_000)
  for (const pid of await pidsIn(file)) process.kill(pid, 'SIGKILL')
})

test('a command that cannot even be killed is not over', async () => {
  const child = new ChildProcess()
  const stuck = createChildren(() => child)
  const abort = new AbortController()
  const over = vi.fn<() => void>()
  const ending = stuck.run(['x'], abort.signal).finally(over)
  abort.abort()
  await turn()
  expect(over).not.toHaveBeenCalled()
  child.emit('exit', null, 'SIGKILL')
  child.emit('close', null, 'SIGKILL')
  expect(await ending).toEqual({ problem: 'it did not end in time' })
})

test('10 MB of output are read, but not kept', async () => {
  const ending = await children.run(
    ['/bin/sh', '-c', 'head -c 10000000 /dev/zero | tr "\\0" x; exit 1'],
    AbortSignal.timeout(10_000),
  )
  expect(ending).toMatchObject({ code: 1 })
  expect('stdout' in ending && ending.stdout).toBe('x'.repeat(OUTPUT_BYTES_MAX))
})

test('output without an end is ended', async () => {
  expect(await run(['yes'])).toMatchObject({
    state: 'unknown',
    message: expect.stringMatching(/^it printed more than/),
  })
})

test('one that is called back before it begins does not begin', async () => {
  using workspace = createWorkspace()
  const file = join(workspace.dir, 'begun')
  expect((await sh(`touch ${file}`, AbortSignal.abort())).state).toBe('unknown')
  expect(existsSync(file)).toBe(false)
})

test('without a file descriptor left, a command cannot begin, and nothing else breaks', async () => {
  // What Node gives for EMFILE: no streams, and the error a moment later.
  const child = new ChildProcess()
  const starved = createChildren(() => {
    process.nextTick(() => child.emit('error', new Error('spawn EMFILE')))
    return child
  })
  expect(await starved.run(['/bin/true'], AbortSignal.timeout(10_000))).toEqual({ problem: 'spawn EMFILE' })
})

test('of many commands some wait for their turn, and one that does not get it in time says so', async () => {
  const abort = new AbortController()
  const hanging = Array.from({ length: CHILDREN_MAX }, () => sh('sleep 1000', abort.signal))
  const late = await sh('echo late', AbortSignal.timeout(50))
  expect(late).toEqual({ state: 'unknown', message: 'it did not get its turn in time' })
  const next = sh('echo next')
  abort.abort()
  await Promise.all(hanging)
  expect(await next).toMatchObject({ state: 'ok', message: 'next' })
})

test('what configures this program is not handed on', async () => {
  vi.stubEnv('NOCTULE_TOKEN', 'secret')
  expect(await sh('echo "[$NOCTULE_TOKEN]"')).toMatchObject({ message: '[]' })
  vi.unstubAllEnvs()
})

test.each([
  { says: 'echo active', state: 'ok' },
  { says: 'echo reloading', state: 'ok' },
  { says: 'echo activating; exit 3', state: 'warn' },
  { says: 'echo inactive; exit 3', state: 'fail' },
  { says: 'echo failed; exit 3', state: 'fail' },
  { says: 'echo inactive; exit 4', state: 'unknown' },
  { says: 'echo constructor', state: 'unknown' },
  { says: 'echo "System has not been booted with systemd" >&2; exit 1', state: 'unknown' },
])('systemd: $says is $state', async ({ says, state }) => {
  using workspace = createWorkspace()
  const systemctl = join(workspace.dir, 'systemctl')
  writeFileSync(systemctl, `#!/bin/sh\ntest "$*" = "is-active -- --unit" || exit 99\n${says}\n`, {
    mode: 0o755,
  })
  const config = checkSchema.parse({ name: 'a', kind: 'systemd', unit: '--unit' }) as CheckOf<'systemd'>
  const outcome = await systemdProbe(config, { children, systemctl })(AbortSignal.timeout(10_000))
  expect(outcome).toMatchObject({ state })
})

test('systemd: without systemctl it is unknown', async () => {
  const config = checkSchema.parse({ name: 'a', kind: 'systemd', unit: 'cron' }) as CheckOf<'systemd'>
  const outcome = await systemdProbe(config, { children, systemctl: '/none/systemctl' })(
    AbortSignal.timeout(10_000),
  )
  expect(outcome).toMatchObject({ state: 'unknown', message: expect.stringMatching(/ENOENT/) })
})
