#!/usr/bin/env node
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import {
  ledgerFollowMs,
  openKafkaReaders,
  hostsOf,
  openMetricStore,
  openSenders,
  openStore,
  type KafkaReaders,
  type Surroundings,
} from './adapters/open.ts'
import { addQueryCommands, createProgram, runProgram } from './cli/commands.ts'
import { addConfigCommands, loadConfig } from './cli/config.ts'
import { addRoleCommands, assertRole, type Role } from './cli/roles.ts'
import { addStoreCommands } from './cli/store.ts'
import { systemClock as clock } from './core/clock.ts'
import { dataPaths, heldSites } from './core/config.ts'
import { nodeFs as fs } from './core/fs.ts'
import { createLifecycle, type Part } from './core/lifecycle.ts'

// What only a running node needs is imported when it starts, so that the command line answers at once.

const manifest = readFileSync(new URL('package.json', import.meta.url), 'utf8')
const { version } = JSON.parse(manifest) as { version: string }
const { COMMIT: commit = '', BUILD: build = '' } = process.env
const dashboardsDir = new URL('dashboards/dist', import.meta.url).pathname

const announce = (line: string) => console.log(line)

/** Store, aggregator and query API, as far as the role has them, in the order in which they start. */
async function openNode(role: Role, context: Surroundings) {
  const { config } = context
  const { createAggregator, createOnlooker } = await import('./aggregator/aggregator.ts')
  const { openQuarantine } = await import('./aggregator/quarantine.ts')
  const { openServer } = await import('./query-api/server.ts')
  const paths = dataPaths(config)
  const stores = { store: await openStore(context), metricStore: await openMetricStore(context) }
  const kept = { ...context, ...stores, site: config.site, node: hostname() }
  const quarantine = await openQuarantine({ ...kept, dir: paths.quarantine })
  const options = {
    ...kept,
    ...config.completeness,
    ...hostsOf(config, role !== 'query'),
    tells: (site: string) => kafka.leads(site),
    quarantine,
    followMs: ledgerFollowMs(config),
  }
  const aggregator = role === 'query' ? createOnlooker(options) : createAggregator(options)
  const { intake } = aggregator
  const kafka: KafkaReaders = await openKafkaReaders(context, { ...aggregator, quarantine })
  const server = await openServer({
    ...options,
    ...aggregator,
    holds: heldSites(config),
    answers: role !== 'aggregator',
    checks: kafka.checks,
    dashboardsDir,
    announce,
    adminTokenPath: paths.adminToken,
    version: { source: 'noctule', version, commit, build },
  })
  const parts: Part[] = [
    { name: 'store', stop: () => stores.store.close() },
    { name: 'metric store', stop: () => stores.metricStore.close() },
    { name: 'quarantine', stop: () => quarantine.close() },
    { name: 'aggregator', ...aggregator },
    server,
  ]
  return { parts: [...parts, ...kafka.parts], intake }
}

async function run(role: Role, options: { config?: string }): Promise<void> {
  const config = loadConfig(options.config, process.env)
  assertRole(role, config)
  const { createLogger } = await import('./adapters/logger.ts')
  const { createPrometheusMetrics } = await import('./adapters/metrics-prometheus.ts')
  const { createStatsdMetrics, selfAddress } = await import('./adapters/metrics-statsd.ts')
  const log = createLogger(config.log)
  const metrics = createStatsdMetrics({ inner: createPrometheusMetrics(), tags: { role }, clock, log })
  const context = { config, log, metrics, fs, clock, randomBytes }
  const node = role === 'collector' ? { parts: [], intake: null } : await openNode(role, context)
  const parts: Part[] = [...node.parts]
  let statsdPort = (): number | null => null
  if (role === 'all' || role === 'collector') {
    const { openCollector } = await import('./collectors/open.ts')
    const senders = await openSenders(context, node.intake)
    const { stdin } = process
    const dir = dataPaths(config).spool
    const own = { config: config.collector, version }
    const collector = await openCollector({ ...context, ...own, senders, dir, stdin, announce })
    statsdPort = () => collector.statsdPort()
    parts.push(collector)
  }
  parts.push(metrics.sender(() => selfAddress(config, statsdPort())))
  const exit = (code: number) => process.exit(code)
  const drainMsMax = config.stopDeadlineMs
  await createLifecycle({ parts, clock, log, drainMsMax, signals: process, exit }).start()
}

const program = createProgram(version)
addRoleCommands(program, run)
addConfigCommands(program, process.env)
addQueryCommands(program)
addStoreCommands(program, async (options) =>
  (await import('./adapters/store-embedded/inspect.ts')).openInspection(options),
)
await runProgram(program, process.argv.slice(2))
