import { asServiceError, messageOf } from '../../core/errors.ts'
import type { Part } from '../../core/lifecycle.ts'
import { createGate, type Gate } from '../../core/gate.ts'
import type { Clock, Intake, Logger, Metrics, Quarantine } from '../../core/ports.ts'
import { backoffMs } from '../../core/backoff.ts'
import { createDelivery, type Delivery } from './delivery.ts'
import { openSession, type Session } from './session.ts'
import { createTopicCheck } from './topics.ts'
import {
  logsTopic,
  type KafkaClient,
  type KafkaConnection,
  type KafkaLoss,
  type KafkaMessage,
  type KafkaTopicOptions,
} from './types.ts'

const RESTART_BACKOFF = { baseMs: 500, maxMs: 10_000 }
/** A session that lived this long was a good one: the next failure is a new one. */
const GOOD_SESSION_MS = 10_000
/** Messages that are read and not stored, of one partition. Frames grow some seven times when they are opened. */
const LANE_BYTES_MAX = 4 << 20
/**
 * Of frames that are being stored, of all clusters together: some 70,000 lines, more than a store takes in a second. Those behind
 * them wait here, where a frame is still compressed and costs nothing, not in the aggregator.
 */
const HANDED_OVER_BYTES_MAX = 2 << 20

export interface KafkaCluster {
  /** Everything in its topics is of this site. */
  readonly site: string
  readonly connection: KafkaConnection
  readonly topics: KafkaTopicOptions
}

export interface KafkaIntakeOptions {
  readonly clusters: readonly KafkaCluster[]
  /** On each cluster the group is called `<prefix>.<groupId>`. */
  readonly groupId: string
  /** The group may have one member only: an embedded store keeps everything or nothing. */
  readonly exclusive: boolean
  readonly intake: Intake
  readonly quarantine: Quarantine
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** A topic dropped messages before they were read; it is logged and counted in any case. */
  readonly onLost?: (loss: KafkaLoss) => void
  readonly laneBytesMax?: number
}

export interface KafkaClusterStatus {
  /** Its site. */
  readonly cluster: string
  readonly ok: boolean
  /** One line for people. */
  readonly detail: string
}

/**
 * Reads Kafka and hands everything to an Intake. A message is committed after the store has it, or the quarantine.
 * `start` does not wait for Kafka; when the group is exclusive it waits for the first attempt and throws BAD_CONFIG when the group
 * has another member. A cluster that fails is tried again for ever.
 */
export interface KafkaIntake extends Required<Part> {
  /** One process of the group, and no other, does what is to be done once for a site; one that is not read belongs to the first. */
  leads(site: string): boolean
  status(): readonly KafkaClusterStatus[]
}

interface Numbers {
  readonly messages: ReturnType<Metrics['counter']>
  readonly lost: ReturnType<Metrics['counter']>
  readonly restarts: ReturnType<Metrics['counter']>
}

interface ClusterReader {
  readonly site: string
  /** Resolves after the first attempt to join; rejects when that found another member in an exclusive group. */
  start(): Promise<void>
  stop(signal: AbortSignal): Promise<void>
  status(): KafkaClusterStatus
  readonly session: Session | null
}

export function createIntake(
  options: KafkaIntakeOptions,
  connect: (connection: KafkaConnection, log: Logger) => KafkaClient,
): KafkaIntake {
  const { metrics, exclusive } = options
  const numbers: Numbers = {
    messages: metrics.counter('noctule_kafka_messages_total', 'Messages by what became of them.', [
      'site',
      'result',
    ]),
    lost: metrics.counter(
      'noctule_kafka_lost_messages_total',
      'Messages that a topic dropped before they were read.',
      ['site'],
    ),
    restarts: metrics.counter('noctule_kafka_restarts_total', 'How often reading had to start anew.', [
      'site',
    ]),
  }
  const gate = createGate(HANDED_OVER_BYTES_MAX)
  const readers = options.clusters.map((cluster) =>
    createReader(cluster, options, { numbers, gate, connect }),
  )
  const sum = (read: (session: Session) => number) =>
    readers.reduce((total, { session }) => total + (session === null ? 0 : read(session)), 0)
  metrics.gauge('noctule_kafka_lag_messages', 'Messages in our partitions that are not stored yet.', () =>
    sum(({ lag }) => lag),
  )
  metrics.gauge(
    'noctule_kafka_in_flight_bytes',
    'Bytes of messages that were read and are not stored yet.',
    () => sum(({ bytes }) => bytes),
  )
  const stop = async (signal: AbortSignal) =>
    void (await Promise.all(readers.map((reader) => reader.stop(signal))))

  return {
    name: 'kafka',
    async start() {
      const started = Promise.all(readers.map((reader) => reader.start()))
      started.catch(() => undefined)
      if (!exclusive) return
      await started.catch(async (error: unknown) => {
        await stop(AbortSignal.abort())
        throw error
      })
    },
    stop,
    leads: (site) =>
      exclusive || (readers.find((reader) => reader.site === site) ?? readers[0])?.session?.leads === true,
    status: () => readers.map((reader) => reader.status()),
  }
}

/** What the readers of all clusters share. */
interface Shared {
  readonly numbers: Numbers
  readonly gate: Gate
  readonly connect: (connection: KafkaConnection, log: Logger) => KafkaClient
}

function createReader(
  { site, connection, topics }: KafkaCluster,
  options: KafkaIntakeOptions,
  { numbers, gate, connect }: Shared,
): ClusterReader {
  const { messages, lost, restarts } = numbers
  const { exclusive, intake, quarantine, clock, laneBytesMax = LANE_BYTES_MAX } = options
  const random = Math.random
  const log = options.log.child({ site, brokers: connection.brokers.join(',') })
  const client = connect(connection, log)
  const topic = logsTopic(connection)
  // Several prefixes may share a cluster, but the members of a group must read the same topics.
  const groupId = `${connection.prefix}.${options.groupId}`
  const checkTopic = createTopicCheck(connection, topics, log)
  const stopping = new AbortController()
  const first = Promise.withResolvers<void>()
  first.promise.catch(() => undefined)
  const onResult = (result: string) => messages.add(1, { site, result })
  const delivery: Delivery = createDelivery({ site, topic, intake, quarantine, clock, log, random, onResult })
  let session: Session | null = null
  let problem: string | null = 'not connected yet'
  let running: Promise<void> | null = null

  function onLost(loss: KafkaLoss) {
    lost.add(loss.toOffset - loss.fromOffset, { site })
    options.onLost?.(loss)
  }

  /** Joins and reads until that fails. */
  async function read(): Promise<void> {
    async function deliver(message: KafkaMessage, signal: AbortSignal): Promise<void> {
      // A mark is small, and has waited for the frames before it.
      if (message.type === 'mark') return delivery.deliver(message, signal)
      const leave = await gate.enter(message.value?.length ?? 0, signal)
      // What is given up must not keep others out, however long the intake still works on it.
      signal.addEventListener('abort', leave, { once: true })
      await delivery.deliver(message, signal).finally(() => {
        signal.removeEventListener('abort', leave)
        leave()
      })
    }
    const opened = await openSession({
      site,
      connection,
      checkTopic,
      groupId,
      exclusive,
      client,
      deliver,
      laneBytesMax,
      onLost,
      clock,
      log,
    })
    if (stopping.signal.aborted) return opened.close()
    session = opened
    if (problem !== null) log.info({ topic, groupId }, 'reading from Kafka')
    problem = null
    first.resolve()
    try {
      await Promise.race([opened.failed, untilAborted(stopping.signal)])
    } catch (error) {
      session = null
      await opened.close()
      throw error
    }
  }

  function failed(error: unknown) {
    const failure = asServiceError(error)
    if (failure?.code === 'BAD_CONFIG') first.reject(failure)
    else first.resolve()
    if (stopping.signal.aborted) return
    const text = messageOf(error)
    if (problem !== text)
      log.warn({ code: failure?.code, error: text }, 'Kafka cannot be read; it is tried again')
    problem = text
    restarts.add(1, { site })
  }

  async function run() {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      const startMs = clock.monotonicMs()
      try {
        await read()
      } catch (error) {
        failed(error)
        if (clock.monotonicMs() - startMs > GOOD_SESSION_MS) attempt = 0
        await clock.sleep(backoffMs(attempt, RESTART_BACKOFF, random), stopping.signal).catch(() => undefined)
      }
    }
  }

  function detail(): string {
    if (session === null) return problem ?? 'starting'
    return delivery.problem() ?? `${session.partitions} partitions, ${session.lag} messages behind`
  }

  return {
    site,
    start() {
      running ??= run()
      return first.promise
    },
    async stop(signal) {
      stopping.abort()
      first.resolve()
      await session?.stop(signal)
      session = null
    },
    status: () => ({
      cluster: site,
      ok: session !== null && problem === null && delivery.problem() === null,
      detail: detail(),
    }),
    get session() {
      return session
    },
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
