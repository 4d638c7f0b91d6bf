import type {
  KafkaAdmin,
  KafkaClient,
  KafkaConsumer,
  KafkaConsumerOptions,
  KafkaMessage,
} from '../../adapters/transport-kafka/types.ts'

/** A member of the group as the broker and the library see it. */
export interface FakeMember {
  readonly options: KafkaConsumerOptions
  readonly consumer: KafkaConsumer
  /** Partition → where the library reads next. */
  readonly positions: Map<number, number>
  readonly paused: Set<number>
  gone: boolean
}

/**
 * A topic and a group in memory, led by the test. It behaves as kafkajs does, its traps included: after a rebalance reading starts
 * from what is committed, an offset that was dropped is silently replaced by the oldest, and what was handed over counts as read
 * whatever became of it.
 */
export interface FakeKafka {
  readonly client: KafkaClient
  readonly members: FakeMember[]
  readonly committed: Map<number, number>
  /** Fails commits while true. */
  broken: boolean
  append(partition: number, type: string, value?: Buffer): KafkaMessage
  /** Retention drops what is below. */
  dropBelow(partition: number, offset: number): void
  messages(partition: number): readonly KafkaMessage[]
  high(partition: number): number
  /** Hands at most `count` messages to the member; resolves when it took them. */
  fetch(member: FakeMember, partition: number, count: number): Promise<void>
  /** Gives each partition to the member at this index. */
  assign(owners: readonly number[]): void
}

export function createFakeKafka(partitions: number): FakeKafka {
  const logs = Array.from({ length: partitions }, () => ({ low: 0, high: 0, messages: [] as KafkaMessage[] }))
  const committed = new Map<number, number>()
  const members: FakeMember[] = []
  const logOf = (partition: number) => logs[partition] ?? { low: 0, high: 0, messages: [] }

  const admin: KafkaAdmin = {
    createTopic: async () => true,
    topicConfig: async () => new Map(),
    partitions: async () => partitions,
    watermarks: async () => new Map(logs.map(({ low, high }, partition) => [partition, { low, high }])),
    committed: async () => new Map(committed),
    members: async () => members.filter(({ gone }) => !gone).length,
    disconnect: async () => {},
  }

  function consumerOf(member: Omit<FakeMember, 'consumer'>): KafkaConsumer {
    return {
      seek: (partition, offset) =>
        void (member.positions.has(partition) && member.positions.set(partition, offset)),
      pause: (partition) => void member.paused.add(partition),
      resume: (partition) => void member.paused.delete(partition),
      async commit(offsets) {
        if (fake.broken) throw new Error('the group is rebalancing')
        for (const [partition, offset] of offsets) committed.set(partition, offset)
      },
      async disconnect() {
        member.gone = true
      },
    }
  }

  function startOf({ options }: FakeMember, partition: number): number {
    const { low, high } = logOf(partition)
    return committed.get(partition) ?? (options.from === 'end' ? high : low)
  }

  const fake: FakeKafka = {
    members,
    committed,
    broken: false,
    client: {
      admin: async () => admin,
      producer: () => Promise.reject(new Error('nobody sends here')),
      async consumer(options) {
        const bare = { options, positions: new Map<number, number>(), paused: new Set<number>(), gone: false }
        const consumer = consumerOf(bare)
        members.push(Object.assign(bare, { consumer }))
        options.onAssigned(consumer, [], true)
        return consumer
      },
    },
    append(partition, type, value = Buffer.alloc(10)) {
      const log = logOf(partition)
      const message = { partition, offset: log.high++, type, value, appendedMs: 1 }
      log.messages.push(message)
      return message
    },
    dropBelow(partition, offset) {
      const log = logOf(partition)
      log.low = Math.max(log.low, Math.min(offset, log.high))
      log.messages = log.messages.filter((message) => message.offset >= log.low)
    },
    messages: (partition) => logOf(partition).messages,
    high: (partition) => logOf(partition).high,
    async fetch(member, partition, count) {
      const { low, high, messages } = logOf(partition)
      const position = member.positions.get(partition)
      if (position === undefined || member.paused.has(partition) || member.gone) return
      if (position < low || position > high) {
        member.positions.set(partition, low)
        return
      }
      const given = messages.filter(({ offset }) => offset >= position).slice(0, count)
      const last = given.at(-1)
      if (last === undefined) return
      await member.options.onMessages(partition, { fetchedFrom: position, messages: given, high })
      if (member.positions.get(partition) === position) member.positions.set(partition, last.offset + 1)
    },
    assign(owners) {
      for (const [index, member] of members.entries()) {
        if (member.gone) continue
        const own = owners.flatMap((owner, partition) => (owner === index ? [partition] : []))
        member.positions.clear()
        for (const partition of own) member.positions.set(partition, startOf(member, partition))
        member.options.onAssigned(member.consumer, own, index === 0)
      }
    },
  }
  return fake
}
