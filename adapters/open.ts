import { readFile } from 'node:fs/promises'
import { dataPaths, heldSites, metricRetentionOf, retentionOf } from '../core/config.ts'
import type { Config, ElasticsearchConfig, KafkaConfig } from '../core/config.ts'
import { ServiceError, messageOf } from '../core/errors.ts'
import type { Part } from '../core/lifecycle.ts'
import { parseDuration } from '../core/query/time.ts'
import type {
  Clock,
  Fs,
  Intake,
  Logger,
  MetricStore,
  Metrics,
  Quarantine,
  Store,
  TransportSender,
} from '../core/ports.ts'
import type { KafkaHealth, KafkaIntake } from './transport-kafka.ts'

// From configuration to adapters. Each is imported when it is needed: a process with Elasticsearch never loads DuckDB.

const CLIENT_ID = 'noctule'
const STORE_ID_BYTES = 8
/** Soon enough that a mark which another process took counts before answers are asked for its time. */
const FOLLOW_MS = 500

/** Takes reports of hosts, and whether those of a site can arrive. */
interface ReportTaker {
  readonly take: Intake['health']
  readonly hearing: (site: string, hears: boolean) => void
}

export interface Surroundings {
  readonly config: Config
  readonly clock: Clock
  readonly fs: Fs
  readonly log: Logger
  readonly metrics: Metrics
  readonly randomBytes: (size: number) => Buffer
}

/** How often the store's ledger has to be read again (ms): other processes write to a shared one. null: nobody else does. */
export function ledgerFollowMs({ store }: Config): number | null {
  return store.kind === 'elasticsearch' ? FOLLOW_MS : null
}

/** Throws BAD_CONFIG for files of secrets that cannot be read, and DATA_DIR_IN_USE. */
export async function openStore({ config, clock, log }: Surroundings): Promise<Store> {
  const retention = retentionOf(config)
  const { elasticsearch, kind } = config.store
  if (kind === 'memory') return (await import('./store-memory.ts')).createMemoryStore({ retention })
  if (kind === 'elasticsearch' && elasticsearch !== undefined) {
    const { openElasticStore } = await import('./store-elastic.ts')
    const connection = await elasticConnection(elasticsearch)
    return openElasticStore({ ...elasticsearch, ...connection, retention, clock, log })
  }
  const { openEmbeddedStore } = await import('./store-embedded/store.ts')
  return openEmbeddedStore({ ...config.store, dir: dataPaths(config).store, retention, log })
}

/** Where metrics are kept: beside the records. Throws DATA_DIR_IN_USE. */
export async function openMetricStore({ config, clock, fs, log }: Surroundings): Promise<MetricStore> {
  const retention = metricRetentionOf(config)
  const { seriesMax } = config.metrics
  const { elasticsearch, kind } = config.store
  if (kind === 'memory') {
    const { createMemoryMetricStore } = await import('./metric-store-memory.ts')
    return createMemoryMetricStore({ retention, seriesMax, clock })
  }
  if (kind === 'elasticsearch' && elasticsearch !== undefined) {
    const { openElasticMetricStore } = await import('./metric-store-elastic.ts')
    const connection = await elasticConnection(elasticsearch)
    return openElasticMetricStore({ ...elasticsearch, ...connection, retention, seriesMax, clock, log })
  }
  const { openEmbeddedMetricStore } = await import('./metric-store-embedded.ts')
  return openEmbeddedMetricStore({ dir: dataPaths(config).metrics, retention, seriesMax, clock, fs, log })
}

/** A sender per destination; without any, batches go to `intake`, the aggregator in this process. */
export async function openSenders(
  { config, clock, log }: Surroundings,
  intake: Intake | null,
): Promise<ReadonlyMap<string, TransportSender>> {
  const { site, collector } = config
  if (collector.destinations.length === 0 && intake !== null) {
    const { createMemoryTransport } = await import('./transport-memory.ts')
    return new Map([['local', createMemoryTransport(intake, { site, sender: 'this process' })]])
  }
  const senders = new Map<string, TransportSender>()
  for (const { name, url = '', token = '', kafka } of collector.destinations) {
    if (kafka === undefined) {
      const { createHttpSender } = await import('./transport-http.ts')
      senders.set(name, createHttpSender({ url, token }))
    } else {
      const { createKafkaSender } = await import('./transport-kafka.ts')
      const to = { ...(await kafkaOptions(kafka)), site, host: collector.host }
      senders.set(name, createKafkaSender({ ...to, clock, log: log.child({ destination: name }) }))
    }
  }
  return senders
}

/** What should be there, and under which site it is listed. A process that no report can reach expects nobody: it could not know. */
export function hostsOf(
  config: Config,
  takesDeliveries: boolean,
): Pick<Config, 'tiers'> & { expectedAt: string } {
  const hears = takesDeliveries || config.kafka.clusters.length > 0
  const holds = heldSites(config)
  const [only = config.site] = holds.length === 1 ? holds : []
  return { tiers: hears ? config.tiers : {}, expectedAt: only }
}

/** Everything that reads the configured Kafka clusters; empty without any. */
export interface KafkaReaders {
  readonly parts: readonly Part[]
  readonly checks: () => readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[]
  /** True in one of the processes that read a site together. */
  leads(site: string): boolean
}

/** Reads batches where there is an intake, and reports of health in any case. */
export async function openKafkaReaders(
  context: Surroundings,
  to: { intake: Intake | null; quarantine: Quarantine; health: ReportTaker },
): Promise<KafkaReaders> {
  const { intake } = to
  const batches = intake && (await openKafkaClusters(context, { ...to, intake }))
  const health = await openHealthReader(context, to.health)
  const named = (kind: string, reader: KafkaIntake | KafkaHealth | null) =>
    (reader?.status() ?? []).map(({ cluster, ...check }) => ({ name: `${kind} ${cluster}`, ...check }))
  return {
    parts: [batches, health].filter((part) => part !== null),
    checks: () => [...named('kafka', batches), ...named('health', health)],
    leads: (site) => batches?.leads(site) ?? true,
  }
}

/** What reads the batches of the configured Kafka clusters; null: there are none. */
async function openKafkaClusters(
  { config, ...rest }: Surroundings,
  { intake, quarantine }: { intake: Intake; quarantine: Quarantine },
): Promise<KafkaIntake | null> {
  const { clusters, groupId } = config.kafka
  if (clusters.length === 0) return null
  const { openKafkaIntake } = await import('./transport-kafka.ts')
  return openKafkaIntake({
    ...rest,
    clusters: await clustersOf(config),
    groupId: groupId ?? (await defaultGroupId({ config, ...rest })),
    // Two processes cannot share a store that only one of them can open.
    exclusive: config.store.kind !== 'elasticsearch',
    intake,
    quarantine,
  })
}

/** What reads the reports of health of the configured Kafka clusters; null: there are none. */
async function openHealthReader(
  { config, clock, log, metrics, randomBytes }: Surroundings,
  health: ReportTaker,
): Promise<KafkaHealth | null> {
  const { clusters } = config.kafka
  if (clusters.length === 0) return null
  const { openKafkaHealth } = await import('./transport-kafka.ts')
  return openKafkaHealth({
    clusters: await clustersOf(config),
    groupId: `${CLIENT_ID}-health-${randomBytes(STORE_ID_BYTES).toString('hex')}`,
    take: health.take,
    onHearing: health.hearing,
    clock,
    log,
    metrics,
  })
}

function clustersOf({ kafka }: Config) {
  return Promise.all(
    kafka.clusters.map(async (cluster) => ({ site: cluster.site, ...(await kafkaOptions(cluster)) })),
  )
}

/** One group per store: what one store has taken another one may not have. */
async function defaultGroupId({
  config,
  fs,
  randomBytes,
}: Pick<Surroundings, 'config' | 'fs' | 'randomBytes'>) {
  const { elasticsearch, kind } = config.store
  if (kind === 'elasticsearch') return `${CLIENT_ID}-${elasticsearch?.prefix ?? ''}`
  const path = dataPaths(config).storeId
  if ((await fs.size(path)) === null) {
    await fs.mkdir(config.dataDir)
    await fs.replaceFile(path, Buffer.from(randomBytes(STORE_ID_BYTES).toString('hex')))
  }
  return `${CLIENT_ID}-${(await fs.readFile(path)).toString()}`
}

async function kafkaOptions({ brokers, prefix, sasl, tls, topics }: KafkaConfig) {
  const { partitions, replication, retention, segment } = topics
  const [password, ca, cert, key] = await Promise.all([
    secretOf(sasl?.passwordFile),
    textOf(tls?.caFile),
    textOf(tls?.certFile),
    textOf(tls?.keyFile),
  ])
  return {
    connection: {
      brokers,
      prefix,
      clientId: CLIENT_ID,
      sasl: sasl === undefined ? null : { ...sasl, password },
      tls: tls === undefined ? null : { ca, cert, key },
    },
    topics: {
      partitions,
      // As Kafka has it: -1 is the broker's default.
      replication: replication ?? -1,
      retentionMs: parseDuration(retention),
      segmentMs: parseDuration(segment),
    },
  }
}

async function elasticConnection(elasticsearch: ElasticsearchConfig) {
  const [auth, ca] = await Promise.all([elasticAuth(elasticsearch), textOf(elasticsearch.caFile)])
  return { auth, ca }
}

async function elasticAuth({ apiKeyFile, username, passwordFile }: ElasticsearchConfig) {
  if (apiKeyFile !== undefined) return { apiKey: await secretOf(apiKeyFile) }
  return username === undefined ? null : { username, password: await secretOf(passwordFile) }
}

/** A secret is a line: editors end it with a newline that is not part of it. */
async function secretOf(path: string | undefined): Promise<string> {
  return ((await textOf(path)) ?? '').trim()
}

async function textOf(path: string | undefined): Promise<string | null> {
  if (path === undefined) return null
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ServiceError('BAD_CONFIG', `cannot read ${path}: ${messageOf(error)}`, { path }, error)
  }
}
