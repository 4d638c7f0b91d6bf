import { messageOf } from '../core/errors.ts'
import type { Clock, Logger, TransportSender } from '../core/ports.ts'
import type { Mark } from '../core/wire.ts'
import { withDeadline } from './deadline.ts'
import type { Spool } from './spool/types.ts'

export interface MarksOptions {
  readonly spool: Pick<Spool, 'collector' | 'epoch' | 'epochs'>
  readonly host: string
  readonly senders: ReadonlyMap<string, Pick<TransportSender, 'sendMark'>>
  /** How long ago every source was read to its end with all lines numbered; null: not yet. */
  readonly readAgeMs: () => number | null
  readonly clock: Clock
  readonly log: Logger
}

/** Tells every destination once a second what is numbered and read, on its own way beside the batches. A mark that fails is not repeated. */
export interface Marks {
  start(): void
  /** Ends the marks with one that says goodbye. */
  stop(): Promise<void>
}

const MARK_INTERVAL_MS = 1_000
/** A mark is believed from its arrival on: one that takes longer says nothing any more. */
const MARK_DEADLINE_MS = 2_000
/** Below what the parts of the program get to return after their time is up. */
const GOODBYE_DEADLINE_MS = 1_000

export function createMarks({ spool, host, senders, readAgeMs, clock, log }: MarksOptions): Marks {
  const stopping = new AbortController()
  const failing = new Set<string>()
  let loops: Promise<void>[] = []

  function markFor(destination: string, goodbye: boolean): Mark {
    const age = readAgeMs() // Before the numbers: every line that it claims is then among them.
    const epochs = spool.epochs(destination)
    const { collector, epoch } = spool
    const mark: Mark = { v: 1, collector, host, epoch, sentAtMs: clock.nowMs(), readAgeMs: age, epochs }
    return goodbye ? { ...mark, goodbye } : mark
  }

  async function sendOne(destination: string, goodbye: boolean): Promise<void> {
    const sender = senders.get(destination)
    // The goodbye comes after everything was told to stop.
    const limits = goodbye
      ? { deadlineMs: GOODBYE_DEADLINE_MS, signal: new AbortController().signal }
      : { deadlineMs: MARK_DEADLINE_MS, signal: stopping.signal }
    try {
      const mark = markFor(destination, goodbye)
      await withDeadline(async (signal) => sender?.sendMark(mark, signal), { clock, ...limits })
      if (failing.delete(destination)) log.info({ destination }, 'destination takes marks again')
    } catch (error) {
      if (stopping.signal.aborted && !goodbye) return
      if (!failing.has(destination))
        log.warn({ destination, error: messageOf(error) }, 'destination takes no marks')
      failing.add(destination)
    }
  }

  async function loop(destination: string): Promise<void> {
    const { signal } = stopping
    while (!signal.aborted) {
      const startMs = clock.monotonicMs()
      await sendOne(destination, false)
      const leftMs = Math.max(0, startMs + MARK_INTERVAL_MS - clock.monotonicMs())
      await clock.sleep(leftMs, signal).catch(() => undefined)
    }
  }

  return {
    start() {
      loops = [...senders.keys()].map(loop)
    },
    async stop() {
      stopping.abort()
      await Promise.all(loops)
      await Promise.all([...senders.keys()].map((name) => sendOne(name, true)))
    },
  }
}
