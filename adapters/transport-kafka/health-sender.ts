import { orAborted } from '../../core/abort.ts'
import { ServiceError } from '../../core/errors.ts'
import { encodeHealth, type HealthReport } from '../../core/health.ts'
import { shardOf } from '../../core/shard.ts'
import { createLatestOnly } from '../latest.ts'
import { toServiceError } from './failures.ts'
import type { KafkaSenderOptions } from './sender.ts'
import { createTopicCheck, healthTopicOptions } from './topics.ts'
import { healthTopic, type KafkaClient, type KafkaProducer } from './types.ts'

/** A report that is older than this says nothing: the next one is there. */
const SEND_WITHIN_MS = 2_000

/** Connected, to a topic of so many partitions. */
interface Line {
  readonly producer: KafkaProducer
  readonly partitions: number
}

export interface HealthSender {
  /** One at a time, and of those that wait only the newest; see TransportSender. */
  send(report: HealthReport, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** Over a connection of its own, so that a report never waits behind a batch on the wire. */
export function createHealthSender(
  { connection, topics, site, host, clock, log }: KafkaSenderOptions,
  client: KafkaClient,
): HealthSender {
  const topic = healthTopic(connection)
  const key = `${site}/${host}`
  const checkTopic = createTopicCheck(connection, healthTopicOptions(topics), log, topic)
  const closed = new AbortController()
  let line: Promise<Line> | null = null

  async function connect(): Promise<Line> {
    const admin = await client.admin()
    try {
      const { partitions } = await checkTopic(admin)
      return { producer: await client.producer(), partitions }
    } finally {
      void admin.disconnect().catch(() => undefined)
    }
  }

  /** One that takes longer than a report may is used by the next report. */
  function currentLine(): Promise<Line> {
    if (line !== null) return line
    const connecting = connect()
    line = connecting
    connecting.catch(() => {
      if (line === connecting) line = null
    })
    return connecting
  }

  async function leave(left: Promise<Line> | null): Promise<void> {
    if (line === left) line = null
    await left?.then(({ producer }) => producer.disconnect()).catch(() => undefined)
  }

  async function produce(report: HealthReport, signal: AbortSignal): Promise<void> {
    const current = currentLine()
    const { producer, partitions } = await orAborted(current, signal)
    const message = { topic, partition: shardOf(key, partitions), key, type: 'health' as const }
    const value = Buffer.from(encodeHealth(report))
    try {
      await orAborted(producer.send({ ...message, value, acks: 'leader' }), signal)
    } catch (error) {
      // The library may not find back by itself, and the topic may be gone: the next one looks at everything anew.
      void leave(current)
      throw error
    }
  }

  const sendLatest = createLatestOnly<HealthReport>(async (report) => {
    const deadline = new AbortController()
    const cancel = clock.after(SEND_WITHIN_MS, () => {
      const details = { brokers: connection.brokers.join(',') }
      deadline.abort(
        new ServiceError('UNREACHABLE', `Kafka did not answer within ${SEND_WITHIN_MS} ms`, details),
      )
    })
    const either = AbortSignal.any([closed.signal, deadline.signal])
    try {
      await produce(report, either)
    } catch (error) {
      throw either.aborted ? either.reason : toServiceError(error, connection)
    } finally {
      cancel()
    }
  })

  return {
    async send(report, signal) {
      closed.signal.throwIfAborted()
      await sendLatest(report, signal)
    },
    async close() {
      closed.abort(new ServiceError('SHUTTING_DOWN', 'the sender is closed'))
      await leave(line)
    },
  }
}
