import { messageOf } from '../../core/errors.ts'
import { backoffMs } from '../../core/backoff.ts'
import { decodeHealth } from '../../core/health.ts'
import type { Part } from '../../core/lifecycle.ts'
import type { Clock, Intake, Logger, Metrics } from '../../core/ports.ts'
import { toServiceError } from './failures.ts'
import type { KafkaCluster, KafkaClusterStatus } from './intake.ts'
import { createTopicCheck, healthTopicOptions } from './topics.ts'
import {
  healthTopic,
  type KafkaClient,
  type KafkaConnection,
  type KafkaConsumer,
  type KafkaMessage,
} from './types.ts'

const RESTART_BACKOFF = { baseMs: 500, maxMs: 5_000 }
/** A session that lived this long was a good one: the next failure is a new one. */
const GOOD_SESSION_MS = 10_000
const LOOK_EVERY_MS = 500
/** A fetch without news takes half a second: without a sign of life for this long, nothing that a host says reaches us. */
const DEAF_AFTER_MS = 1_500
/** Then the library does not find back by itself. */
const GIVE_UP_AFTER_MS = 20_000
const LEAVE_WITHIN_MS = 2_000

export interface KafkaHealthOptions {
  readonly clusters: readonly KafkaCluster[]
  /** Of this process alone: every node reads everything, and commits nothing. */
  readonly groupId: string
  readonly take: Intake['health']
  /** Whether reports of the site can reach us now; told when that changes. */
  readonly onHearing: (site: string, hears: boolean) => void
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * Reads the reports of health from the end of the topic: what was said while we were away is old. `start` does not wait for Kafka;
 * a cluster that fails is tried again for ever.
 */
export interface KafkaHealth extends Required<Part> {
  status(): readonly KafkaClusterStatus[]
}

interface Reader {
  run(): Promise<void>
  stop(): Promise<void>
  status(): KafkaClusterStatus
}

export function createHealthReader(
  options: KafkaHealthOptions,
  connect: (connection: KafkaConnection, log: Logger) => KafkaClient,
): KafkaHealth {
  const reports = options.metrics.counter(
    'noctule_kafka_health_reports_total',
    'Reports of health read from Kafka, by what became of them.',
    ['site', 'result'],
  )
  const readers = options.clusters.map((cluster) => createReader(cluster, options, { connect, reports }))
  return {
    name: 'kafka health',
    async start() {
      for (const reader of readers) void reader.run()
    },
    async stop() {
      await Promise.all(readers.map((reader) => reader.stop()))
    },
    status: () => readers.map((reader) => reader.status()),
  }
}

function createReader(
  { site, connection, topics }: KafkaCluster,
  { groupId, take, onHearing, clock, ...rest }: KafkaHealthOptions,
  {
    connect,
    reports,
  }: {
    connect: (connection: KafkaConnection, log: Logger) => KafkaClient
    reports: ReturnType<Metrics['counter']>
  },
): Reader {
  const topic = healthTopic(connection)
  const log = rest.log.child({ site, topic })
  const client = connect(connection, log)
  const checkTopic = createTopicCheck(connection, healthTopicOptions(topics), log, topic)
  const stopping = new AbortController()
  let consumer: KafkaConsumer | null = null
  let problem: string | null = 'not connected yet'
  let hears = true
  let ended: Promise<void> = Promise.resolve()

  function setHearing(now: boolean) {
    if (hears !== now && !stopping.signal.aborted) onHearing(site, now)
    hears = now
  }

  function onMessage({ partition, offset, type, value }: KafkaMessage) {
    const report = type === 'health' && value !== null ? decodeHealth(value) : null
    // Unlike a batch it can be said again, and will be within a second: it is counted and not kept.
    reports.add(1, { site, result: report === null ? 'refused' : 'taken' })
    if (report === null) log.debug({ partition, offset, type }, 'a message is no report of health')
    else take(report, { site, sender: `${topic}/${partition}@${offset}` })
  }

  async function makeTopic() {
    const admin = await client.admin()
    await checkTopic(admin).finally(() => void admin.disconnect().catch(() => undefined))
  }

  /** Reads until that fails or is stopped. */
  async function read(): Promise<void> {
    await makeTopic()
    const failure = Promise.withResolvers<never>()
    failure.promise.catch(() => undefined)
    let aliveMs = clock.monotonicMs()
    const joining = client.consumer({
      groupId: `${connection.prefix}.${groupId}`,
      topic,
      from: 'end',
      onAssigned: () => undefined,
      onMessages: async (_, { messages }) => messages.forEach(onMessage),
      onCrash: failure.reject,
      onAlive: () => {
        aliveMs = clock.monotonicMs()
      },
    })
    await Promise.race([joining, failure.promise, untilAborted(stopping.signal)]).catch((error: unknown) => {
      void joining.then((joined) => joined.disconnect()).catch(() => undefined)
      throw error
    })
    consumer = await joining
    if (problem !== null) log.info({}, 'reading reports of health from Kafka')
    problem = null
    while (!stopping.signal.aborted) {
      const deafMs = clock.monotonicMs() - aliveMs
      setHearing(deafMs < DEAF_AFTER_MS)
      if (deafMs > GIVE_UP_AFTER_MS) throw new Error(`nothing heard for ${Math.round(deafMs / 1_000)} s`)
      await Promise.race([failure.promise, pause(LOOK_EVERY_MS)])
    }
  }

  const pause = (ms: number) => clock.sleep(ms, stopping.signal).catch(() => undefined)

  async function leave() {
    const left = consumer
    consumer = null
    await Promise.race([left?.disconnect().catch(() => undefined), clock.sleep(LEAVE_WITHIN_MS)])
  }

  async function run() {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      const startMs = clock.monotonicMs()
      try {
        await read()
      } catch (error) {
        setHearing(false)
        if (stopping.signal.aborted) break
        const failure = toServiceError(error, connection)
        if (problem !== failure.message)
          log.warn(
            { code: failure.code, error: messageOf(failure) },
            'reports of health cannot be read from Kafka; it is tried again',
          )
        problem = failure.message
        await leave()
        if (clock.monotonicMs() - startMs > GOOD_SESSION_MS) attempt = 0
        await pause(backoffMs(attempt, RESTART_BACKOFF, Math.random))
      }
    }
    await leave()
  }

  return {
    run() {
      ended = run()
      return ended
    },
    async stop() {
      stopping.abort()
      await Promise.race([ended, clock.sleep(LEAVE_WITHIN_MS)])
    },
    status: () => ({ cluster: site, ok: problem === null && hears, detail: problem ?? wordOf(hears) }),
  }
}

const wordOf = (hears: boolean) => (hears ? 'reports of health are read' : 'nothing heard from the brokers')

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
