import { createRequire } from 'node:module'
import type kafkajs from 'kafkajs'
import {
  createKafkaSender,
  openKafkaHealth,
  openKafkaIntake,
  type KafkaConnection,
  type KafkaHealthOptions,
  type KafkaIntakeOptions,
  type KafkaLoss,
} from '../../adapters/transport-kafka.ts'
import { systemClock } from '../../core/clock.ts'
import { ServiceError } from '../../core/errors.ts'
import type { Intake, TransportSender } from '../../core/ports.ts'
import { noMetrics } from './aggregator.ts'
import { randomPrefix } from './engines/prefix.ts'
import { createMemoryQuarantine } from './kafka-memory.ts'
import { quietLog } from './quiet-log.ts'

export const TOPICS = { partitions: 3, replication: 1, retentionMs: 3_600_000, segmentMs: 900_000 }

export function connectionTo(brokers: string, fields: Partial<KafkaConnection> = {}): KafkaConnection {
  return {
    brokers: [brokers],
    prefix: randomPrefix(),
    clientId: 'noctule-test',
    sasl: null,
    tls: null,
    ...fields,
  }
}

export function senderTo(
  connection: KafkaConnection,
  fields: Partial<Parameters<typeof createKafkaSender>[0]> = {},
): TransportSender {
  const common = { topics: TOPICS, site: 'eu', host: 'web-1', clock: systemClock, log: quietLog }
  return createKafkaSender({ connection, ...common, ...fields })
}

/** An intake of one cluster, not started; the group is called like the prefix. */
export function intakeFrom(
  connection: KafkaConnection,
  fields: Partial<KafkaIntakeOptions> & Pick<KafkaIntakeOptions, 'intake'>,
) {
  return openKafkaIntake({
    clusters: [{ site: 'eu', connection, topics: TOPICS }],
    groupId: connection.prefix,
    exclusive: false,
    quarantine: createMemoryQuarantine(),
    clock: systemClock,
    log: quietLog,
    metrics: noMetrics,
    ...fields,
  })
}

/** A reader of the reports of health of one cluster, not started; every one has a group of its own. */
export function healthFrom(
  connection: KafkaConnection,
  fields: Partial<KafkaHealthOptions> & Pick<KafkaHealthOptions, 'take'>,
) {
  return openKafkaHealth({
    clusters: [{ site: 'eu', connection, topics: TOPICS }],
    groupId: randomPrefix(),
    onHearing() {},
    clock: systemClock,
    log: quietLog,
    metrics: noMetrics,
    ...fields,
  })
}

const library = createRequire(import.meta.url)('kafkajs') as typeof kafkajs

/** The configuration of a topic as the broker has it. */
export async function topicConfigOf(connection: KafkaConnection, topic: string, keys: readonly string[]) {
  const admin = strangerOf(connection).admin()
  await admin.connect()
  const resource = { type: library.ConfigResourceTypes.TOPIC, name: topic, configNames: [...keys] }
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
  await admin.disconnect()
  const entries = resources.flatMap(({ configEntries }) => configEntries)
  return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]))
}

/** The library itself, for what only strangers do. */
export function strangerOf({ brokers }: KafkaConnection): kafkajs.Kafka {
  return new library.Kafka({ brokers: [...brokers], logLevel: library.logLevel.NOTHING })
}

/** Keeps each frame once, as a store does, and counts. */
export interface CountingIntake extends Intake {
  /** Text of each frame → how often it was handed over. */
  readonly frames: Map<string, number>
  /** Resolves when so many different frames have arrived. */
  arrived(different: number): Promise<void>
}

export function createCountingIntake(
  store: (text: string) => Promise<void> = async () => {},
): CountingIntake {
  const frames = new Map<string, number>()
  const waiting = new Set<{ different: number; resolve: () => void }>()
  return {
    frames,
    async batch(frame) {
      const text = Buffer.from(frame).toString()
      await store(text)
      const times = frames.get(text) ?? 0
      frames.set(text, times + 1)
      for (const one of waiting) if (frames.size >= one.different) one.resolve()
      return times === 0 ? 'stored' : 'duplicate'
    },
    async mark() {},
    health() {},
    async arrived(different) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const one = { different, resolve }
      waiting.add(one)
      if (frames.size >= different) resolve()
      await promise
      waiting.delete(one)
    },
  }
}

/** Collects losses; `next` resolves with the first one. */
export function createLossList() {
  const losses: KafkaLoss[] = []
  const { promise, resolve } = Promise.withResolvers<KafkaLoss>()
  const onLost = (loss: KafkaLoss) => {
    losses.push(loss)
    resolve(loss)
  }
  return { losses, onLost, first: promise }
}

/** Sends numbered frames, four at a time, each until it is taken, as a spool would. */
export function startLoad(sender: TransportSender) {
  let stopped = false
  let sent = 0
  const codes = new Set<string>()
  const signal = new AbortController().signal
  async function sendUntilTaken(frame: Buffer) {
    for (;;) {
      try {
        return await sender.send(frame, signal)
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error
        codes.add(error.code)
        await systemClock.sleep(100)
      }
    }
  }
  async function loop() {
    while (!stopped) {
      await sendUntilTaken(Buffer.from(`frame ${sent++}`))
      await systemClock.sleep(5)
    }
  }
  const loops = Promise.all([loop(), loop(), loop(), loop()])
  return {
    /** Codes of the failures so far. */
    codes,
    /** Ends it; resolves with how many frames were taken. */
    async stop() {
      stopped = true
      await loops
      return sent
    },
  }
}
