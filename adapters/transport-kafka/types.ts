/** Where a Kafka cluster answers and who we are to it. */
export interface KafkaConnection {
  /** `host:port` */
  readonly brokers: readonly string[]
  /** Topics are `<prefix>.logs`, …; a prefix per installation keeps several on one cluster apart. */
  readonly prefix: string
  readonly clientId: string
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  } | null
  /** PEM texts; `ca` null: what the system trusts. With `cert` and `key` we show who we are. */
  readonly tls: {
    readonly ca: string | null
    readonly cert: string | null
    readonly key: string | null
  } | null
}

export interface KafkaTopicOptions {
  readonly partitions: number
  readonly replication: number
  /** How long an outage of the aggregators may last. */
  readonly retentionMs: number
  readonly segmentMs: number
}

/** What a message is; anything else in our topics is foreign. */
export type MessageType = 'frame' | 'mark' | 'health'

/** Header that tells what a message is. */
export const TYPE_HEADER = 'type'

export function logsTopic({ prefix }: Pick<KafkaConnection, 'prefix'>): string {
  return `${prefix}.logs`
}

export function healthTopic({ prefix }: Pick<KafkaConnection, 'prefix'>): string {
  return `${prefix}.health`
}

/** A message as it was read. */
export interface KafkaMessage {
  readonly partition: number
  readonly offset: number
  /** The value of its type header, whatever it is. */
  readonly type: string | null
  readonly value: Buffer | null
  /** When the broker took it, by the broker's clock; null: the topic does not have it stamped. */
  readonly appendedMs: number | null
}

/** Offsets of a partition: the oldest message kept, and one behind the newest. */
export interface Watermarks {
  readonly low: number
  readonly high: number
}

/** The client library behind functions of ours: everything below adapters/transport-kafka/ sees only this. Errors are the library's. */
export interface KafkaClient {
  admin(): Promise<KafkaAdmin>
  producer(): Promise<KafkaProducer>
  /** Resolves when the group was joined, or the library gave up trying and `onCrash` was called. */
  consumer(options: KafkaConsumerOptions): Promise<KafkaConsumer>
}

export interface KafkaProducer {
  /** Resolves when the replicas that `acks` asks for have it: all in sync, or the leader alone. Settles in any case, but not at once. */
  send(message: {
    readonly acks: 'all' | 'leader'
    readonly topic: string
    readonly partition: number
    readonly key: string
    readonly type: MessageType
    readonly value: Buffer
  }): Promise<void>
  disconnect(): Promise<void>
}

export interface KafkaAdmin {
  /** False: it was there already. */
  createTopic(
    topic: string,
    options: KafkaTopicOptions,
    config: Readonly<Record<string, string>>,
  ): Promise<boolean>

  topicConfig(topic: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>>
  partitions(topic: string): Promise<number>
  watermarks(topic: string): Promise<ReadonlyMap<number, Watermarks>>
  /** Partitions for which the group has committed an offset. */
  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, number>>
  /** How many members the group has now. */
  members(groupId: string): Promise<number>
  disconnect(): Promise<void>
}

export interface KafkaConsumerOptions {
  readonly groupId: string
  readonly topic: string
  /** Where a partition is read from of which the group has committed nothing; what is committed, and by whom, is the caller's. */
  readonly from: 'oldest' | 'end'
  /** We have these partitions now; called again after every rebalance, before anything is fetched. */
  readonly onAssigned: (consumer: KafkaConsumer, partitions: readonly number[], leader: boolean) => void
  /** Nothing more is fetched for anybody until this resolves. */
  readonly onMessages: (partition: number, fetched: Fetched) => Promise<void>
  /** The library gave up; it does not come back by itself. */
  readonly onCrash: (error: unknown) => void
  /** A sign of life: something was fetched, or the group answered. */
  readonly onAlive: () => void
}

/** What was read of one partition in one go. */
export interface Fetched {
  /** Every message from this offset to the last of `messages` is there. */
  readonly fetchedFrom: number
  /** In order of offset. */
  readonly messages: readonly KafkaMessage[]
  /** One behind the newest message of the partition. */
  readonly high: number
}

/** A member of a group. */
export interface KafkaConsumer {
  /** Reads go on from here, at the next fetch. */
  seek(partition: number, offset: number): void
  pause(partition: number): void
  resume(partition: number): void
  commit(offsets: ReadonlyMap<number, number>): Promise<void>
  /** Leaves the group. */
  disconnect(): Promise<void>
}

/** Messages that nobody can read any more: [fromOffset, toOffset). */
export interface KafkaLoss {
  readonly site: string
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number
  readonly toOffset: number
}
