import { asServiceError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { toServiceError } from './failures.ts'
import { logsTopic, type KafkaAdmin, type KafkaConnection, type KafkaTopicOptions } from './types.ts'

/** What the topic as it is tells us. */
export interface TopicFacts {
  readonly partitions: number
  /** Largest message that it takes; null: we may not ask. */
  readonly messageBytesMax: number | null
}

/** Three copies, two of them written before a batch counts as sent: the loss of one broker loses nothing. */
const REPLICATION_FOR_MIN_INSYNC_2 = 3
const MESSAGE_BYTES_KEY = 'max.message.bytes'

/** Reports of health are small, and of no use when they are old. */
const HEALTH_TOPIC = { partitionsMax: 4, retentionMs: 300_000, segmentMs: 60_000 }

export function healthTopicOptions({ partitions, replication }: KafkaTopicOptions): KafkaTopicOptions {
  const { partitionsMax, ...kept } = HEALTH_TOPIC
  return { ...kept, partitions: Math.min(partitions, partitionsMax), replication }
}

function configOf({ replication, retentionMs, segmentMs }: KafkaTopicOptions): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'retention.ms': String(retentionMs),
    'segment.ms': String(segmentMs),
    // When a mark came is told by the broker's clock, never by a collector's.
    'message.timestamp.type': 'LogAppendTime',
    // Frames are compressed already, and what foreign producers compress arrives in a form that we can read.
    'compression.type': 'uncompressed',
    'min.insync.replicas': replication >= REPLICATION_FOR_MIN_INSYNC_2 ? '2' : '1',
  }
}

/**
 * Makes the topic when it is missing. One that is there is left as it is: what differs from the configuration is told in one line,
 * once, because others may have a reason for it. Throws a ServiceError when the topic is neither there nor can be made.
 */
export type TopicCheck = (admin: KafkaAdmin) => Promise<TopicFacts>

export function createTopicCheck(
  connection: KafkaConnection,
  topics: KafkaTopicOptions,
  log: Logger,
  topic = logsTopic(connection),
): TopicCheck {
  const wanted = configOf(topics)
  let told = ''

  function tellOnce(differences: readonly string[]) {
    if (differences.length > 0 && told !== differences.join())
      log.warn({ topic, differences }, 'the topic is used as it is, which is not as it is configured here')
    told = differences.join()
  }

  return async (admin) => {
    const made = await admin.createTopic(topic, topics, wanted).catch((error: unknown) => {
      // Not allowed, or fewer brokers than copies: fine when somebody else made it. Otherwise the next line fails.
      const failure = toServiceError(error, connection)
      if (failure.code === 'UNREACHABLE' || failure.code === 'UNAUTHENTICATED') throw failure
      return failure
    })
    const partitions = await admin.partitions(topic).catch((error: unknown) => {
      throw asServiceError(made) ?? toServiceError(error, connection)
    })
    if (made === true) log.info({ topic, partitions, ...wanted }, 'topic made')
    const found = await readConfig(admin, topic, [...Object.keys(wanted), MESSAGE_BYTES_KEY], log)
    const actual = new Map([...found, ['partitions', String(partitions)]])
    tellOnce(differencesOf({ ...wanted, partitions: String(topics.partitions) }, actual))
    const bytesMax = Number(found.get(MESSAGE_BYTES_KEY) ?? Number.NaN)
    return { partitions, messageBytesMax: Number.isFinite(bytesMax) ? bytesMax : null }
  }
}

async function readConfig(admin: KafkaAdmin, topic: string, keys: readonly string[], log: Logger) {
  try {
    return await admin.topicConfig(topic, keys)
  } catch (error) {
    log.info(
      { topic, error: messageOf(error) },
      'the configuration of the topic cannot be read, so it is not checked',
    )
    return new Map<string, string>()
  }
}

function differencesOf(
  wanted: Readonly<Record<string, string>>,
  actual: ReadonlyMap<string, string>,
): string[] {
  return Object.entries(wanted).flatMap(([key, value]) => {
    const is = actual.get(key)
    return is === undefined || is === value ? [] : [`${key} is ${is}, configured is ${value}`]
  })
}
