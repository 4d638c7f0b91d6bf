import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { type Config, parseConfig } from '../core/config.ts'
import { ServiceError } from '../core/errors.ts'
import { explained } from './help.ts'

/** Taken when no `--config` is given and it exists. */
export const DEFAULT_CONFIG_FILE = 'noctule.yaml'

/** Reads and checks the configuration; throws BAD_CONFIG. `file` undefined: the default file if it is there, else none. */
export function loadConfig(file: string | undefined, environment: NodeJS.ProcessEnv): Config {
  const path = file ?? (existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : undefined)
  if (path === undefined) return parseConfig(null, environment)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ServiceError('BAD_CONFIG', `cannot read the configuration file ${path}`, {}, error)
  }
  return parseConfig(text, environment)
}

/** The configuration as YAML, without secrets. */
function printableConfig(config: Config): string {
  const destinations = config.collector.destinations.map((destination) => ({
    ...destination,
    ...(destination.token === undefined ? {} : { token: '(secret)' }),
  }))
  return stringify({ ...config, collector: { ...config.collector, destinations } })
}

/** The option of every command that reads the configuration. */
export const CONFIG_OPTION = ['--config <file>', 'YAML file (default: ./noctule.yaml if present)'] as const

/** Adds `config check` and `config print`. */
export function addConfigCommands(program: Command, environment: NodeJS.ProcessEnv): void {
  const config = program.command('config').description('check or show the configuration')
  explained(config, { examples: ['noctule config check --config noctule.yaml'] })
  const check = config
    .command('check')
    .description('say whether the configuration is right; exit code 2 when it is not')
    .option(...CONFIG_OPTION)
    .action((options: { config?: string }) => {
      loadConfig(options.config, environment)
      process.stdout.write('the configuration is right\n')
    })
  explained(check, { examples: ['noctule config check --config noctule.yaml && systemctl restart noctule'] })
  const print = config
    .command('print')
    .description('print the configuration in force, defaults and variables included, secrets left out')
    .option(...CONFIG_OPTION)
    .action((options: { config?: string }) => {
      process.stdout.write(printableConfig(loadConfig(options.config, environment)))
    })
  explained(print, { examples: ['NOCTULE_HTTP_PORT=8700 noctule config print'] })
}
