import type { BatchHeader, Mark } from '../../core/wire.ts'

/** Where reading of a source goes on. JSON, owned by the source; the spool only keeps it. */
export type Position = Readonly<Record<string, string | number | boolean | null>>
/** Source key → its position. */
export type Positions = Readonly<Record<string, Position>>
/** Source key → new position, or null to forget it. */
export type PositionChanges = Readonly<Record<string, Position | null>>

/** A batch before it has a number. */
export interface BatchDraft {
  readonly header: Omit<
    BatchHeader,
    'v' | 'collector' | 'epoch' | 'seq' | 'previous' | 'bodyBytes' | 'tombstones'
  >
  readonly body: Uint8Array
}

export interface SpooledBatch {
  /** Handle for `ack` and `giveBack`. */
  readonly ref: number
  readonly epoch: string
  readonly seq: number
  readonly frame: Buffer
}

/**
 * The collector's on-disk journal of batches not yet acknowledged by every destination.
 * - A new epoch is drawn at every open; batches are numbered 1, 2, 3 … in it, in the order of the calls of `append`.
 * - `append` resolves when the batch and its positions are durable, in one step (group commit). DISK_FULL or OVERLOADED (spool full):
 *   nothing was written, no number was used, the source holds and tries again.
 *   Order is kept by refusals too: appends settle in the order of the calls, and one that was called before an earlier one was refused
 *   is refused as well (or else its positions would claim the lines of the earlier one).
 * - Acknowledgements are persisted lazily: after a crash a batch may be given out again, under the same number and bytes.
 * - A torn tail is cut at open; a corrupt batch in the middle is set aside, counted and skipped: its number stays missing.
 */
export interface Spool {
  readonly collector: string
  readonly epoch: string
  /** All durable positions. */
  positions(): Positions
  append(draft: BatchDraft, changes: PositionChanges): Promise<void>
  /** The oldest batch that `destination` was not given yet; waits for one. Rejects when the signal aborts. */
  take(destination: string, signal: AbortSignal): Promise<SpooledBatch>
  /** The destination holds it durably. */
  ack(destination: string, ref: number): void
  /** Sending failed: the next `take` of that destination gives it again, before newer ones. */
  giveBack(destination: string, ref: number): void
  /**
   * After a SEQUENCE_CONFLICT, once all other sends to that destination are settled: draws a new live epoch, and gives every batch
   * that `destination` has not acknowledged a new number, atomically. These get an epoch of their own, so that no other destination
   * misses their numbers; the last of them carries tombstones (`RENUMBERED`) for the numbers they had. What was taken counts as
   * given back: an `ack` for it is ignored.
   */
  renumber(destination: string): Promise<void>
  /**
   * What a mark to that destination says about the spool. Named are the epochs of which it has batches to come, those whose end it may
   * not know (it has not acknowledged the first batch of the epoch behind, which tells), and the live one.
   */
  epochs(destination: string): Mark['epochs']
  stats(): SpoolStats
  /** Persists the acknowledgements and closes. */
  close(): Promise<void>
}

export interface SpoolStats {
  readonly batches: number
  readonly records: number
  readonly bytes: number
  readonly full: boolean
  /** Batches that failed their checksum and were set aside. */
  readonly corrupt: number
}
