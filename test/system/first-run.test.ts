import { appendFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { search, untilFound } from '../support/answers.ts'
import { runCli, startProgram, until } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

test('a line appended to a followed file is found over HTTP and in the terminal, and the answer becomes complete', async () => {
  using workspace = createWorkspace()
  const program = await startProgram(workspace)
  appendFileSync(join(workspace.logs, 'app.log'), 'ERROR payment 4711 was refused\n')
  await untilFound(program, 'refused', 1)
  const answer = await until(
    async () => {
      const found = await search(program, 'level:error AND refused', { from: 'now-15m', to: 'now' })
      return found.meta.complete ? found : undefined
    },
    15_000,
    () => program.output(),
  )
  expect(answer.records).toMatchObject([
    { message: 'payment 4711 was refused', level: 'error', host: 'web-1', site: 'local' },
  ])

  const cli = await runCli(['search', 'refused'], {
    NOCTULE_URL: program.url,
    NOCTULE_DATA_DIR: workspace.dataDir,
  })
  expect(cli).toMatchObject({ code: 0 })
  expect(cli.stdout).toContain('payment 4711 was refused')
  expect(cli.stderr).toContain('complete to')
  expect(await program.stop()).toBe(0)
})

test('the admin token is for its owner only; the printed sign-in link carries a one-time code, not the token', async () => {
  using workspace = createWorkspace()
  const program = await startProgram(workspace)
  expect(statSync(join(workspace.dataDir, 'admin-token')).mode & 0o777).toBe(0o600)
  expect(program.output()).not.toContain(program.token)
  const code = /#code=([\w-]+)/.exec(program.output())?.[1]
  const signIn = () =>
    fetch(`${program.url}/v1/session`, {
      method: 'POST',
      body: JSON.stringify({ code }),
      headers: { 'content-type': 'application/json' },
    })
  const first = await signIn()
  expect(first.status).toBe(200)
  expect(first.headers.get('set-cookie')).toMatch(/HttpOnly/i)
  expect((await signIn()).status).toBe(401)
  await program.stop()
})

test('a second program on the same data directory is refused with what to do, and the first goes on', async () => {
  using workspace = createWorkspace()
  const program = await startProgram(workspace)
  const second = await runCli(['all', '--config', workspace.configFile], {
    NOCTULE_DATA_DIR: workspace.dataDir,
    NOCTULE_HTTP_PORT: '0',
  })
  expect(second.code).not.toBe(0)
  expect(second.stderr).toMatch(/another process owns .*: stop it/)
  expect((await program.get('/__heartbeat__')).status).toBe(200)
  await program.stop()
})

test('what was found before a stop is found after the next start', async () => {
  using workspace = createWorkspace()
  const first = await startProgram(workspace)
  appendFileSync(join(workspace.logs, 'app.log'), 'WARN the disk is nearly full\n')
  await untilFound(first, 'nearly', 1)
  expect(await first.stop()).toBe(0)
  appendFileSync(join(workspace.logs, 'app.log'), 'WARN the disk is nearly full again\n')
  const second = await startProgram(workspace)
  await untilFound(second, 'nearly', 2)
  expect((await search(second, 'nearly')).records.map((record) => record.message)).toEqual([
    'the disk is nearly full again',
    'the disk is nearly full',
  ])
  await second.stop()
})
