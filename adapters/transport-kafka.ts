import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs, {
  type Admin,
  type Consumer,
  type EachBatchPayload,
  type Kafka,
  type KafkaConfig,
  type KafkaMessage as LibraryMessage,
  type LogEntry,
} from 'kafkajs'
import type { Logger, TransportSender } from '../core/ports.ts'
import { crc32c } from './transport-kafka/crc32c.ts'
import { keepLargeBuffersApart, type LibraryEncoder } from './transport-kafka/encoder.ts'
import {
  createHealthReader,
  type KafkaHealth,
  type KafkaHealthOptions,
} from './transport-kafka/health-reader.ts'
import { createIntake, type KafkaIntake, type KafkaIntakeOptions } from './transport-kafka/intake.ts'
import { createSender, type KafkaSenderOptions } from './transport-kafka/sender.ts'
import {
  TYPE_HEADER,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaConnection,
  type KafkaConsumer,
  type KafkaConsumerOptions,
  type KafkaMessage,
  type KafkaProducer,
} from './transport-kafka/types.ts'

export type { KafkaHealth, KafkaHealthOptions } from './transport-kafka/health-reader.ts'
export type { KafkaIntake, KafkaIntakeOptions } from './transport-kafka/intake.ts'
export type { KafkaSenderOptions } from './transport-kafka/sender.ts'
export type { KafkaConnection, KafkaLoss } from './transport-kafka/types.ts'

// kafkajs 2.2.4 has no maintainer: what it does badly is worked around here and in the folder beside; see docs/decisions/013-kafka.md.

const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 15_000
const METADATA_MAX_AGE_MS = 30_000
/** Our own retries follow, with our own words. */
const RETRY = { retries: 2, initialRetryTime: 150, maxRetryTime: 1_000 }
const SESSION_TIMEOUT_MS = 10_000
const HEARTBEAT_MS = 2_000
/** Also how long a fetch without news takes, and so how long leaving takes at most. */
const FETCH_WAIT_MS = 500
const FETCH_BYTES_MAX = 16 << 20
const FETCH_PARTITION_BYTES_MAX = 2 << 20
/** Decompressed, of one foreign batch: a default topic takes messages of 1 MiB. */
const FOREIGN_BYTES_MAX = 64 << 20
/** As Kafka's protocol has it in a record batch. */
const LOG_APPEND_TIME = 1
const ACKS_ALL = -1
const ACKS_LEADER = 1

/** Sends to the topic of the connection's prefix, over one connection that is made with the first message. */
export function createKafkaSender(options: KafkaSenderOptions): TransportSender {
  return createSender(options, connectTo(options.connection, options.log))
}

/** Reads the topics of all clusters, as a member of the group, and hands everything to the intake. */
export function openKafkaIntake(options: KafkaIntakeOptions): KafkaIntake {
  return createIntake(options, connectTo)
}

/** Reads what the hosts of all clusters say of themselves, each message by every node that asks. */
export function openKafkaHealth(options: KafkaHealthOptions): KafkaHealth {
  return createHealthReader(options, connectTo)
}

function connectTo(connection: KafkaConnection, log: Logger): KafkaClient {
  prepareLibrary()
  const { brokers, clientId, sasl, tls } = connection
  const make = () =>
    new kafkajs.Kafka({
      brokers: [...brokers],
      clientId,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      authenticationTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: { ...RETRY, retries: Math.max(RETRY.retries, brokers.length) },
      logLevel: kafkajs.logLevel.WARN,
      // What it says is told by our own lines; as a trace it can still help.
      logCreator: () => (entry: LogEntry) =>
        log.debug({ kafkajs: entry.namespace, said: entry.log.message }, 'the Kafka library says'),
      ...(tls === null ? {} : { ssl: definedOf(tls) }),
      ...(sasl === null ? {} : { sasl: { ...sasl } as NonNullable<KafkaConfig['sasl']> }),
    })
  return {
    admin: () => openAdmin(make().admin()),
    producer: () => openProducer(make()),
    consumer: (options) => openConsumer(make(), options),
  }
}

function definedOf({ ca, cert, key }: NonNullable<KafkaConnection['tls']>) {
  return {
    ...(ca === null ? {} : { ca: [ca] }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  }
}

const library = createRequire(import.meta.url)
let prepared = false

function prepareLibrary() {
  if (prepared) return
  prepared = true
  const compress = promisify(zstdCompress)
  const decompress = promisify(zstdDecompress)
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => compress(buffer),
    decompress: (buffer: Buffer) => decompress(buffer, { maxOutputLength: FOREIGN_BYTES_MAX }),
  })
  calmRequestQueues()
  sumFaster()
  keepLargeBuffersApart(partOfLibrary<LibraryEncoder>('protocol/encoder'))
}

/** The library sums byte by byte. It loads the function's users with the first message: from then on they have ours. */
function sumFaster() {
  const path = library.resolve('kafkajs/src/protocol/recordBatch/crc32C')
  library(path)
  const loaded = library.cache[path]
  if (loaded !== undefined) loaded.exports = crc32c
}

/** The prototype of one of its classes that it does not export. */
function partOfLibrary<Part>(path: string): Part {
  return (library(`kafkajs/src/${path}`) as { prototype: Part }).prototype
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

/** Every idle connection would set a timer with a negative delay, a thousand times a second (kafkajs issue 1751). */
function calmRequestQueues() {
  const queue = partOfLibrary<RequestQueue>('network/requestQueue')
  const schedule = Reflect.get(queue, 'scheduleCheckPendingRequests')
  queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) Reflect.apply(schedule, this, [])
  }
}

async function openProducer(kafka: Kafka): Promise<KafkaProducer> {
  const producer = kafka.producer({
    // Its idempotent producer loses acknowledged messages after a broker's pause; the store keeps each batch once anyway.
    idempotent: false,
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  })
  await connected(producer)
  return {
    async send({ topic, partition, key, type, value, acks }) {
      const message = { key, value, partition, headers: { [TYPE_HEADER]: type } }
      await producer.send({
        topic,
        acks: acks === 'all' ? ACKS_ALL : ACKS_LEADER,
        timeout: REQUEST_TIMEOUT_MS,
        messages: [message],
      })
    },
    disconnect: () => producer.disconnect(),
  }
}

/** A failed connect leaves sockets and timers behind. */
async function connected(client: { connect(): Promise<void>; disconnect(): Promise<void> }): Promise<void> {
  try {
    await client.connect()
  } catch (error) {
    void client.disconnect().catch(() => undefined)
    throw error
  }
}

async function openAdmin(admin: Admin): Promise<KafkaAdmin> {
  await connected(admin)
  return {
    createTopic: (topic, { partitions, replication }, config) =>
      admin.createTopics({
        topics: [
          {
            topic,
            numPartitions: partitions,
            replicationFactor: replication,
            configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
          },
        ],
      }),
    async topicConfig(topic, keys) {
      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [...keys] }
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
      const entries = resources.flatMap(({ configEntries }) => configEntries)
      return new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
    },
    async partitions(topic) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics.find(({ name }) => name === topic)?.partitions.length ?? 0
    },
    async watermarks(topic) {
      const offsets = await admin.fetchTopicOffsets(topic)
      return new Map(offsets.map((at) => [at.partition, { low: Number(at.low), high: Number(at.high) }]))
    },
    async committed(groupId, topic) {
      const topics = await admin.fetchOffsets({ groupId, topics: [topic] })
      const offsets = topics.flatMap(({ partitions }) => partitions)
      return new Map(
        offsets.map((at) => [at.partition, Number(at.offset)] as const).filter(([, offset]) => offset >= 0),
      )
    },
    async members(groupId) {
      const { groups } = await admin.describeGroups([groupId])
      return groups.reduce((sum, { members }) => sum + members.length, 0)
    },
    disconnect: () => admin.disconnect(),
  }
}

async function openConsumer(kafka: Kafka, options: KafkaConsumerOptions): Promise<KafkaConsumer> {
  const { groupId, topic, from } = options
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_MS,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    maxBytes: FETCH_BYTES_MAX,
    maxBytesPerPartition: FETCH_PARTITION_BYTES_MAX,
    allowAutoTopicCreation: false,
    // After a crash everything is made anew by us: its own restarts can repeat for ever or not come at all.
    retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
  })
  await connected(consumer)
  const ours = ourConsumer(consumer, topic)
  listen(consumer, ours, options)
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: from === 'oldest' })
    await consumer.run({ autoCommit: false, eachBatch: (payload) => onBatch(payload, options) })
  } catch (error) {
    void consumer.disconnect().catch(() => undefined)
    throw error
  }
  return ours
}

function ourConsumer(consumer: Consumer, topic: string): KafkaConsumer {
  const at = (partition: number) => [{ topic, partitions: [partition] }]
  return {
    seek: (partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    pause: (partition) => consumer.pause(at(partition)),
    resume: (partition) => consumer.resume(at(partition)),
    commit: (offsets) =>
      consumer.commitOffsets(
        [...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
      ),
    disconnect: () => consumer.disconnect(),
  }
}

function onBatch({ batch }: EachBatchPayload, { onMessages }: KafkaConsumerOptions): Promise<void> {
  // The library's types leave `fetchedOffset` out.
  const { partition, highWatermark, fetchedOffset } = batch as typeof batch & { fetchedOffset: string }
  const messages = batch.messages.map((message) => toMessage(partition, message))
  return onMessages(partition, { messages, fetchedFrom: Number(fetchedOffset), high: Number(highWatermark) })
}

function listen(
  consumer: Consumer,
  ours: KafkaConsumer,
  { topic, onAssigned, onCrash, onAlive }: KafkaConsumerOptions,
) {
  const { GROUP_JOIN, FETCH, HEARTBEAT, CRASH } = consumer.events
  consumer.on(GROUP_JOIN, ({ payload }) => {
    onAlive()
    onAssigned(ours, payload.memberAssignment[topic] ?? [], payload.isLeader)
  })
  consumer.on(FETCH, onAlive)
  consumer.on(HEARTBEAT, onAlive)
  consumer.on(CRASH, ({ payload }) => onCrash(payload.error))
}

function toMessage(partition: number, message: LibraryMessage): KafkaMessage {
  const type = message.headers?.[TYPE_HEADER]
  // The library's types leave it out.
  const { batchContext } = message as { batchContext?: { timestampType?: number } }
  return {
    partition,
    offset: Number(message.offset),
    type: type === undefined ? null : String(type),
    value: message.value,
    appendedMs: batchContext?.timestampType === LOG_APPEND_TIME ? Number(message.timestamp) : null,
  }
}
