import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { checksSchema, duration } from './config-checks.ts'
import { ServiceError } from './errors.ts'
import { parseDuration } from './query/time.ts'
import { METRIC_AGGREGATES } from './metrics/types.ts'
import type { MetricRetention } from './metrics/types.ts'
import { LEVELS } from './record.ts'
import type { Retention } from './retention.ts'

const word = z.string().min(1).max(256)
const siteName = word.regex(/^[a-z0-9][a-z0-9._-]*$/, 'expected a-z, 0-9, ".", "_" or "-", in lower case')
const host = word
const port = z.number().int().min(0).max(65_535)
const positive = z.number().int().positive()
const isPort = (text = '') => Number(text) >= 1 && Number(text) <= 65_535
/** A shorter slot than a second is not worth its files. */
const RETENTION_MS_MIN = 4_000
const durationText = duration(RETENTION_MS_MIN)
/** A partition is a class in a slot: every class costs files. */
const RETENTION_CLASSES_MAX = 32
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the token as 64 hex digits')

/** A series has 32 at most, also those that an application sends. */
const STATSD_TAGS_MAX = 16
/** Roll-ups of a minute are made of whole points. */
const FLUSH_MS = new Set([1_000, 5_000, 10_000, 30_000, 60_000])

/** Roles a token can carry. `collector` may only deliver batches and marks. */
export const ROLES = ['dashboard', 'search', 'admin', 'collector'] as const
export type Role = (typeof ROLES)[number]

const httpSchema = z
  .strictObject({
    host: host
      .default('127.0.0.1')
      .describe('Address to listen on. Loopback by default: put TLS in front before you open it.'),
    port: port.default(8600).describe('Port to listen on; 0 takes a free one.'),
  })
  .prefault({})

const filesSchema = z.strictObject({
  paths: z.array(z.string().min(1)).min(1).describe('Files or globs (`*`, `**`, `?`, `{a,b}`) to follow.'),
  exclude: z.array(z.string().min(1)).default([]).describe('Globs of files that are not followed.'),
  service: word.optional().describe('Service of lines that do not name one.'),
  tier: word.optional().describe('Tier of the host or file.'),
  labels: z
    .record(word, z.string().max(1024))
    .default({})
    .describe('Fixed fields, found as `labels.<name>`.'),
})

const file = z.string().min(1)
/** Part of the names of topics and indices. */
const prefix = word.regex(/^[a-z0-9][a-z0-9_-]*$/, 'expected a-z, 0-9, "_" or "-", in lower case')

const kafkaKeys = {
  brokers: z.array(host).min(1).describe('`host:port` of some of the brokers.'),
  prefix: prefix
    .default('noctule')
    .describe('Topics are `<prefix>.logs`, `<prefix>.metrics`, `<prefix>.health`.'),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).default('scram-sha-512'),
      username: word,
      passwordFile: file.describe('File that holds the password and nothing else.'),
    })
    .optional()
    .describe('How to sign in; absent: not at all.'),
  tls: z
    .strictObject({
      caFile: file.optional().describe("PEM; by default the system's authorities are trusted."),
      certFile: file.optional().describe('PEM of the own certificate, for brokers that ask for one, …'),
      keyFile: file.optional().describe('… and of its key.'),
    })
    .optional()
    .describe('Encrypted; absent: not.'),
  topics: z
    .strictObject({
      partitions: positive
        .max(1_024)
        .default(8)
        .describe('Most aggregators that can share the work. A power of two is best.'),
      replication: positive
        .max(16)
        .nullable()
        .default(null)
        .describe(
          "Copies of each partition: 3, with `min.insync.replicas` 2, is safe. null: the broker's default.",
        ),
      retention: durationText
        .default('6h')
        .describe('The outage budget: what no aggregator took by then is lost, and told as a gap.'),
      segment: durationText.default('15m').describe('Retention is kept to within this.'),
    })
    .prefault({})
    .describe('How topics are made that are not there. Topics that are there are only checked.'),
}
const kafkaSchema = z.strictObject(kafkaKeys)

const destinationSchema = z
  .strictObject({
    name: word.describe('Name of its acknowledge cursor; do not change it while batches wait.'),
    url: z.url().optional().describe('Base URL of a Noctule node that takes batches, …'),
    token: word.optional().describe('… and a token with the role `collector` at that node; or else:'),
    kafka: kafkaSchema.optional().describe('The Kafka of the site.'),
  })
  .refine(
    ({ url, token, kafka }) =>
      kafka === undefined ? url !== undefined && token !== undefined : !(url ?? token),
    { message: 'expected `url` and `token`, or `kafka`' },
  )

const statsdSchema = z
  .strictObject({
    enabled: z.boolean().default(true),
    host: host
      .default('127.0.0.1')
      .describe('UDP address to listen on. Whoever reaches it can write metrics: it asks for no credential.'),
    port: port.default(8125).describe('UDP port to listen on; 0 takes a free one.'),
    socket: z
      .string()
      .min(1)
      .max(107)
      .optional()
      .describe(
        'Also listen on this Unix datagram socket, which loses nothing (Linux). Every user of the host may send to it: its mode is 0666.',
      ),
    flush: duration(1_000)
      .default('10s')
      .describe('Width of the points that are made, aligned to the clock: 1s, 5s, 10s, 30s or 60s.'),
    receiveBufferBytes: positive
      .max(256 << 20)
      .default(4 << 20)
      .describe('Asked of the kernel, which may allow less (`net.core.rmem_max`).'),
    seriesMax: positive
      .max(2_000_000)
      .default(100_000)
      .describe('Live series; more are counted as lost, with the names that grew.'),
    seriesPerNameMax: positive.max(2_000_000).default(20_000).describe('… and of one metric name.'),
    lateMax: duration(1_000)
      .default('10m')
      .describe('A metric that brings a time may be this old; older ones count as lost.'),
    tags: z
      .record(word, z.string().max(200))
      .refine((tags) => Object.keys(tags).length <= STATSD_TAGS_MAX, {
        message: `expected at most ${STATSD_TAGS_MAX} tags`,
      })
      .default({})
      .describe('Added to every series.'),
  })
  .refine(({ flush }) => FLUSH_MS.has(parseDuration(flush)), {
    message: '`flush`: expected 1s, 5s, 10s, 30s or 60s',
  })
  .prefault({})
  .describe('Takes statsd and DogStatsD.')

const collectorSchema = z
  .strictObject({
    id: word
      .optional()
      .describe('Persistent id; by default made at the first start and kept in the data directory.'),
    host: word.default(() => hostname()).describe('Name of this host in every record.'),
    files: z
      .array(filesSchema)
      .default([{ paths: ['/var/log/**/*.log'], exclude: [], labels: {} }])
      .describe('Log files to follow. They are read from their start the first time they are seen.'),
    stdin: z
      .strictObject({ service: word.optional(), labels: z.record(word, z.string()).default({}) })
      .optional()
      .describe('Also read lines from standard input (`noctule collector < log`).'),
    tier: siteName
      .optional()
      .describe('Role of this host in its site: `webhead`, `database`, …; files may say another.'),
    statsd: statsdSchema,
    health: z
      .strictObject({
        every: duration(200, 60_000).default('1s').describe('How often facts and checks are reported.'),
      })
      .prefault({})
      .describe('Facts of this host and its checks.'),
    checks: checksSchema.describe('What this host looks at, beside its own facts.'),
    destinations: z
      .array(destinationSchema)
      .max(3)
      .default([])
      .describe(
        'Nodes that get every batch, each with its own acknowledge cursor. Empty: the aggregator in this process.',
      ),
    lineBytesMax: positive
      .min(256)
      .max(8 << 20)
      .default(256 << 10)
      .describe('Longer lines are cut here and marked.'),
    batch: z
      .strictObject({
        bytesMax: positive
          .min(1024)
          .max(16 << 20)
          .default(512 << 10)
          .describe('A batch is closed at this many bytes of lines, …'),
        recordsMax: positive.max(100_000).default(5_000).describe('… at this many lines, …'),
        ageMsMax: positive.max(60_000).default(100).describe('… or when its first line is this old.'),
      })
      .prefault({}),
    spool: z
      .strictObject({
        bytesMax: positive
          .min(4 << 20)
          .default(2 ** 30)
          .describe('Disk for batches that wait. When full, file sources hold: the file is the queue.'),
      })
      .prefault({}),
  })
  .prefault({})

const elasticsearchSchema = z
  .strictObject({
    nodes: z.array(z.url()).min(1).describe('Base URLs of the nodes.'),
    prefix: prefix.default('noctule').describe('Indices are `<prefix>-logs-…` and `<prefix>-ledger`.'),
    apiKeyFile: file.optional().describe('File that holds an encoded API key; or else:'),
    username: word.optional(),
    passwordFile: file.optional().describe('File that holds the password.'),
    caFile: file.optional().describe("PEM; by default the system's authorities are trusted."),
    shards: positive.max(128).default(1).describe('Primary shards of each new index.'),
    replicas: z.number().int().min(0).max(8).default(1).describe('Copies of each shard besides the first.'),
    refreshMs: positive
      .max(10_000)
      .default(500)
      .describe('How soon records are searchable; a batch is acknowledged only then.'),
    requestTimeoutMs: positive.min(1_000).default(60_000).describe('A slow bulk request can take 15 s.'),
  })
  .refine(
    ({ apiKeyFile, username, passwordFile }) => apiKeyFile === undefined || !(username ?? passwordFile),
    {
      message: 'expected `apiKeyFile`, or `username` and `passwordFile`',
    },
  )
  .refine(({ username, passwordFile }) => (username === undefined) === (passwordFile === undefined), {
    message: 'expected both `username` and `passwordFile`',
  })

const storeSchema = z
  .strictObject({
    kind: z
      .enum(['embedded', 'memory', 'elasticsearch'])
      .default('embedded')
      .describe('`embedded` keeps records in the data directory; `memory` forgets them at stop.'),
    elasticsearch: elasticsearchSchema.optional().describe('With `kind: elasticsearch`.'),
    segmentRecords: positive
      .min(100)
      .max(1_000_000)
      .default(131_072)
      .describe('Records in the hot table before they are sealed into a segment.'),
    segmentAgeMsMax: positive
      .default(3_600_000)
      .describe('A hot table older than this is sealed, however small.'),
    memoryMbMax: positive
      .min(64)
      .default(384)
      .describe('Memory limit of the query engine in MiB (the process needs more).'),
    threads: positive.max(64).default(2).describe('Threads of the query engine.'),
  })
  .refine(({ kind, elasticsearch }) => kind !== 'elasticsearch' || elasticsearch !== undefined, {
    message: '`kind: elasticsearch` needs `elasticsearch.nodes`',
  })
  .prefault({})

const sourceClusterSchema = z.strictObject({
  site: siteName.describe(
    'Site whose collectors produce to it; stamped on everything that comes from there.',
  ),
  ...kafkaKeys,
})

const names = z.array(word).min(1).optional()
const retentionClassSchema = z.strictObject({
  name: siteName.describe('Name of the class; do not give it to other records later.'),
  maxAge: durationText.describe('Records are gone after this: `6h`, `3d`, …'),
  bytesMax: positive
    .min(1 << 20)
    .nullable()
    .default(null)
    .describe('The oldest partitions of the class go when it is larger on disk.'),
  sites: names.describe('Only records of these sites.'),
  services: names.describe('Only records of these services.'),
  levels: z
    .array(z.enum(['', ...LEVELS]))
    .min(1)
    .optional()
    .describe('Only records of these levels; "" is a line that names none.'),
  paths: names.describe('Only records from files that match one of these globs.'),
})

const retentionSchema = z
  .strictObject({
    classes: z
      .array(retentionClassSchema)
      .min(1)
      .max(RETENTION_CLASSES_MAX)
      .refine((classes) => new Set(classes.map(({ name }) => name)).size === classes.length, {
        message: 'expected every class to have another name',
      })
      .default([
        { name: 'debug', maxAge: '6h', bytesMax: null, levels: ['debug', 'trace'] },
        { name: 'errors', maxAge: '14d', bytesMax: null, levels: ['fatal', 'error'] },
        { name: 'logs', maxAge: '3d', bytesMax: null },
      ])
      .describe('Tried in this order; the last one takes every record that no other took.'),
    bytesMax: positive
      .min(16 << 20)
      .nullable()
      .default(20 * 2 ** 30)
      .describe('The oldest partitions go when all records together are larger on disk; null: no cap.'),
  })
  .prefault({})

const metricsSchema = z
  .strictObject({
    retention: z
      .strictObject({
        raw: duration(3_600_000).default('2d').describe('Points as they came, 10 s wide by default.'),
        minute: duration(3_600_000).default('14d').describe('Points of a minute.'),
        hour: duration(3_600_000).default('30d').describe('Points of an hour.'),
      })
      .prefault({})
      .refine(
        ({ raw, minute, hour }) =>
          parseDuration(raw) <= parseDuration(minute) && parseDuration(minute) <= parseDuration(hour),
        { message: 'expected raw ≤ minute ≤ hour' },
      )
      .describe('How long points are kept.'),
    seriesMax: positive
      .max(10_000_000)
      .default(1_000_000)
      .describe('Series of a day; points of more are refused and counted.'),
    selfTo: z
      .string()
      .regex(/^[^:]+:\d{1,5}$/, 'expected host:port')
      .refine((address) => isPort(address.split(':')[1]), 'expected a port from 1 to 65535')
      .nullable()
      .optional()
      .describe(
        'Where this process sends its own numbers as DogStatsD; null: nowhere. By default to `collector.statsd`. `/metrics` has them, too.',
      ),
  })
  .prefault({})
  .describe('What is kept of metrics.')

const boardChartSchema = z.strictObject({
  title: word,
  metric: word.describe('Name of the metric, …'),
  tags: z
    .array(z.string().max(512))
    .max(16)
    .default([])
    .describe('… only series with these: `env:prod`, `!host:web-1`, `queue:a*`.'),
  by: z.array(word).max(4).default([]).describe('Tags to split by.'),
  aggregate: z.enum(METRIC_AGGREGATES).optional().describe('By default what suits the kind of the metric.'),
})

const boardSchema = z.strictObject({
  name: siteName.describe('In the address of its page.'),
  title: word,
  charts: z.array(boardChartSchema).min(1).max(64),
})

const querySchema = z
  .strictObject({
    timeoutMs: positive.default(5_000).describe('Deadline of a query unless it brings its own.'),
    limitMax: positive.default(10_000).describe('Most records in one page.'),
    concurrencyMax: positive.default(8).describe('Queries that run at once; more wait.'),
    queueMax: positive.default(64).describe('Queries that wait; more are answered 429.'),
    tailsMax: positive.default(64).describe('Live tails at once.'),
  })
  .prefault({})

const tokenSchema = z.strictObject({
  name: word,
  sha256: sha256.describe('SHA-256 of the token, in hex: `printf %s "$TOKEN" | sha256sum`.'),
  role: z.enum(ROLES),
  site: siteName.optional().describe("Site stamped on what this token delivers; by default this node's."),
})

/** The whole configuration. Every key has a default; `docs/reference/configuration.md` is generated from it. */
export const configSchema = z.strictObject({
  site: siteName.default('local').describe('Name of the data centre that this node stands in.'),
  dataDir: z.string().min(1).default('./data').describe('Folder for everything that is kept.'),
  http: httpSchema.describe('Where the query API and the dashboards are served.'),
  collector: collectorSchema.describe('What is collected on this host.'),
  kafka: z
    .strictObject({
      groupId: word
        .optional()
        .describe(
          'Consumer group; by default one per store. Aggregators that share a store share the group.',
        ),
      clusters: z
        .array(sourceClusterSchema)
        .max(64)
        .default([])
        .refine((clusters) => new Set(clusters.map(({ site }) => site)).size === clusters.length, {
          message: 'expected every cluster to have another site',
        })
        .describe('Kafka clusters that an aggregator reads, each with the records of one site.'),
    })
    .prefault({})
    .describe('What an aggregator takes besides what is delivered to it over HTTP.'),
  holds: z
    .array(siteName)
    .min(1)
    .optional()
    .describe(
      'Sites whose records stand in the store; answers name each of them, also when it is gone. By default the sites of `kafka.clusters`, or else this site and those of the tokens that deliver.',
    ),
  store: storeSchema.describe('Where records are kept.'),
  retention: retentionSchema.describe('How long records are kept.'),
  metrics: metricsSchema,
  tiers: z
    .record(
      siteName,
      z.strictObject({
        hosts: z
          .array(word)
          .max(10_000)
          .default([])
          .describe('Names of its hosts: one that is not heard of is `missing`.'),
        expected: z
          .number()
          .int()
          .min(0)
          .optional()
          .describe(
            'How many hosts it should have, where their names change; by default as many as `hosts` names.',
          ),
      }),
    )
    .default({})
    .describe('What should be there.'),
  boards: z
    .array(boardSchema)
    .max(100)
    .default([])
    .refine((boards) => new Set(boards.map(({ name }) => name)).size === boards.length, {
      message: 'expected every board to have another name',
    })
    .describe('Pages of charts, besides the built-in ones.'),
  query: querySchema.describe('Bounds of queries.'),
  completeness: z
    .strictObject({
      settleMs: positive
        .default(3_000)
        .describe('An answer need not cover the newest part of its range, up to this.'),
      silentAfterMs: positive
        .default(5_000)
        .describe('A collector without a mark for this long is a gap `silent`.'),
    })
    .prefault({}),
  access: z
    .strictObject({ tokens: z.array(tokenSchema).default([]) })
    .prefault({})
    .describe('Machine tokens, stored as hashes.'),
  log: z
    .strictObject({ level: z.enum(LEVELS).default('info') })
    .prefault({})
    .describe("The program's own log (JSON on standard error)."),
  stopDeadlineMs: positive
    .default(10_000)
    .describe('How long SIGTERM may drain before the program ends anyway.'),
})

export type Config = z.infer<typeof configSchema>
export type KafkaConfig = z.infer<typeof kafkaSchema>
export type ElasticsearchConfig = z.infer<typeof elasticsearchSchema>
export type StatsdConfig = Config['collector']['statsd']
export type BoardConfig = Config['boards'][number]
export type FilesConfig = Config['collector']['files'][number]

/** Environment variables and the key that each sets. */
export const ENVIRONMENT = {
  NOCTULE_SITE: ['site'],
  NOCTULE_DATA_DIR: ['dataDir'],
  NOCTULE_HTTP_HOST: ['http', 'host'],
  NOCTULE_HTTP_PORT: ['http', 'port'],
  NOCTULE_LOG_LEVEL: ['log', 'level'],
  NOCTULE_STORE: ['store', 'kind'],
  NOCTULE_STATSD_HOST: ['collector', 'statsd', 'host'],
  NOCTULE_STATSD_PORT: ['collector', 'statsd', 'port'],
  NOCTULE_TIER: ['collector', 'tier'],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** Variables that start with NOCTULE_ but configure the command line or the build, not the program. */
const OTHER_VARIABLES = new Set([
  'NOCTULE_URL',
  'NOCTULE_TOKEN',
  'NOCTULE_REQUIRE_ENGINES',
  'NOCTULE_REQUIRE_BROWSER',
])

/**
 * YAML text (null: no file) and environment → configuration. Relative paths are taken from the working directory.
 * Throws BAD_CONFIG whose message has a line per problem: path, what was found, what was expected.
 */
export function parseConfig(
  yaml: string | null,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const raw = yaml === null ? {} : parseYaml(yaml)
  const problems = applyEnvironment(raw, environment)
  const parsed = configSchema.safeParse(raw, { reportInput: true })
  if (!parsed.success) problems.push(...parsed.error.issues.map(describeIssue))
  if (problems.length > 0 || !parsed.success) {
    throw new ServiceError(
      'BAD_CONFIG',
      `the configuration is wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    )
  }
  return parsed.data
}

/** The sites whose records stand in the store. */
export function heldSites({ site, holds, kafka, access }: Config): readonly string[] {
  if (holds !== undefined) return [...new Set(holds)]
  if (kafka.clusters.length > 0) return kafka.clusters.map((cluster) => cluster.site)
  const delivering = access.tokens.filter(({ role }) => role === 'collector')
  return [...new Set([site, ...delivering.map((token) => token.site ?? site)])]
}

/** The retention policy as the stores take it. */
export function retentionOf({ retention }: Pick<Config, 'retention'>): Retention {
  const classes = retention.classes.map(({ name, maxAge, bytesMax, ...match }) => ({
    name,
    maxAgeMs: parseDuration(maxAge),
    bytesMax,
    match,
  }))
  return { classes, bytesMax: retention.bytesMax }
}

/** How long metric points of each width are kept, in ms. */
export function metricRetentionOf({ metrics }: Pick<Config, 'metrics'>): MetricRetention {
  const { raw, minute, hour } = metrics.retention
  return { raw: parseDuration(raw), minute: parseDuration(minute), hour: parseDuration(hour) }
}

/** Paths inside the data directory. */
export function dataPaths(config: Pick<Config, 'dataDir'>) {
  const at = (name: string) => join(config.dataDir, name)
  return {
    adminToken: at('admin-token'),
    spool: at('spool'),
    collector: at('collector'),
    store: at('store'),
    metrics: at('metrics'),
    quarantine: at('quarantine'),
    storeId: at('store-id'),
  }
}

function parseYaml(text: string): Record<string, unknown> {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error !== undefined)
    throw new ServiceError('BAD_CONFIG', `the configuration is not YAML: ${error.message}`)
  const value: unknown = document.toJS() ?? {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ServiceError('BAD_CONFIG', 'the configuration must be a mapping of keys to values')
  }
  return value as Record<string, unknown>
}

function applyEnvironment(
  raw: Record<string, unknown>,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const problems: string[] = []
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('NOCTULE_') || value === undefined || OTHER_VARIABLES.has(name)) continue
    const path = Object.hasOwn(ENVIRONMENT, name) ? ENVIRONMENT[name as keyof typeof ENVIRONMENT] : undefined
    if (path === undefined)
      problems.push(`${name}: unknown variable; known are ${Object.keys(ENVIRONMENT).join(', ')}`)
    else setAt(raw, path, name.endsWith('PORT') && /^\d+$/.test(value) ? Number(value) : value)
  }
  return problems
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = target
  for (const key of path.slice(0, -1)) {
    const next = at[key]
    at = (typeof next === 'object' && next !== null ? next : (at[key] = {})) as Record<string, unknown>
  }
  const last = path.at(-1)
  if (last !== undefined) at[last] = value
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const path =
    issue.path
      .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
      .join('')
      .replace(/^\./, '') || '(top)'
  if (issue.code === 'unrecognized_keys')
    return `${path}: unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}`
  const message = issue.message.replace(/^Invalid input: /, '')
  // A whole section may hold a token.
  if (issue.code === 'custom' && typeof issue.input === 'object') return `${path}: ${message}`
  return `${path}: found ${JSON.stringify(issue.input) ?? 'nothing'}; ${message}`
}
