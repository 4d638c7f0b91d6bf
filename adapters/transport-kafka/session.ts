import { messageOf, ServiceError } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { toServiceError } from './failures.ts'
import { createLane, type Lane } from './lane.ts'
import type { TopicCheck } from './topics.ts'
import {
  logsTopic,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaConnection,
  type KafkaConsumer,
  type KafkaLoss,
  type Fetched,
  type KafkaMessage,
  type Watermarks,
} from './types.ts'

/** How often offsets are committed, at most. */
const COMMIT_EVERY_MS = 500
const WATCH_EVERY_MS = 5_000
/** The library reads or beats every few seconds; a broker that is busy or restarts gets this long. */
const SILENT_MS_MAX = 40_000
/** Looks at the broker's offsets in a row that show news for a partition of which we read nothing. */
const STALLED_LOOKS_MAX = 6
/** A member that died without a word stays in its group for its session timeout. */
const ALONE_WITHIN_MS = 13_000
const ALONE_LOOK_MS = 1_000
const LEAVE_WITHIN_MS = 5_000
/** Of all partitions together, beside what one fetch brings. */
const IN_FLIGHT_BYTES_MAX = 64 << 20

export interface SessionOptions {
  readonly site: string
  readonly connection: KafkaConnection
  readonly checkTopic: TopicCheck
  readonly groupId: string
  readonly exclusive: boolean
  readonly client: KafkaClient
  /** Resolves when the message is done; rejects only when the signal aborts. */
  readonly deliver: (message: KafkaMessage, signal: AbortSignal) => Promise<void>
  /** Of one partition, read and not done: more is not read meanwhile. */
  readonly laneBytesMax: number
  readonly onLost: (loss: KafkaLoss) => void
  readonly clock: Clock
  readonly log: Logger
}

/** One membership in a group, from joining until it fails or is left. */
export interface Session {
  /** Never resolves; rejects with a ServiceError when the session is of no use any more. */
  readonly failed: Promise<never>
  readonly partitions: number
  /** We have the first partition, which one member of the group has. */
  readonly leads: boolean
  /** Messages in the topic that are not done, as of the last look. */
  readonly lag: number
  readonly bytes: number
  /** Reads nothing more, finishes what was read unless the signal aborts, commits and leaves. */
  stop(signal: AbortSignal): Promise<void>
  /** Gives up what is not finished, and leaves. */
  close(): Promise<void>
}

interface Assigned {
  readonly lane: Lane
  committed: number
  paused: boolean
  /** What the last look found: `next` then, and for how many looks it has not moved in spite of news. */
  lookedNext: number
  stalledLooks: number
}

/** Below every offset. */
const NOTHING = -1

/** Joins the group; throws a ServiceError when that fails. BAD_CONFIG: the group is exclusive and has another member. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { connection, checkTopic, client } = options
  const fail = (error: unknown) => toServiceError(error, connection)
  const admin = await client.admin().catch((error: unknown) => {
    throw fail(error)
  })
  try {
    await checkTopic(admin)
    if (options.exclusive) await untilAlone(admin, options)
    return await join(options, admin)
  } catch (error) {
    void admin.disconnect().catch(() => undefined)
    throw fail(error)
  }
}

async function untilAlone(admin: KafkaAdmin, { groupId, connection, clock }: SessionOptions): Promise<void> {
  const untilMs = clock.monotonicMs() + ALONE_WITHIN_MS
  for (;;) {
    try {
      if ((await admin.members(groupId)) === 0) return
      if (clock.monotonicMs() > untilMs) throw notAlone(groupId)
    } catch (error) {
      // The broker that keeps the group may have to load it first.
      const passes = toServiceError(error, connection).code === 'STORE_UNAVAILABLE'
      if (!passes || clock.monotonicMs() > untilMs) throw error
    }
    await clock.sleep(ALONE_LOOK_MS)
  }
}

function notAlone(groupId: string): ServiceError {
  const message = `another process is a member of the Kafka group "${groupId}", which may have only one: a store has one owner`
  return new ServiceError('BAD_CONFIG', message, { groupId, retryAfterMs: ALONE_WITHIN_MS })
}

async function join(options: SessionOptions, admin: KafkaAdmin): Promise<Session> {
  const { site, connection, groupId, exclusive, client, deliver, laneBytesMax, onLost, clock, log } = options
  const topic = logsTopic(connection)
  const assigned = new Map<number, Assigned>()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined)
  const over = new AbortController()
  let consumer: KafkaConsumer | null = null
  let opening: Promise<void> = Promise.resolve()
  let generation = 0
  let stopping = false
  let aliveMs = clock.monotonicMs()
  let committing: Promise<void> | null = null
  let commitFailedMs: number | null = null
  let cancelCommit: (() => void) | null = null
  let cancelWatch = () => {}
  let drained = () => {}
  let lag = 0

  function fail(error: unknown) {
    failure.reject(toServiceError(error, connection))
  }

  function lost(partition: number, fromOffset: number, toOffset: number) {
    log.error(
      { topic, partition, fromOffset, toOffset },
      'messages are lost: the topic dropped them before they were read (retention)',
    )
    onLost({ site, topic, partition, fromOffset, toOffset })
  }

  function onAssigned(current: KafkaConsumer, partitions: readonly number[], leader: boolean) {
    if (exclusive && !leader) return fail(notAlone(groupId))
    consumer = current
    const now = ++generation
    for (const [partition, { lane }] of assigned) {
      if (partitions.includes(partition)) continue
      lane.close()
      assigned.delete(partition)
    }
    // The library would start again from what is committed; what was read already need not come twice.
    for (const [partition, { lane }] of assigned) current.seek(partition, lane.next)
    const missing = partitions.filter((partition) => !assigned.has(partition))
    // Nor may it look at the others before us: where a committed offset is gone, it would replace it by the oldest and tell nobody.
    for (const partition of missing) current.pause(partition)
    opening = opening.then(() => openLanes(current, missing, now)).catch(fail)
    log.info({ topic, groupId, partitions }, 'partitions assigned')
  }

  async function openLanes(current: KafkaConsumer, missing: readonly number[], now: number) {
    if (missing.length === 0 || now !== generation) return
    const [committed, marks] = await Promise.all([admin.committed(groupId, topic), admin.watermarks(topic)])
    if (now !== generation) return
    for (const partition of missing) {
      const known = committed.get(partition)
      const from = startOf(partition, known, marks.get(partition) ?? { low: 0, high: 0 })
      const lane = createLane({ from, deliver: deliverOrFail, onDone: () => onDone(partition) })
      const state = { lane, committed: known ?? NOTHING, paused: false, lookedNext: from, stalledLooks: 0 }
      assigned.set(partition, state)
      current.seek(partition, from)
      current.resume(partition)
    }
    // Where a new group starts is committed, too: what retention takes from then on is known to be lost.
    commitSoon()
  }

  async function deliverOrFail(message: KafkaMessage) {
    try {
      await deliver(message, over.signal)
    } catch (error) {
      if (!over.signal.aborted) fail(error)
      throw error
    }
  }

  function startOf(partition: number, committed: number | undefined, { low, high }: Watermarks): number {
    if (committed === undefined) return low
    if (committed < low) lost(partition, committed, low)
    if (committed > high)
      log.error(
        { topic, partition, committed, low, high },
        'the topic was made anew: what it held before and was not read is lost',
      )
    return committed > high ? low : Math.max(committed, low)
  }

  async function onMessages(partition: number, { messages, fetchedFrom, high }: Fetched) {
    await opening
    const state = assigned.get(partition)
    const first = messages[0]?.offset
    if (stopping || state === undefined || first === undefined) return
    const { lane } = state
    if (high < lane.next) return fail(new Error(`topic ${topic} was made anew or cut off`))
    // A hole in what was read in one go is no loss: offsets that never were messages, as a foreign producer's transactions leave.
    if (fetchedFrom > lane.next) await skipWhatIsGone(partition, lane, fetchedFrom)
    if (assigned.get(partition) !== state) return
    if (fetchedFrom > lane.next) return consumer?.seek(partition, lane.next)
    lane.accept(messages)
    applyBackPressure(partition, state)
  }

  /** The library goes on from the oldest message when the one that we expect was dropped. */
  async function skipWhatIsGone(partition: number, lane: Lane, fetchedFrom: number) {
    const low = (await admin.watermarks(topic)).get(partition)?.low ?? 0
    if (low <= lane.next) return
    const to = Math.min(low, fetchedFrom)
    lost(partition, lane.next, to)
    lane.skipTo(to)
  }

  function applyBackPressure(partition: number, state: Assigned) {
    const bytesMax = Math.min(laneBytesMax, IN_FLIGHT_BYTES_MAX / assigned.size)
    const full = state.lane.bytes >= bytesMax
    const empty = state.lane.bytes <= bytesMax / 2
    if (stopping || (state.paused ? !empty : !full)) return
    try {
      if (state.paused) consumer?.resume(partition)
      else consumer?.pause(partition)
      state.paused = !state.paused
    } catch (error) {
      fail(error) // It has crashed and will say so; nothing is lost.
    }
  }

  function onDone(partition: number) {
    const state = assigned.get(partition)
    if (state !== undefined) applyBackPressure(partition, state)
    commitSoon()
    if (isDrained()) drained()
  }

  function commitSoon() {
    if (!over.signal.aborted) cancelCommit ??= clock.after(COMMIT_EVERY_MS, () => void commit())
  }

  function isDrained(): boolean {
    return [...assigned.values()].every(({ lane }) => lane.done === lane.next)
  }

  async function commit(): Promise<void> {
    cancelCommit?.()
    cancelCommit = null
    await committing
    committing = commitDone()
    await committing
    committing = null
  }

  async function commitDone() {
    const due = [...assigned].filter(([, { lane, committed }]) => lane.done > committed)
    const offsets = new Map(due.map(([partition, { lane }]) => [partition, lane.done]))
    if (offsets.size === 0 || consumer === null) return
    try {
      await consumer.commit(offsets)
      commitFailedMs = null
      for (const [partition, offset] of offsets) {
        const state = assigned.get(partition)
        if (state !== undefined) state.committed = offset
      }
    } catch (error) {
      // In the middle of a rebalance, or the broker is away.
      log.debug({ topic, error: messageOf(error) }, 'offsets could not be committed')
      commitFailedMs ??= clock.monotonicMs()
      if (clock.monotonicMs() - commitFailedMs > SILENT_MS_MAX) fail(error)
      else commitSoon()
    }
  }

  function watch() {
    cancelWatch = clock.after(WATCH_EVERY_MS, () => {
      const silentMs = clock.monotonicMs() - aliveMs
      if (silentMs > SILENT_MS_MAX) fail(new Error(`nothing heard for ${Math.round(silentMs / 1_000)} s`))
      void look().finally(() => {
        if (!over.signal.aborted) watch()
      })
    })
  }

  async function look() {
    const marks = await admin.watermarks(topic).catch(() => null)
    if (marks === null) return
    lag = 0
    for (const [partition, state] of assigned) {
      const { next, done } = state.lane
      const high = marks.get(partition)?.high ?? next
      lag += Math.max(0, high - done)
      const stalled = !state.paused && high > next && state.lookedNext === next
      state.stalledLooks = stalled ? state.stalledLooks + 1 : 0
      state.lookedNext = next
      if (state.stalledLooks >= STALLED_LOOKS_MAX) fail(new Error(`nothing is read of ${topic}/${partition}`))
    }
  }

  async function leave() {
    over.abort()
    cancelWatch()
    cancelCommit?.()
    for (const { lane } of assigned.values()) lane.close()
    const gone = Promise.allSettled([consumer?.disconnect(), admin.disconnect()])
    await Promise.race([gone, clock.sleep(LEAVE_WITHIN_MS)])
  }

  const onAlive = () => {
    aliveMs = clock.monotonicMs()
  }
  const joining = client.consumer({
    groupId,
    topic,
    from: 'oldest',
    onAssigned,
    onMessages,
    onCrash: fail,
    onAlive,
  })
  await Promise.race([joining, failure.promise]).catch((error: unknown) => {
    void joining.then((joined) => joined.disconnect()).catch(() => undefined)
    throw error
  })
  watch()

  return {
    failed: failure.promise,
    get partitions() {
      return assigned.size
    },
    get leads() {
      return assigned.has(0)
    },
    get lag() {
      return lag
    },
    get bytes() {
      return [...assigned.values()].reduce((sum, { lane }) => sum + lane.bytes, 0)
    },
    async stop(signal) {
      stopping = true
      const { promise: ended, resolve: end } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => end(), { once: true })
      if (signal.aborted) end()
      await Promise.race([opening, ended])
      drained = end
      if (isDrained()) end()
      await Promise.race([ended, failure.promise]).catch(() => undefined)
      await Promise.race([commit(), clock.sleep(LEAVE_WITHIN_MS)])
      await leave()
    },
    close: leave,
  }
}
