import type { Drop, Mark, Tombstone } from '../wire.ts'

/** Why a range is missing. */
export type GapReason = 'late' | 'backlog' | 'tombstone' | 'lost' | 'silent' | 'purged' | 'ledger-stale'

/** A range that is known to be missing, half-open [fromMs, toMs). */
export interface Gap {
  readonly reason: GapReason
  readonly fromMs: number
  readonly toMs: number
  /** Where several sites are told of together. */
  readonly site?: string
  readonly collector?: string
  readonly host?: string
  /** How many records are missing, when that is known. */
  readonly records?: number
  /** What happened, for a person. */
  readonly detail?: string
}

/** Who a batch is from and which one it is. The site is the credential's, never the batch's. */
export interface BatchKey {
  readonly site: string
  readonly collector: string
  readonly epoch: string
  readonly seq: number
}

/** What the ledger keeps of a stored batch. */
export interface BatchFacts extends BatchKey {
  readonly kind: 'lines' | 'records'
  readonly host: string
  readonly digest: string
  readonly previous?: { readonly epoch: string; readonly lastSeq: number } | undefined
  /** Bounds on when its lines were written; see BatchHeader. */
  readonly fromMs: number
  readonly toMs: number
  readonly records: number
  readonly drops: readonly Drop[]
  readonly tombstones: readonly Tombstone[]
}

/** A run of stored numbers, both ends included, with the time bounds of what it holds. */
export interface StoredRange {
  readonly seqFrom: number
  readonly seqTo: number
  readonly fromMs: number
  readonly toMs: number
}

interface PendingRange {
  readonly seqFrom: number
  readonly seqTo: number
  readonly timeFromMs: number
  readonly timeToMs: number
  readonly records: number
}

/**
 * What a mark said about the numbers of an epoch. Both times are the aggregator's clock:
 * lines under a number above `seq` were written at or after `coveredMs`, lines up to `seq` before `arrivedAtMs`.
 */
export interface Checkpoint {
  readonly seq: number
  /** 0: nothing is known. */
  readonly coveredMs: number
  readonly arrivedAtMs: number
}

export interface EpochLedger {
  readonly epoch: string
  /** Where the epoch before it ended, from its first batch. */
  readonly previous: { readonly epoch: string; readonly lastSeq: number } | null
  /** No line of this epoch was written before (aggregator's clock); 0 when nothing is known. */
  readonly afterMs: number
  /** Nor at or after this; null while it is live or nobody said that it ended. */
  readonly beforeMs: number | null
  /** Ascending; where they matter to a missing number, and the newest. At most CHECKPOINTS_MAX. */
  readonly checkpoints: readonly Checkpoint[]
  /** Disjoint, ascending, never touching. */
  readonly stored: readonly StoredRange[]
  /** Highest number the collector said it gave out (marks, `previous`), 0 when unknown. */
  readonly lastSeq: number
  /** From the latest mark; numbers below it are stored or lost. */
  readonly spoolLow: number
  readonly pending: readonly PendingRange[]
  /** The newest digests as [seq, first DIGEST_CHARS of it], at most DIGESTS_PER_EPOCH_MAX: what tells a duplicate from a conflict. */
  readonly digests: readonly (readonly [number, string])[]
  /** Arrival of the last mark that named it; 0: none did. */
  readonly seenAtMs: number
}

/** A loss that a batch reported, with when its lines were written by the aggregator's clock. */
export interface LedgerDrop extends Drop {
  readonly epoch: string
  readonly seq: number
  readonly afterMs: number
  /** null: no mark came since. */
  readonly beforeMs: number | null
}

/** A running collector process, as its marks show it. */
export interface LiveEpoch {
  readonly epoch: string
  readonly watermarkMs: number | null
  /** Arrival of its last mark, aggregator's clock. */
  readonly markAtMs: number
  /** From its last mark; null: not read to the end since its start. */
  readonly readAgeMs: number | null
  /** When its first and last mark were sent, collector's clock: tell an overtaken mark. */
  readonly firstSentAtMs: number
  readonly sentAtMs: number
}

/** The largest clock difference in this window and the one before: the marks that travelled fastest. */
export interface ClockWindow {
  readonly fromMs: number
  readonly marks: number
  readonly maxMs: number
  readonly previousMaxMs: number | null
}

export interface CollectorLedger {
  readonly site: string
  readonly collector: string
  readonly host: string
  /** In the order in which they were first seen. */
  readonly epochs: readonly EpochLedger[]
  readonly liveEpoch: string
  /** Everything written up to here is stored and searchable, outside the known gaps; null: never read to the end yet. */
  readonly watermarkMs: number | null
  /** Arrival of the last mark, aggregator's clock; null: never (an importer sends none and is not expected to). */
  readonly markAtMs: number | null
  /** collector's clock − ours, from the last mark. */
  readonly skewMs: number
  readonly clock: ClockWindow | null
  /** Who sends marks under this id, newest last: one, or more of a cloned collector. */
  readonly live: readonly LiveEpoch[]
  /** `records`: an importer, which sends no marks. */
  readonly kind: 'lines' | 'records'
  /** From then on nothing of it is expected. Set by goodbye or retirement. */
  readonly leftAtMs: number | null
  /** When two live epochs of this id were seen in turns: a cloned collector. */
  readonly clonedAtMs: number | null
  /** When a batch of it was refused for its number: its marks cover nothing until it has taken new numbers. */
  readonly conflictAtMs: number | null
  readonly tombstones: readonly Tombstone[]
  readonly drops: readonly LedgerDrop[]
}

/** Ledger state of one store: a pure function of what is stored and which marks were noted. Keys: `site/collector`. */
export interface LedgerDocument {
  readonly v: 1
  readonly collectors: Readonly<Record<string, CollectorLedger>>
}

/** What is noted beside batches: one collector's mark as it arrived, or an order to stop expecting it. */
export type LedgerNote =
  | {
      readonly type: 'mark'
      readonly site: string
      readonly arrivedAtMs: number
      readonly mark: Mark
    }
  | { readonly type: 'retire'; readonly site: string; readonly collector: string; readonly atMs: number }
  /** A batch of this collector was refused: another one was stored under its number. */
  | { readonly type: 'conflict'; readonly site: string; readonly collector: string; readonly atMs: number }

/** What the ledger says about one site and range. */
export interface SiteCompleteness {
  readonly complete: boolean
  /** Covered without a gap from the range's start up to here; null: nothing is known to be covered. */
  readonly completeToMs: number | null
  /** At most GAPS_LISTED_MAX. */
  readonly gaps: readonly Gap[]
  readonly gapsTotal: number
}
