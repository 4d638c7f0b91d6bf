import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import { cliReference } from '../../cli/reference.ts'
import { heldSites, parseConfig } from '../../core/config.ts'

const deploy = resolve(import.meta.dirname, '../../deploy')
const read = (name: string) => readFileSync(resolve(deploy, name), 'utf8')
const configs = readdirSync(resolve(deploy, 'config'))

test.each(configs)('the example configuration %s is right', (name) => {
  expect(() => parseConfig(read(`config/${name}`), {})).not.toThrow()
})

test('a central store is asked about the sites whose Kafka it reads', () => {
  expect(heldSites(parseConfig(read('config/central.yaml'), {}))).toEqual(['eu', 'us'])
})

interface Service {
  readonly command?: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
}

test('the compose file runs roles that there are, with files that there are, and opens loopback only', () => {
  const { services } = parse(read('compose.yaml'), { merge: true }) as {
    services: Readonly<Record<string, Service>>
  }
  const commands = Object.values(services).flatMap(({ command }) => command ?? [])
  expect(commands).toHaveLength(3)
  const reference = cliReference()
  for (const command of commands) expect(reference).toContain(`## noctule ${command.split(' ')[0] ?? ''}\n`)
  for (const { build, volumes = [], ports = [] } of Object.values(services)) {
    const { context = '.', dockerfile = 'compose.yaml' } = build ?? {}
    expect(existsSync(resolve(deploy, context, dockerfile))).toBe(true)
    for (const volume of volumes.filter((text) => text.startsWith('./')))
      expect(existsSync(resolve(deploy, volume.split(':')[0] ?? '')), volume).toBe(true)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  }
})

test('the systemd unit starts the program with least privilege', () => {
  const unit = read('noctule@.service')
  expect(unit).toMatch(/^ExecStart=\S+node \S+main\.ts %i --config \/etc\/noctule\/%i\.yaml$/m)
  expect(unit).toMatch(/^NoNewPrivileges=true$/m)
  expect(unit).not.toMatch(/^User=root$/m)
})
