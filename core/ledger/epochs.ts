import type { Mark } from '../wire.ts'
import { containsSeq, missingIn, unionRange, type SeqRange } from './intervals.ts'
import type { BatchFacts, Checkpoint, EpochLedger } from './types.ts'

/** A duplicate comes from a sender that did not see the answer: it is never far behind the newest. */
export const DIGESTS_PER_EPOCH_MAX = 256
/** 128 bits of a digest tell two batches apart; the rest would only make the ledger larger. */
export const DIGEST_CHARS = 32
/** More than this and the least useful are dropped: gaps then get wider, never narrower. */
export const CHECKPOINTS_MAX = 64

/** When lines were written, by the aggregator's clock: not before `afterMs`, before `beforeMs` (null: not known yet). */
export interface Bounds {
  readonly afterMs: number
  readonly beforeMs: number | null
}

export function emptyEpoch(epoch: string, afterMs: number): EpochLedger {
  return {
    epoch,
    previous: null,
    afterMs,
    beforeMs: null,
    checkpoints: [],
    stored: [],
    lastSeq: 0,
    spoolLow: 1,
    pending: [],
    digests: [],
    seenAtMs: 0,
  }
}

/** The highest number of the epoch that anything told us of. */
export function highestSeq(epoch: EpochLedger): number {
  return Math.max(epoch.lastSeq, epoch.stored.at(-1)?.seqTo ?? 0)
}

/** Numbers that were given out and are not stored. */
export function missingSeqs(epoch: EpochLedger): SeqRange[] {
  return missingIn(epoch.stored, highestSeq(epoch))
}

/** When the lines of these numbers were written. Rests on marks alone: a collector's wall clock may jump at any time. */
export function boundsOf(epoch: EpochLedger, { seqFrom, seqTo }: SeqRange): Bounds {
  const before = epoch.checkpoints.findLast(({ seq }) => seq < seqFrom)
  const behind = epoch.checkpoints.find(({ seq }) => seq >= seqTo)
  return {
    afterMs: Math.max(epoch.afterMs, before?.coveredMs ?? 0),
    beforeMs: behind?.arrivedAtMs ?? epoch.beforeMs,
  }
}

export function isStored(epoch: EpochLedger, seq: number): boolean {
  return containsSeq(epoch.stored, seq)
}

export function epochWithBatch(epoch: EpochLedger, facts: BatchFacts): EpochLedger {
  const { seq, fromMs, toMs } = facts
  const kept = epoch.digests.slice(-(DIGESTS_PER_EPOCH_MAX - 1))
  return {
    ...epoch,
    previous: facts.previous ?? epoch.previous,
    stored: unionRange(epoch.stored, { seqFrom: seq, seqTo: seq, fromMs, toMs }),
    // concat copies a whole array at once: this is most of what a batch costs.
    digests: kept.concat([[seq, facts.digest.slice(0, DIGEST_CHARS)]]),
  }
}

/** `coveredMs`: everything written before it is numbered; 0 when the mark does not say so of this epoch. */
export function epochWithMark(
  epoch: EpochLedger,
  said: Mark['epochs'][number],
  { arrivedAtMs, coveredMs }: { arrivedAtMs: number; coveredMs: number },
): EpochLedger {
  const lastSeq = Math.max(epoch.lastSeq, said.lastSeq)
  const { pending, spoolLow } = said
  const marked = { ...epoch, lastSeq, spoolLow, pending, seenAtMs: arrivedAtMs }
  const checkpoints = withCheckpoint(epoch.checkpoints, { seq: lastSeq, coveredMs, arrivedAtMs })
  return { ...marked, checkpoints: thinned(checkpoints, missingSeqs(marked)) }
}

/** An epoch that the newest mark does not name any more: nothing of it is left in the spool. */
export function epochFreed(epoch: EpochLedger): EpochLedger {
  const spoolLow = highestSeq(epoch) + 1
  if (epoch.pending.length === 0 && epoch.spoolLow === spoolLow) return epoch
  return { ...epoch, pending: [], spoolLow }
}

function withCheckpoint(checkpoints: readonly Checkpoint[], added: Checkpoint): Checkpoint[] {
  const last = checkpoints.at(-1)
  if (last === undefined) return [added]
  const coveredMs = Math.max(last.coveredMs, added.coveredMs)
  if (last.seq < added.seq) return [...checkpoints, { ...added, coveredMs }]
  return [...checkpoints.slice(0, -1), { ...last, coveredMs }]
}

/** Keeps the newest checkpoint and those beside a missing number. */
function thinned(checkpoints: Checkpoint[], missing: readonly SeqRange[]): Checkpoint[] {
  const useful = checkpoints.filter((_, index) => {
    const next = checkpoints[index + 1]
    const after = checkpoints[index - 1]?.seq ?? 0
    return next === undefined || missing.some((run) => run.seqTo > after && run.seqFrom <= next.seq)
  })
  if (useful.length <= CHECKPOINTS_MAX) return useful
  return useful.filter((_, index) => index % 2 === 0 || index === useful.length - 1)
}
