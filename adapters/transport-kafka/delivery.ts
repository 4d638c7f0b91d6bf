import { asServiceError, messageOf, type FailureCode } from '../../core/errors.ts'
import type { Clock, Intake, Logger, Origin, Quarantine } from '../../core/ports.ts'
import { decodeFrame, markSchema, type Mark } from '../../core/wire.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { KafkaMessage } from './types.ts'

const RETRY_BACKOFF = { baseMs: 200, maxMs: 15_000 }
/** A busy pipeline has room again soon. */
const BUSY_BACKOFF = { baseMs: 100, maxMs: 1_000 }
/** What the quarantine shows of bytes that cannot be read. */
const FOREIGN_TEXT_BYTES = 512
/** How many of the newest entries are searched for a message that comes again. */
const QUARANTINE_LOOK_BACK = 10_000
/** What is wrong with the batch itself: no later attempt can end otherwise, and no collector hears of it any more. */
const REFUSALS: ReadonlySet<FailureCode> = new Set([
  'SEQUENCE_CONFLICT',
  'BATCH_MALFORMED',
  'BATCH_TOO_LARGE',
  'BAD_REQUEST',
])

export type DeliveryResult = 'stored' | 'duplicate' | 'mark' | 'unstamped' | 'quarantined'

export interface DeliveryOptions {
  readonly site: string
  readonly topic: string
  readonly intake: Intake
  readonly quarantine: Quarantine
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  /** A message is done. */
  readonly onResult: (result: DeliveryResult) => void
}

export interface Delivery {
  /**
   * Resolves when the message is stored, or stands in the quarantine: failures that can pass are tried again for ever, with
   * pauses. Rejects only when the signal aborts.
   */
  deliver(message: KafkaMessage, signal: AbortSignal): Promise<void>
  /** Why messages are not taken now; null: they are. */
  problem(): string | null
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { site, topic, intake, quarantine, clock, log, random, onResult } = options
  let problem: string | null = null
  let unstampedTold = false

  function succeeded() {
    if (problem !== null) log.info({ topic }, 'batches are taken again')
    problem = null
  }

  function failed(error: unknown, sender: string) {
    const text = messageOf(error)
    const code = asServiceError(error)?.code
    if (problem === text) return
    problem = text
    if (code === undefined)
      log.error({ sender, err: error }, 'a batch is not taken because of a bug; it is tried again')
    else log.warn({ sender, code, error: text }, 'batches are not taken now; they are tried again')
  }

  /** Until it succeeds, is refused for good (the error is thrown), or the signal aborts. */
  async function persist<T>(work: () => Promise<T>, sender: string, signal: AbortSignal): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted()
      try {
        const result = await work()
        succeeded()
        return result
      } catch (error) {
        signal.throwIfAborted()
        const failure = asServiceError(error)
        if (failure !== undefined && REFUSALS.has(failure.code)) throw error
        const busy = failure?.code === 'OVERLOADED'
        if (!busy) failed(error, sender)
        const askedMs = Number(failure?.details['retryAfterMs'] ?? 0) * (1 + random())
        const ownMs = backoffMs(attempt, busy ? BUSY_BACKOFF : RETRY_BACKOFF, random)
        await clock.sleep(Math.max(askedMs, ownMs), signal)
      }
    }
  }

  /** A message that comes again, or that the intake put there itself, is not put there twice. */
  async function setAside(texts: readonly string[], reason: string, sender: string, signal: AbortSignal) {
    await persist(
      async () => {
        const { entries } = await quarantine.list(QUARANTINE_LOOK_BACK)
        if (entries.some((entry) => entry.site === site && entry.sender === sender)) return
        await quarantine.put(texts.map((text) => ({ reason, site, sender, text })))
        log.warn({ site, sender, reason, entries: texts.length }, 'a message was put into the quarantine')
      },
      sender,
      signal,
    )
  }

  async function foreign({ value }: KafkaMessage, reason: string, sender: string, signal: AbortSignal) {
    const text = (value ?? Buffer.alloc(0)).subarray(0, FOREIGN_TEXT_BYTES).toString('base64')
    await setAside([text], reason, sender, signal)
    return 'quarantined' as const
  }

  /** What is wrong with the message itself goes to the quarantine: the lines of a batch, where they can be read. */
  async function handOver<T>(
    message: KafkaMessage,
    { sender }: Origin,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T | 'quarantined'> {
    try {
      return await persist(work, sender, signal)
    } catch (error) {
      const failure = asServiceError(error)
      if (signal.aborted || failure === undefined) throw error
      const reason = `${failure.code}: ${failure.message}`
      const lines = failure.code === 'SEQUENCE_CONFLICT' ? await linesOf(message.value) : []
      if (lines.length === 0) return foreign(message, reason, sender, signal)
      await setAside(lines, reason, sender, signal)
      return 'quarantined'
    }
  }

  /** Without the broker's time nobody knows how old a mark is: it could only make answers look complete that are not. */
  async function mark(message: KafkaMessage, mark: Mark, origin: Origin, signal: AbortSignal) {
    if (origin.arrivedAtMs !== undefined)
      return handOver(message, origin, signal, async () => {
        await intake.mark(mark, origin)
        return 'mark' as const
      })
    if (!unstampedTold)
      log.error(
        { topic },
        'marks are ignored, so no answer of this site is complete: set message.timestamp.type=LogAppendTime on the topic',
      )
    unstampedTold = true
    return 'unstamped' as const
  }

  async function take(message: KafkaMessage, signal: AbortSignal): Promise<DeliveryResult> {
    const { type, value, appendedMs } = message
    const sender = `${topic}/${message.partition}@${message.offset}`
    const origin = appendedMs === null ? { site, sender } : { site, sender, arrivedAtMs: appendedMs }
    if (type === 'frame' && value !== null)
      return handOver(message, origin, signal, () => intake.batch(value, origin, signal))
    const parsed = type === 'mark' && value !== null ? parseMark(value) : null
    if (parsed !== null) return mark(message, parsed, origin, signal)
    const what =
      type === 'mark' ? 'a mark that cannot be read' : `a message of the type ${JSON.stringify(type)}`
    return foreign(message, `BATCH_MALFORMED: ${what}`, sender, signal)
  }

  return {
    async deliver(message, signal) {
      onResult(await take(message, signal))
    },
    problem: () => problem,
  }
}

function parseMark(value: Buffer): Mark | null {
  try {
    return markSchema.parse(JSON.parse(value.toString('utf8')))
  } catch {
    return null
  }
}

/** The lines of a batch; none when it cannot be read or has none. */
async function linesOf(frame: Buffer | null): Promise<string[]> {
  const batch = await decodeFrame(frame ?? Buffer.alloc(0)).catch(() => null)
  return batch === null ? [] : batch.body.toString('utf8').split('\n').slice(0, -1)
}
