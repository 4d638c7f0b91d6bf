import { messageOf } from '../../core/errors.ts'
import { isDiskFull } from '../../core/fs.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { checkpointOf } from './book.ts'
import type { Book } from './book.ts'
import { encodeCheckpoint } from './checkpoint.ts'
import type { Journal } from './journal.ts'

/** Writes checkpoints, one at a time, and then removes the segments that nobody needs by them. */
export interface Saver {
  /** Saves the book; or `next` instead, and then calls `apply` before anything else is saved. Rejects when it cannot be written. */
  save(change?: { readonly next: Book; readonly apply: () => void }): Promise<void>
  /** Within CHECKPOINT_MS. A failure is logged and tried again. */
  soon(): void
  /** The same, without the wait. */
  urgent(): void
  /** No more `soon`. */
  stop(): void
}

/** Acknowledgements of this long can be forgotten by a crash; the batches are then sent again under the same numbers. */
const CHECKPOINT_MS = 5_000

interface SaverOptions {
  readonly book: Book
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Logger
}

export function createSaver({ book, journal, clock, log }: SaverOptions): Saver {
  let last: Promise<unknown> = Promise.resolve()
  let cancel: (() => void) | undefined
  let queued = false
  let stopped = false

  function inTurn(work: () => Promise<void>): Promise<void> {
    const run = last.then(work)
    last = run.catch(() => undefined)
    return run
  }

  async function saveQuietly(): Promise<void> {
    queued = false
    try {
      await write(journal, book)
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'cannot write the checkpoint of the spool, trying again')
      soon()
    }
  }

  function urgent(): void {
    if (queued || stopped) return
    queued = true
    void inTurn(saveQuietly)
  }

  function soon(): void {
    if (stopped) return
    cancel ??= clock.after(CHECKPOINT_MS, () => {
      cancel = undefined
      urgent()
    })
  }

  return {
    save: (change) =>
      inTurn(async () => {
        await write(journal, change?.next ?? book)
        change?.apply()
      }),
    soon,
    urgent,
    stop() {
      stopped = true
      cancel?.()
    },
  }
}

async function write(journal: Journal, book: Book): Promise<void> {
  const dead = journal.dead()
  await journal.saveCheckpoint(encodeCheckpoint(checkpointOf(book)))
  for (const segment of dead) await journal.remove(segment)
  try {
    await journal.holdReserve()
  } catch (error) {
    if (!isDiskFull(error)) throw error
  }
}
