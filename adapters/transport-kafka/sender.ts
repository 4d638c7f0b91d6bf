import { orAborted } from '../../core/abort.ts'
import { ServiceError } from '../../core/errors.ts'
import type { Clock, Logger, TransportSender } from '../../core/ports.ts'
import { shardOf } from '../../core/shard.ts'
import { toServiceError } from './failures.ts'
import { createHealthSender } from './health-sender.ts'
import { createGate } from '../../core/gate.ts'
import { createTopicCheck, type TopicFacts } from './topics.ts'
import {
  logsTopic,
  type KafkaClient,
  type KafkaConnection,
  type KafkaProducer,
  type KafkaTopicOptions,
  type MessageType,
} from './types.ts'

/** A default broker takes 1 MiB, its own overhead included. */
const MESSAGE_BYTES_MAX = 900_000
/** What a message costs in the broker's count beside its value: batch and record headers, key, type. */
const MESSAGE_OVERHEAD_BYTES = 1_024
const SEND_TIMEOUT_MS = 15_000
/** Messages that the library holds. It cannot be told to forget one, so those of a dead broker count until it gives up. */
const IN_FLIGHT_BYTES_MAX = 16 << 20
const RETRY_AFTER_MS = 1_000
/** A broker that does not answer is not waited for. */
const LEAVE_WITHIN_MS = 2_000

export interface KafkaSenderOptions {
  readonly connection: KafkaConnection
  readonly topics: KafkaTopicOptions
  readonly site: string
  readonly host: string
  readonly clock: Clock
  readonly log: Logger
  /** Largest frame; default 900,000. */
  readonly messageBytesMax?: number
  /** Default 15 s. */
  readonly sendTimeoutMs?: number
}

/** A connected producer. After a failure it takes nothing new, and leaves once what it holds has settled. */
interface Line {
  readonly producer: KafkaProducer
  readonly facts: TopicFacts
  sending: number
  retired: boolean
}

export function createSender(options: KafkaSenderOptions, client: KafkaClient): TransportSender {
  const { connection, topics, site, host, clock, log } = options
  const { messageBytesMax = MESSAGE_BYTES_MAX, sendTimeoutMs = SEND_TIMEOUT_MS } = options
  const topic = logsTopic(connection)
  const key = `${site}/${host}`
  const health = createHealthSender(options, client)
  const checkTopic = createTopicCheck(connection, topics, log)
  const closed = new AbortController()
  const gate = createGate(IN_FLIGHT_BYTES_MAX)
  const leaving = new Set<Promise<void>>()
  let line: Promise<Line> | null = null
  let checked: TopicFacts | null = null

  async function check(): Promise<TopicFacts> {
    const admin = await client.admin()
    try {
      const facts = await checkTopic(admin)
      const { messageBytesMax: takes } = facts
      if (takes !== null && takes < messageBytesMax + MESSAGE_OVERHEAD_BYTES)
        log.warn(
          { topic, 'max.message.bytes': takes, messageBytesMax },
          'the topic takes smaller messages than we send',
        )
      return facts
    } finally {
      void admin.disconnect().catch(() => undefined)
    }
  }

  async function connect(): Promise<Line> {
    checked ??= await check()
    return { producer: await client.producer(), facts: checked, sending: 0, retired: false }
  }

  function currentLine(): Promise<Line> {
    if (line !== null) return line
    const connecting = connect()
    line = connecting
    connecting.catch(() => {
      if (line === connecting) line = null
    })
    return connecting
  }

  function retire(failed: Line) {
    if (!failed.retired) line = null
    failed.retired = true
    leaveWhenIdle(failed)
  }

  function leaveWhenIdle({ retired, sending, producer }: Line) {
    if (!retired || sending > 0) return
    const gone = producer.disconnect().catch(() => undefined)
    leaving.add(gone)
    void gone.then(() => leaving.delete(gone))
  }

  async function produce(type: MessageType, value: Buffer): Promise<void> {
    const current = await currentLine()
    current.sending++
    try {
      const partition = shardOf(key, current.facts.partitions)
      await current.producer.send({ topic, partition, key, type, value, acks: 'all' })
    } catch (error) {
      const failure = toServiceError(error, connection)
      if (failure.code === 'BATCH_TOO_LARGE') throw failure
      // The library may not find back by itself, and the topic may be gone: the next one looks at everything anew.
      checked = null
      retire(current)
      throw failure
    } finally {
      current.sending--
      leaveWhenIdle(current)
    }
  }

  async function send(type: MessageType, value: Buffer, signal: AbortSignal): Promise<void> {
    const deadline = new AbortController()
    const cancel = clock.after(sendTimeoutMs, () => {
      const details = { brokers: connection.brokers.join(','), retryAfterMs: RETRY_AFTER_MS }
      deadline.abort(
        new ServiceError('UNREACHABLE', `Kafka did not answer within ${sendTimeoutMs} ms`, details),
      )
    })
    const either = AbortSignal.any([signal, closed.signal, deadline.signal])
    try {
      either.throwIfAborted()
      const release = await gate.enter(value.length, either)
      const sent = produce(type, value).finally(release)
      await orAborted(sent, either)
    } catch (error) {
      throw either.aborted ? either.reason : toServiceError(error, connection)
    } finally {
      cancel()
    }
  }

  return {
    async send(frame, signal) {
      const bytesMax = Math.min(
        messageBytesMax,
        (checked?.messageBytesMax ?? Infinity) - MESSAGE_OVERHEAD_BYTES,
      )
      if (!closed.signal.aborted && frame.byteLength > bytesMax) {
        const details = { bytes: frame.byteLength, bytesMax }
        throw new ServiceError('BATCH_TOO_LARGE', 'the batch is larger than a Kafka message may be', details)
      }
      await send('frame', Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength), signal)
    },
    sendMark: (mark, signal) => send('mark', Buffer.from(JSON.stringify(mark)), signal),
    sendHealth: (report, signal) => health.send(report, signal),
    async close() {
      closed.abort(new ServiceError('SHUTTING_DOWN', 'the sender is closed'))
      line?.then(retire, () => undefined)
      leaving.add(health.close())
      await Promise.resolve()
      await Promise.race([Promise.all(leaving), clock.sleep(LEAVE_WITHIN_MS)])
    },
  }
}
