import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCli } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

test('a wrong key and a wrong value are answered with path, value and expectation, exit code 2', async () => {
  using workspace = createWorkspace()
  writeFileSync(workspace.configFile, 'http: { port: many }\ncolector: {}\n')
  const { code, stderr } = await runCli(['config', 'check', '--config', workspace.configFile])
  expect(code).toBe(2)
  expect(stderr).toContain('http.port: found "many"; expected number')
  expect(stderr).toContain('unknown key "colector"')
})

test('config print shows variables and defaults, and no secret', async () => {
  using workspace = createWorkspace(
    'collector: { destinations: [{ name: a, url: "http://127.0.0.1:1", token: geheim }] }\n',
  )
  const { code, stdout } = await runCli(['config', 'print', '--config', workspace.configFile], {
    NOCTULE_HTTP_PORT: '8700',
  })
  expect(code).toBe(0)
  expect(stdout).toContain('port: 8700')
  expect(stdout).not.toContain('geheim')
})

test('a configuration file that is not there is named', async () => {
  using workspace = createWorkspace()
  const { code, stderr } = await runCli(['all', '--config', join(workspace.dir, 'nowhere.yaml')])
  expect(code).toBe(2)
  expect(stderr).toContain('nowhere.yaml')
})
