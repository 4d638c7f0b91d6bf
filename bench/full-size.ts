/**
 * Kafka → aggregator → Elasticsearch, with Elasticsearch on one core, Kafka and the aggregator on the other: `RECORDS` (1000000)
 * documents, first from bulk bodies that are ready (what Elasticsearch takes), then out of Kafka (what is left of that). Then a
 * file of `MB` (500) MB → collector → Kafka.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import { stringify } from 'yaml'
import { createDocumentLines } from '../adapters/store-elastic/documents.ts'
import { openElasticStore } from '../adapters/store-elastic.ts'
import { createKafkaSender, openKafkaIntake } from '../adapters/transport-kafka.ts'
import { enrichBatch } from '../aggregator/enrich/enrich.ts'
import { systemClock } from '../core/clock.ts'
import { KEEP_ALL } from '../core/retention.ts'
import { type BatchHeader, decodeFrame, encodeFrame, openFrame } from '../core/wire.ts'
import { startElasticsearch } from '../test/support/engines/elasticsearch.ts'
import { startKafka } from '../test/support/engines/kafka.ts'
import { generateLines } from '../test/support/generator.ts'
import { startProgram, until } from '../test/support/program.ts'
import { quietLog } from '../test/support/quiet-log.ts'
import { createListQuarantine, noMetrics } from '../test/support/aggregator.ts'
import { cpuSeconds, report, rounded, rssPeakMib } from './support.ts'

const RECORDS = Number(process.env['RECORDS'] ?? 1_000_000)
const MB = Number(process.env['MB'] ?? 500)
const LINES_PER_BATCH = 1_000
const BODY_CHARS = 5_000_000
const BULKS_IN_FLIGHT = 3
const SITE = 'eu'
const ELASTICSEARCH_CORE = '0'
const OUR_CORE = '1'
const never = new AbortController().signal

const base = mkdtempSync(join(tmpdir(), 'noctule-bench-'))
const prefix = 'noctule-bench'

/** From now on this process runs on one core, all of its threads. */
function pin(core: string): void {
  execFileSync('taskset', ['-acp', core, String(process.pid)], { stdio: 'ignore' })
}

/** Frames of `LINES_PER_BATCH` lines, as a collector makes them. */
async function* frames(records: number): AsyncGenerator<Buffer> {
  const lines = generateLines({ seed: 42, timeMs: () => Date.now() })
  const content = { sources: [{ path: '/srv/shop/app.log' }], drops: [], tombstones: [] }
  for (let seq = 1; seq <= records / LINES_PER_BATCH; seq++) {
    const text = Array.from({ length: LINES_PER_BATCH }, () => `${lines.next().value}\n`).join('')
    const body = Buffer.from(text)
    const nowMs = Date.now()
    const run = { source: 0, offset: 0, bytes: body.length, lines: LINES_PER_BATCH, readAtMs: nowMs }
    const who = { collector: 'bench', host: `web-${seq % 16}`, epoch: '0'.repeat(32), seq }
    const when = { createdAtMs: nowMs, fromMs: nowMs, toMs: nowMs + 1, utcOffsetMin: 0 }
    const size = { records: LINES_PER_BATCH, bodyBytes: body.length, runs: [run] }
    const header: BatchHeader = { v: 1, kind: 'lines', ...who, ...when, ...size, ...content }
    yield await encodeFrame(header, body)
  }
}

/** The documents that an aggregator makes of the frames, as bulk bodies of some 5 MB for one index. */
async function bulkBodies(records: number, index: string): Promise<Buffer[]> {
  const linesOf = createDocumentLines()
  const bodies: Buffer[] = []
  let body = ''
  for await (const frame of frames(records)) {
    const batch = await decodeFrame(frame)
    const context = { site: SITE, ingestedMs: Date.now(), yieldNow: async () => {} }
    const place = { alias: index, digest: batch.digest, batch: String(batch.header.seq), arrival: 1 }
    for (const record of await enrichBatch(batch, context)) body += linesOf(record, place)
    if (body.length < BODY_CHARS) continue
    bodies.push(Buffer.from(body))
    body = ''
  }
  return body === '' ? bodies : [...bodies, Buffer.from(body)]
}

async function elastic(url: string, path: string, method: string, body?: Buffer): Promise<string> {
  const headers = { 'content-type': 'application/x-ndjson' }
  const response = await fetch(url + path, {
    method,
    ...(body === undefined ? {} : { headers, body: new Uint8Array(body) }),
  })
  const text = await response.text()
  if (!response.ok || text.includes('"errors":true')) throw new Error(text.slice(0, 2_000))
  return text
}

/** Documents a second that Elasticsearch takes when its client has nothing to do. */
async function premade(url: string): Promise<number> {
  // Puts the templates, so that both are measured with the same mappings.
  const retention = KEEP_ALL
  const more = {
    auth: null,
    ca: null,
    shards: 1,
    replicas: 0,
    refreshMs: 500,
    requestTimeoutMs: 60_000,
    retention,
  }
  await (await openElasticStore({ nodes: [url], prefix, ...more, clock: systemClock, log: quietLog })).close()
  const index = `${prefix}-logs-premade`
  const bodies = await bulkBodies(RECORDS, index)
  const warm = bodies.splice(0, Math.ceil(bodies.length / 5))
  const sendAll = async (all: Buffer[]) => {
    const next = all.values()
    const work = async () => {
      for (const body of next) await elastic(url, '/_bulk', 'POST', body)
    }
    await Promise.all(Array.from({ length: BULKS_IN_FLIGHT }, work))
  }
  await sendAll(warm)
  await elastic(url, `/${index}/_refresh`, 'POST')
  const before = await countDocuments(url)
  const started = performance.now()
  await sendAll(bodies)
  const seconds = (performance.now() - started) / 1_000
  await elastic(url, `/${index}/_refresh`, 'POST')
  const rate = ((await countDocuments(url)) - before) / seconds
  await elastic(url, `/${index}`, 'DELETE')
  return rate
}

async function countDocuments(url: string): Promise<number> {
  return (JSON.parse(await elastic(url, `/${prefix}-logs-*/_count`, 'GET')) as { count: number }).count
}

function configFile(name: string, config: object): string {
  const file = join(base, `${name}.yaml`)
  writeFileSync(file, stringify(config))
  return file
}

const kafkaOf = (brokers: string) => ({
  brokers: [brokers],
  prefix,
  topics: { partitions: 8, replication: 1 },
})
const connectionOf = (brokers: string) => ({
  brokers: [brokers],
  prefix,
  clientId: 'bench',
  sasl: null,
  tls: null,
})
const TOPICS = { partitions: 8, replication: 1, retentionMs: 6 * 3_600_000, segmentMs: 900_000 }

async function fillTopic(brokers: string): Promise<void> {
  const options = {
    connection: connectionOf(brokers),
    topics: TOPICS,
    site: SITE,
    clock: systemClock,
    log: quietLog,
  }
  const senders = Array.from({ length: 16 }, (_, host) =>
    createKafkaSender({ ...options, host: `web-${host}` }),
  )
  const sending = new Set<Promise<void>>()
  let turn = 0
  for await (const frame of frames(RECORDS)) {
    const sent = senders[turn++ % senders.length]?.send(frame, never) ?? Promise.resolve()
    sending.add(sent)
    void sent.finally(() => sending.delete(sent))
    if (sending.size >= 16) await Promise.race(sending)
  }
  await Promise.all(sending)
  for (const sender of senders) await sender.close()
}

async function aggregate(url: string, brokers: string) {
  const config = configFile('aggregator', {
    site: 'central',
    http: { port: 0 },
    kafka: { clusters: [{ site: SITE, ...kafkaOf(brokers) }] },
    store: { kind: 'elasticsearch', elasticsearch: { nodes: [url], prefix, replicas: 0 } },
  })
  const program = await startProgram({
    dataDir: join(base, 'aggregator'),
    configFile: config,
    role: 'aggregator',
    wrapper: ['taskset', '-c', OUR_CORE],
  })
  const moment = () => ({ ms: performance.now(), cpuS: cpuSeconds(program.pid) })
  const reached = (share: number) =>
    until(
      // An index that has just been made answers 503.
      async () => ((await countDocuments(url).catch(() => 0)) >= RECORDS * share ? moment() : undefined),
      1_800_000,
      () => program.output().slice(-2_000),
      500,
    )
  // What both are like once they are warm.
  const [tenth, nearly] = [await reached(0.1), await reached(0.9)]
  await reached(1)
  const figures = {
    rate: (RECORDS * 0.8) / ((nearly.ms - tenth.ms) / 1_000),
    cpuPerMillion: ((nearly.cpuS - tenth.cpuS) / (RECORDS * 0.8)) * 1e6,
    rssMib: rssPeakMib(program.pid),
  }
  await program.stop()
  return figures
}

function writeFile(file: string): { bytes: number; wholeRatio: number } {
  const lines = generateLines({ seed: 43 })
  const parts: Buffer[] = []
  for (let bytes = 0; bytes < MB * 1e6;) {
    const part = Buffer.from(Array.from({ length: 5_000 }, () => `${lines.next().value}\n`).join(''))
    appendFileSync(file, part)
    bytes += part.length
    if (bytes < 100e6) parts.push(part)
  }
  const sample = Buffer.concat(parts)
  const packed = zstdCompressSync(sample, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
  return { bytes: statSync(file).size, wholeRatio: sample.length / packed.length }
}

/** Counts what a collector has sent; the whole file is there when all its bytes are. */
async function collect(brokers: string) {
  const file = join(base, 'logs', 'app.log')
  execFileSync('mkdir', ['-p', join(base, 'logs')])
  const { bytes, wholeRatio } = writeFile(file)
  const got = { body: 0, wire: 0, batches: 0 }
  const cluster = {
    site: SITE,
    connection: { ...connectionOf(brokers), prefix: `${prefix}-c` },
    topics: TOPICS,
  }
  const intake = openKafkaIntake({
    clusters: [cluster],
    groupId: 'bench',
    exclusive: false,
    quarantine: createListQuarantine(),
    clock: systemClock,
    log: quietLog,
    metrics: noMetrics,
    intake: {
      async batch(frame) {
        got.body += openFrame(frame).header.bodyBytes
        got.wire += frame.byteLength
        got.batches += 1
        return 'stored'
      },
      async mark() {},
      health() {},
    },
  })
  await intake.start?.()
  const config = configFile('collector', {
    site: SITE,
    collector: {
      host: 'web-1',
      files: [{ paths: [file] }],
      destinations: [{ name: 'kafka', kafka: { ...kafkaOf(brokers), prefix: `${prefix}-c` } }],
    },
  })
  const started = performance.now()
  const program = await startProgram({
    dataDir: join(base, 'collector'),
    configFile: config,
    role: 'collector',
  })
  await until(
    () => (got.body >= bytes ? true : undefined),
    1_200_000,
    () => program.output().slice(-2_000),
    50,
  )
  const seconds = (performance.now() - started) / 1_000
  const figures = {
    cpuPerGb: cpuSeconds(program.pid) / (bytes / 1e9),
    mbPerS: bytes / 1e6 / seconds,
    rssMib: rssPeakMib(program.pid),
    ratio: got.body / got.wire,
    wholeRatio,
  }
  await program.stop()
  await intake.stop(never)
  return figures
}

const kafka = await startKafka({ cores: OUR_CORE })
const node = await startElasticsearch({ cores: ELASTICSEARCH_CORE })
try {
  pin(OUR_CORE)
  const alone = await premade(node.url)
  await fillTopic(kafka.brokers)
  const aggregator = await aggregate(node.url, kafka.brokers)
  const collector = await collect(kafka.brokers)
  report('full-size', {
    records: RECORDS,
    'Elasticsearch alone, documents/s': Math.round(alone),
    'Kafka to Elasticsearch, documents/s': Math.round(aggregator.rate),
    'share of what it takes alone': rounded(aggregator.rate / alone, 2),
    'aggregator CPU s per million': rounded(aggregator.cpuPerMillion),
    'aggregator RSS peak MiB': Math.round(aggregator.rssMib),
    'collector CPU s per GB': rounded(collector.cpuPerGb),
    'collector MB/s': rounded(collector.mbPerS),
    'collector RSS peak MiB': Math.round(collector.rssMib),
    'wire ratio': rounded(collector.ratio, 2),
    'of zstd-3 on the whole': rounded(collector.ratio / collector.wholeRatio, 2),
  })
} finally {
  await node[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
  rmSync(base, { recursive: true, force: true })
}
