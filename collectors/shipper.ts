import { asServiceError, messageOf, type FailureCode } from '../core/errors.ts'
import type { Clock, Logger, TransportSender } from '../core/ports.ts'
import { backoffMs } from '../core/backoff.ts'
import { withDeadline } from './deadline.ts'
import type { Spool, SpooledBatch } from './spool/types.ts'

/**
 * Takes batches of one destination out of the spool, sends them and acknowledges what arrived. No batch is ever given up:
 * - when the destination fails, it is asked again after a growing pause, with one batch until one gets through;
 * - a batch that it refuses for what is in it is put aside, reported, and tried again much later; those behind it go on;
 * - on a SEQUENCE_CONFLICT everything that it has not acknowledged gets new numbers.
 */
export interface Shipper {
  start(): void
  /** Resolves when the destination has everything; rejects when the signal aborts. */
  drained(signal: AbortSignal): Promise<void>
  /** Gives back what is on its way. */
  stop(): Promise<void>
  status(): DestinationStatus
}

export interface DestinationStatus {
  readonly name: string
  /** Batches that it acknowledged since the start. */
  readonly sent: number
  /** Failed sends since the last one that got through. */
  readonly failures: number
  /** Why the last send failed; null: it did not. */
  readonly problem: string | null
  /** Batches that it refuses for what is in them. */
  readonly refused: number
}

export interface ShipperOptions {
  readonly destination: string
  readonly spool: Pick<Spool, 'take' | 'ack' | 'giveBack' | 'renumber' | 'epochs'>
  readonly sender: Pick<TransportSender, 'send'>
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
}

/** Enough to keep a link of 100 ms busy with half a megabyte each, little enough to hold in memory. */
const IN_FLIGHT_MAX = 4
const SEND_DEADLINE_MS = 30_000
const RETRY_BACKOFF = { baseMs: 250, maxMs: 30_000 }
/** A refused batch can only get through after a change at the other side. */
const REFUSED_RETRY_MS = 60_000
/** With more of them it is rather the destination that is wrong: it then waits as a whole. */
const REFUSED_MAX = 16
const DRAIN_LOOK_MS = 20
const REFUSALS = new Set<FailureCode>(['BATCH_MALFORMED', 'BATCH_TOO_LARGE', 'RECORD_REFUSED', 'BAD_REQUEST'])

export function createShipper({
  destination,
  spool,
  sender,
  clock,
  random,
  ...options
}: ShipperOptions): Shipper {
  const log = options.log.child({ destination })
  const stopping = new AbortController()
  const { signal } = stopping
  const inFlight = new Set<Promise<void>>()
  const refused = new Map<number, () => void>() // ref → cancels its next try
  let sent = 0
  let failures = 0
  let problem: string | null = null
  let pausedUntilMs = 0
  let conflict = false
  let running: Promise<void> | null = null

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        if (inFlight.size < (failures > 0 ? 1 : IN_FLIGHT_MAX)) await ship()
        else await Promise.race(inFlight)
      } catch (error) {
        if (signal.aborted) return
        log.error({ error }, 'taking a batch out of the spool failed')
        pause(0)
        await untilResumed().catch(() => undefined)
      }
    }
  }

  async function ship(): Promise<void> {
    const batch = await spool.take(destination, signal)
    try {
      await untilResumed()
    } catch (error) {
      spool.giveBack(destination, batch.ref)
      throw error
    }
    if (conflict) {
      spool.giveBack(destination, batch.ref)
      return renumber()
    }
    const delivery = deliver(batch).finally(() => inFlight.delete(delivery))
    inFlight.add(delivery)
  }

  async function untilResumed(): Promise<void> {
    for (let leftMs = 1; leftMs > 0;) {
      leftMs = pausedUntilMs - clock.monotonicMs()
      if (leftMs > 0) await clock.sleep(leftMs, signal)
    }
  }

  async function deliver(batch: SpooledBatch): Promise<void> {
    try {
      await withDeadline((signal) => sender.send(batch.frame, signal), {
        deadlineMs: SEND_DEADLINE_MS,
        clock,
        signal,
      })
      spool.ack(destination, batch.ref)
      sent++
      if (failures > 0) log.info({ failures }, 'destination takes batches again')
      failures = 0
      problem = null
    } catch (error) {
      failed(batch, error)
    }
  }

  function failed(batch: SpooledBatch, error: unknown): void {
    const expected = asServiceError(error)
    const { epoch, seq, ref } = batch
    if (expected !== undefined && REFUSALS.has(expected.code) && refused.size < REFUSED_MAX) {
      log.error(
        { epoch, seq, code: expected.code, error: messageOf(error) },
        'batch is refused: kept and tried again later',
      )
      refused.set(
        ref,
        clock.after(REFUSED_RETRY_MS, () => retry(ref)),
      )
      return
    }
    spool.giveBack(destination, ref)
    if (signal.aborted) return
    const told = problem
    problem = messageOf(error)
    conflict ||= expected?.code === 'SEQUENCE_CONFLICT'
    const asked = Number(expected?.details['retryAfterMs'] ?? 0)
    pause(Math.max(asked, expected !== undefined && REFUSALS.has(expected.code) ? REFUSED_RETRY_MS : 0))
    if (expected === undefined) log.error({ epoch, seq, error }, 'sending a batch failed')
    else if (told !== problem)
      log.warn({ epoch, seq, code: expected.code, error: problem }, 'destination takes no batches')
  }

  /** Batches that fail together count as one failure. */
  function pause(leastMs: number): void {
    const nowMs = clock.monotonicMs()
    const ownMs = pausedUntilMs > nowMs ? 0 : backoffMs(failures++, RETRY_BACKOFF, random)
    pausedUntilMs = Math.max(pausedUntilMs, nowMs + Math.max(leastMs, ownMs))
  }

  function retry(ref: number): void {
    refused.delete(ref)
    spool.giveBack(destination, ref)
  }

  /** Nothing may be on its way under an old number meanwhile. */
  async function renumber(): Promise<void> {
    await Promise.all(inFlight)
    for (const [ref, cancel] of refused) {
      cancel()
      retry(ref)
    }
    try {
      await spool.renumber(destination)
      conflict = false
      log.warn({}, 'destination has other batches under our numbers: what it lacks was numbered anew')
    } catch (error) {
      log.error({ error }, 'numbering batches anew failed')
      pause(0)
    }
  }

  const isDrained = () => spool.epochs(destination).every(({ pending }) => pending.length === 0)

  return {
    start() {
      running ??= run()
    },
    async drained(signal) {
      while (!isDrained()) await clock.sleep(DRAIN_LOOK_MS, signal)
    },
    async stop() {
      stopping.abort()
      await running
      await Promise.all(inFlight)
      for (const cancel of refused.values()) cancel()
    },
    status: () => ({ name: destination, sent, failures, problem, refused: refused.size }),
  }
}
