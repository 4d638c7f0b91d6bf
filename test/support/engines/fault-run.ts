import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { allMessages, compareOnce, search, untilFound } from '../answers.ts'
import { writeUnderLoad } from '../crash-run.ts'
import { type Program, startProgram, until } from '../program.ts'
import { seededRandom } from '../random.ts'
import { createWorkspace } from '../workspace.ts'
import { type ElasticsearchNode, startElasticsearch } from './elasticsearch.ts'
import { type KafkaBroker, startKafka } from './kafka.ts'
import { randomPrefix } from './prefix.ts'

/** Own engines, for tests that break them. */
export interface OwnEngines extends AsyncDisposable {
  readonly kafka: KafkaBroker
  readonly elasticsearch: ElasticsearchNode
}

export async function startOwnEngines(): Promise<OwnEngines> {
  const [kafka, elasticsearch] = await Promise.all([startKafka(), startElasticsearch({ heapMb: 512 })])
  return {
    kafka,
    elasticsearch,
    async [Symbol.asyncDispose]() {
      await Promise.all([kafka[Symbol.asyncDispose](), elasticsearch[Symbol.asyncDispose]()])
    },
  }
}

/** What a fault can do while lines are written, shipped and stored. */
export interface FaultWorld extends OwnEngines {
  /** Names of topics and indices start with it. */
  readonly prefix: string
  readonly random: () => number
  readonly aggregators: Program[]
  /** Starts one more aggregator; `changes` replace sections of its configuration. */
  startAggregator(changes?: Readonly<Record<string, object>>): Promise<Program>
}

const SITE = 'eu'
/** Some 1,500 lines a second: faults last for minutes here. */
const WRITE_EVERY_MS = 30
/** Kafka notices a dead member after its session; Elasticsearch's client waits for a node that is away. */
const HEALED_WITHIN_MS = 90_000

/**
 * A collector → Kafka → aggregators → Elasticsearch ← query process. Lines are written until `faults` is done; then every line must
 * be found exactly once, and the answer become complete. Returns what differs.
 */
export async function faultRun(engines: OwnEngines, faults: (world: FaultWorld) => Promise<void>) {
  const prefix = randomPrefix()
  const config = configOf(engines, prefix, [{ paths: ['{logs}/*.log'] }])
  using workspace = createWorkspace(stringify(config))
  function start(name: string, role: 'aggregator' | 'collector' | 'query', changes: object = {}) {
    const configFile = join(workspace.dir, `${name}.yaml`)
    writeFileSync(configFile, stringify({ ...config, ...changes }).replaceAll('{logs}', workspace.logs))
    return startProgram({ dataDir: join(workspace.dir, name), configFile, role })
  }
  const query = await start('query', 'query')
  const collector = await start('collector', 'collector')
  const aggregators: Program[] = []
  let started = 0
  async function startAggregator(changes: Readonly<Record<string, object>> = {}) {
    const aggregator = await start(`aggregator-${started++}`, 'aggregator', changes)
    aggregators.push(aggregator)
    return aggregator
  }
  await startAggregator()
  const stop = new AbortController()
  const random = seededRandom(1)
  const writing = writeUnderLoad(workspace.logs, random, stop.signal, WRITE_EVERY_MS)
  try {
    await faults({ ...engines, prefix, random, aggregators, startAggregator })
  } finally {
    stop.abort()
    await writing
  }
  const written = await writing
  const found = await untilHealed(query, written)
  for (const program of [collector, ...aggregators, query]) await program.stop()
  return { written: written.length, difference: compareOnce(written, found) }
}

/** One process that does everything over these engines; the same file serves processes with one role each. */
export function configOf(
  { kafka: broker, elasticsearch }: OwnEngines,
  prefix: string,
  files: readonly object[],
) {
  const kafka = { brokers: [broker.brokers], prefix, topics: { partitions: 4, replication: 1 } }
  const { url } = elasticsearch
  return {
    site: SITE,
    kafka: { clusters: [{ site: SITE, ...kafka }] },
    store: { kind: 'elasticsearch', elasticsearch: { nodes: [url], prefix, replicas: 0 } },
    collector: {
      host: 'web-1',
      files,
      destinations: [{ name: 'kafka', kafka }],
    },
  }
}

async function untilHealed(query: Program, written: readonly string[]): Promise<string[]> {
  await untilFound(query, 'crashrun', written.length, HEALED_WITHIN_MS)
  const found = await allMessages(query, 'crashrun')
  await until(
    async () =>
      (await search(query, '', { from: 'now-15m', to: 'now', limit: '1' })).meta.complete ? true : undefined,
    HEALED_WITHIN_MS,
    () => query.output().slice(-2_000),
    500,
  )
  return found
}

/** kill −9 of the newest aggregator at a random moment, and another in its place, so many times. */
export async function killAggregators(world: FaultWorld, kills: number): Promise<void> {
  for (let i = 0; i < kills; i++) {
    await sleep(500 + world.random() * 1_500)
    await world.aggregators.pop()?.kill()
    await world.startAggregator()
  }
}

/** Another aggregator reads the topic from its start, as a group of its own and under another policy, instead of the newest one. */
export async function redeliver(world: FaultWorld, turn: number): Promise<void> {
  await world.aggregators.pop()?.stop()
  const { brokers } = world.kafka
  const cluster = {
    site: SITE,
    brokers: [brokers],
    prefix: world.prefix,
    topics: { partitions: 4, replication: 1 },
  }
  await world.startAggregator({
    kafka: { groupId: `again-${turn}`, clusters: [cluster] },
    retention: { classes: [{ name: `class-${turn}`, maxAge: '3d' }] },
  })
}
