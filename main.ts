#!/usr/bin/env node
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { addQueryCommands, createProgram, runProgram } from './cli/commands.ts'
import { addConfigCommands, loadConfig } from './cli/config.ts'
import { addRoleCommands, type Role } from './cli/roles.ts'
import { addStoreCommands } from './cli/store.ts'
import { systemClock as clock } from './core/clock.ts'
import { dataPaths, retentionOf, type Config } from './core/config.ts'
import { nodeFs as fs } from './core/fs.ts'
import { createLifecycle, type Part } from './core/lifecycle.ts'
import type { Intake, Logger, Metrics, TransportSender } from './core/ports.ts'

// What only a running node needs is imported when it starts, so that the command line answers at once.

const manifest = readFileSync(new URL('package.json', import.meta.url), 'utf8')
const { version } = JSON.parse(manifest) as { version: string }
const { COMMIT: commit = '', BUILD: build = '' } = process.env
const dashboardsDir = new URL('dashboards/dist', import.meta.url).pathname

interface Context {
  readonly config: Config
  readonly log: Logger
  readonly metrics: Metrics
}

const announce = (line: string) => console.log(line)
async function openStore({ config, log }: Context) {
  const retention = retentionOf(config)
  if (config.store.kind === 'memory')
    return (await import('./adapters/store-memory.ts')).createMemoryStore({ retention })
  const { openEmbeddedStore } = await import('./adapters/store-embedded/store.ts')
  return await openEmbeddedStore({ ...config.store, dir: dataPaths(config).store, retention, log })
}

/** Store, aggregator and query API, in the order in which they start. */
async function openNode(context: Context): Promise<{ parts: Part[]; intake: Intake }> {
  const { config } = context
  const { createAggregator } = await import('./aggregator/aggregator.ts')
  const { openQuarantine } = await import('./aggregator/quarantine.ts')
  const { openServer } = await import('./query-api/server.ts')
  const paths = dataPaths(config)
  const shared = {
    ...context,
    fs,
    clock,
    site: config.site,
    node: hostname(),
    store: await openStore(context),
  }
  const quarantine = await openQuarantine({ ...shared, dir: paths.quarantine })
  const aggregator = createAggregator({ ...shared, ...config.completeness, quarantine })
  const server = await openServer({
    ...shared,
    ...aggregator,
    quarantine,
    dashboardsDir,
    announce,
    randomBytes,
    adminTokenPath: paths.adminToken,
    version: { source: 'noctule', version, commit, build },
  })
  const store: Part = { name: 'store', stop: () => shared.store.close() }
  const parts = [
    store,
    { name: 'quarantine', stop: () => quarantine.close() },
    { name: 'aggregator', ...aggregator },
  ]
  return { parts: [...parts, server], intake: aggregator.intake }
}

async function openSenders(config: Config, intake?: Intake): Promise<Map<string, TransportSender>> {
  const { createHttpSender } = await import('./adapters/transport-http.ts')
  const { createMemoryTransport } = await import('./adapters/transport-memory.ts')
  const { destinations } = config.collector
  if (destinations.length > 0 || intake === undefined)
    return new Map(destinations.map((to) => [to.name, createHttpSender(to)]))
  return new Map([['local', createMemoryTransport(intake, { site: config.site, sender: 'this process' })]])
}

async function run(role: Role, options: { config?: string }): Promise<void> {
  const config = loadConfig(options.config, process.env)
  const { createLogger } = await import('./adapters/logger.ts')
  const { createPrometheusMetrics } = await import('./adapters/metrics-prometheus.ts')
  const context: Context = { config, log: createLogger(config.log), metrics: createPrometheusMetrics() }
  const node = role === 'collector' ? undefined : await openNode(context)
  const parts = node?.parts ?? []
  if (role !== 'site') {
    const { openCollector } = await import('./collectors/open.ts')
    const senders = await openSenders(config, node?.intake)
    const { stdin } = process
    const dir = dataPaths(config).spool
    parts.push(
      await openCollector({ ...context, config: config.collector, senders, fs, dir, clock, stdin, announce }),
    )
  }
  const exit = (code: number) => process.exit(code)
  const { log } = context
  await createLifecycle({
    parts,
    clock,
    log,
    drainMsMax: config.stopDeadlineMs,
    signals: process,
    exit,
  }).start()
}

const program = createProgram(version)
addRoleCommands(program, run)
addConfigCommands(program, process.env)
addQueryCommands(program)
addStoreCommands(program, async (options) =>
  (await import('./adapters/store-embedded/inspect.ts')).openInspection(options),
)
await runProgram(program, process.argv.slice(2))
