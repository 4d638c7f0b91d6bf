import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { createLedger, emptyLedger } from '../../core/ledger/apply.ts'
import type { BatchFate } from '../../core/ledger/apply.ts'
import type { BatchFacts, LedgerDocument, LedgerNote } from '../../core/ledger/types.ts'
import { withPurged } from '../store-purged.ts'
import type { Purged } from '../store-purged.ts'

/** A batch whose records are being written, or were when a writer died: some of them may be there. */
export interface Attempt {
  /** `batchId`. */
  readonly batch: string
  /** Of the batch; the records' ids hold its start. */
  readonly digest: string
  /** Its records get positions above this. */
  readonly floor: number
  readonly atMs: number
}

/** No spool and no topic brings a batch back after so long. */
const ATTEMPT_KEPT_MS = 30 * 86_400_000

/** What one ledger document holds: the ledger of the collectors that belong there, and what is going on with their batches. */
export interface LedgerContent {
  readonly v: 1
  readonly ledger: LedgerDocument
  readonly attempts: readonly Attempt[]
  /** Highest arrival position of a stored record. */
  readonly top: number
  /** What came too late: one range for each class. */
  readonly expired: readonly Purged[]
  /** Name of the process that wrote it last, and when. */
  readonly writer: string
  readonly atMs: number
}

export const EMPTY_CONTENT: LedgerContent = {
  v: 1,
  ledger: emptyLedger(),
  attempts: [],
  top: 0,
  expired: [],
  writer: '',
  atMs: 0,
}

/** What becomes of a batch that wants to be written. */
export interface Judged {
  readonly fate: BatchFate
  /** Set when somebody may have written some of it before. */
  readonly before: Attempt | null
}

/** The content with the batch being attempted, if it is new. */
export function withAttempt(
  content: LedgerContent,
  facts: BatchFacts,
  attempt: Attempt,
): { content: LedgerContent; result: Judged } {
  const fate = createLedger(content.ledger).find(facts, facts.digest)
  if (fate !== 'new') return { content, result: { fate, before: null } }
  const before = content.attempts.find(({ batch }) => batch === attempt.batch) ?? null
  const others = withoutAttempt(content.attempts, attempt.batch)
  const attempts = [...others.filter(({ atMs }) => atMs > attempt.atMs - ATTEMPT_KEPT_MS), attempt]
  return { content: { ...content, attempts }, result: { fate, before } }
}

/** What is kept of a batch once its records are searchable. */
export interface Stored {
  readonly facts: BatchFacts
  readonly batch: string
  /** Highest position of its records; 0: it has none. */
  readonly top: number
  readonly expired: readonly Purged[]
}

/** The content with the batch stored, unless somebody else has stored one under its number. */
export function withStored(
  content: LedgerContent,
  { facts, batch, top, expired }: Stored,
): { content: LedgerContent; result: BatchFate } {
  const ledger = createLedger(content.ledger)
  const fate = ledger.find(facts, facts.digest)
  const attempts = withoutAttempt(content.attempts, batch)
  if (fate !== 'new')
    return { content: attempts === content.attempts ? content : { ...content, attempts }, result: fate }
  ledger.applyBatch(facts)
  const stored = {
    ...content,
    ledger: ledger.snapshot(),
    attempts,
    top: Math.max(content.top, top),
    expired: expired.reduce(withPurged, content.expired),
  }
  return { content: stored, result: fate }
}

/** The content without an attempt that left nothing behind. */
export function withoutAttempted(content: LedgerContent, batch: string): LedgerContent {
  const attempts = withoutAttempt(content.attempts, batch)
  return attempts === content.attempts ? content : { ...content, attempts }
}

export function withNotes(content: LedgerContent, notes: readonly LedgerNote[]): LedgerContent {
  const ledger = createLedger(content.ledger)
  for (const note of notes) ledger.applyNote(note)
  return { ...content, ledger: ledger.snapshot() }
}

function withoutAttempt(attempts: readonly Attempt[], batch: string): readonly Attempt[] {
  return attempts.some((one) => one.batch === batch)
    ? attempts.filter((one) => one.batch !== batch)
    : attempts
}

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** A value as one document of Elasticsearch, which it never looks into. */
export async function pack(value: object): Promise<{ packed: string }> {
  const packed = await compress(Buffer.from(JSON.stringify(value)), LEVEL)
  return { packed: packed.toString('base64') }
}

/** What `pack` was given. */
export async function unpack<T>({ packed }: { readonly packed: string }): Promise<T> {
  const json = await decompress(Buffer.from(packed, 'base64'))
  return JSON.parse(json.toString('utf8')) as T
}
