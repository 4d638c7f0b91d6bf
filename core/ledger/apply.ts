import {
  boundsOf,
  DIGEST_CHARS,
  emptyEpoch,
  epochWithBatch,
  highestSeq,
  isStored,
  missingSeqs,
} from './epochs.ts'
import { RENUMBERED } from '../wire.ts'
import { unionRange } from './intervals.ts'
import { collectorWithMark } from './marks.ts'
import type {
  BatchFacts,
  BatchKey,
  CollectorLedger,
  EpochLedger,
  LedgerDocument,
  LedgerDrop,
  LedgerNote,
} from './types.ts'

/** Epochs of one collector: a start each. Older ones are forgotten when nothing of them is missing. */
export const EPOCHS_MAX = 128
/** An epoch that is whole and not named by the newest mark is kept this long to tell duplicates. */
const EPOCH_KEPT_MS = 7 * 86_400_000
/** One that gave out no number only tells a clone, which is heard every second. */
const EMPTY_EPOCH_KEPT_MS = 600_000
/** Holes of one epoch; more become losses. */
export const STORED_RANGES_MAX = 256
/** Losses of one collector; more are merged, which makes them wider. */
export const DROPS_MAX = 256
export const TOMBSTONES_MAX = 256
/** Imports that can still be told from a repetition. */
export const IMPORTERS_MAX = 64

/** Whether a batch is stored already, and as what. */
export type BatchFate = 'new' | 'duplicate' | 'conflict'

/**
 * The ledger of a store while it grows: same meaning as the pure functions below, without copying all collectors at every call.
 * Collectors and epochs are never changed in place: a reader may keep what it got.
 */
export interface Ledger {
  applyBatch(facts: BatchFacts): void
  applyNote(note: LedgerNote): void
  find(key: BatchKey, digest: string): BatchFate
  collectors(): Iterable<CollectorLedger>
  collector(site: string, collector: string): CollectorLedger | undefined
  snapshot(): LedgerDocument
}

export function emptyLedger(): LedgerDocument {
  return { v: 1, collectors: {} }
}

/** The document with one more stored batch. A batch it has already changes nothing. */
export function applyBatch(doc: LedgerDocument, facts: BatchFacts): LedgerDocument {
  const ledger = createLedger(doc)
  ledger.applyBatch(facts)
  return ledger.snapshot()
}

/** The document after a mark or a retirement. */
export function applyNote(doc: LedgerDocument, note: LedgerNote): LedgerDocument {
  const ledger = createLedger(doc)
  ledger.applyNote(note)
  return ledger.snapshot()
}

/** A stored number whose digest is no longer known counts as a duplicate. */
export function findBatch(doc: LedgerDocument, key: BatchKey, digest: string): BatchFate {
  return fateOf(doc.collectors[collectorKey(key.site, key.collector)], key, digest)
}

export function createLedger(doc: LedgerDocument = emptyLedger()): Ledger {
  const collectors = new Map(Object.entries(doc.collectors))
  return {
    applyBatch(facts) {
      const key = collectorKey(facts.site, facts.collector)
      const known = collectors.get(key)
      if (known === undefined && facts.kind === 'records') forgetOldestImporter(collectors)
      collectors.set(key, collectorWithBatch(known ?? newCollector(facts), facts))
    },
    applyNote(note) {
      const name = note.type === 'mark' ? note.mark.collector : note.collector
      const key = collectorKey(note.site, name)
      const known = collectors.get(key)
      if (note.type === 'mark') {
        const from = known ?? newCollector({ ...note.mark, site: note.site, kind: 'lines' })
        const marked = collectorWithMark(from, note)
        if (marked !== known) collectors.set(key, bounded(marked))
      } else if (known === undefined) return
      else if (note.type === 'conflict') collectors.set(key, { ...known, conflictAtMs: note.atMs })
      else collectors.set(key, { ...known, leftAtMs: known.leftAtMs ?? note.atMs })
    },
    find: (key, digest) => fateOf(collectors.get(collectorKey(key.site, key.collector)), key, digest),
    collectors: () => collectors.values(),
    collector: (site, collector) => collectors.get(collectorKey(site, collector)),
    snapshot: () => ({ v: 1, collectors: Object.fromEntries(collectors) }),
  }
}

function collectorKey(site: string, collector: string): string {
  return `${site}/${collector}`
}

function fateOf(collector: CollectorLedger | undefined, { epoch, seq }: BatchKey, digest: string): BatchFate {
  const known = collector?.epochs.findLast((known) => known.epoch === epoch)
  if (known === undefined || !isStored(known, seq)) return 'new'
  const stored = known.digests.findLast(([of]) => of === seq)
  return stored === undefined || stored[1] === digest.slice(0, DIGEST_CHARS) ? 'duplicate' : 'conflict'
}

type Named = Pick<CollectorLedger, 'site' | 'collector' | 'host' | 'kind'> & { readonly epoch: string }

function newCollector({ site, collector, host, kind, epoch }: Named): CollectorLedger {
  return {
    site,
    collector,
    host,
    epochs: [],
    liveEpoch: epoch,
    watermarkMs: null,
    markAtMs: null,
    skewMs: 0,
    clock: null,
    live: [],
    kind,
    leftAtMs: null,
    clonedAtMs: null,
    conflictAtMs: null,
    tombstones: [],
    drops: [],
  }
}

function collectorWithBatch(collector: CollectorLedger, facts: BatchFacts): CollectorLedger {
  const index = collector.epochs.findLastIndex(({ epoch }) => epoch === facts.epoch)
  const known = collector.epochs[index] ?? emptyEpoch(facts.epoch, startedAfter(collector, facts))
  if (isStored(known, facts.seq)) return collector
  const epoch = epochWithBatch(known, facts)
  const epochs = index < 0 ? [...collector.epochs, epoch] : collector.epochs.with(index, epoch)
  const drops = facts.drops.map((drop) => ({
    ...drop,
    epoch: facts.epoch,
    seq: facts.seq,
    ...boundsOf(epoch, { seqFrom: facts.seq, seqTo: facts.seq }),
  }))
  const tombstones = facts.tombstones.filter(({ reason }) => reason !== RENUMBERED)
  return bounded({
    ...collector,
    host: facts.host,
    liveEpoch: collector.live.length === 0 ? facts.epoch : collector.liveEpoch,
    epochs: withRenumbered(withTold(epochs, facts), facts),
    conflictAtMs: facts.tombstones.length > tombstones.length ? null : collector.conflictAtMs,
    tombstones: [...collector.tombstones, ...tombstones],
    drops: [...collector.drops, ...drops],
  })
}

/** An epoch that follows the only live one holds nothing that was covered before. */
function startedAfter({ live }: CollectorLedger, { previous }: BatchFacts): number {
  const [only] = live
  return live.length === 1 && only?.epoch === previous?.epoch ? (only?.watermarkMs ?? 0) : 0
}

/** The epochs with the numbers that a batch says were given out before: what it follows, and what was shed. */
function withTold(epochs: readonly EpochLedger[], facts: BatchFacts): readonly EpochLedger[] {
  const { previous, tombstones } = facts
  const told = tombstones.map(({ epoch, seqTo }) => ({ epoch, lastSeq: seqTo }))
  let out = epochs
  for (const { epoch, lastSeq } of previous === undefined ? told : [previous, ...told]) {
    const index = out.findIndex((known) => known.epoch === epoch)
    const known = out[index] ?? emptyEpoch(epoch, 0)
    if (known.lastSeq >= lastSeq) continue
    const own = out.findIndex((of) => of.epoch === facts.epoch)
    out = out.toSpliced(index < 0 ? own : index, index < 0 ? 0 : 1, { ...known, lastSeq })
  }
  return out
}

/** Batches that went on in this epoch under new numbers are not missing under their old ones; they are as old as they were. */
function withRenumbered(epochs: readonly EpochLedger[], facts: BatchFacts): readonly EpochLedger[] {
  let out = epochs
  for (const tombstone of facts.tombstones) {
    if (tombstone.reason !== RENUMBERED) continue
    out = out.map((epoch) => {
      const { afterMs } = boundsOf(out.find((of) => of.epoch === tombstone.epoch) ?? epoch, tombstone)
      if (epoch.epoch === facts.epoch) return { ...epoch, afterMs: Math.min(epoch.afterMs, afterMs) }
      return epoch.epoch === tombstone.epoch
        ? { ...epoch, stored: unionRange(epoch.stored, tombstone) }
        : epoch
    })
  }
  return out
}

function forgetOldestImporter(collectors: Map<string, CollectorLedger>): void {
  const importers = [...collectors].filter(
    ([, { kind, markAtMs }]) => kind === 'records' && markAtMs === null,
  )
  const [oldest] = importers[0] ?? []
  if (oldest !== undefined && importers.length >= IMPORTERS_MAX) collectors.delete(oldest)
}

/** The collector within its bounds. What has to be forgotten of missing numbers stays as a loss. */
function bounded(collector: CollectorLedger): CollectorLedger {
  const kept: EpochLedger[] = []
  const lost: LedgerDrop[] = []
  const tooMany = collector.epochs.length - EPOCHS_MAX
  collector.epochs.forEach((epoch, index) => {
    const fate = epochFate(collector, index, tooMany > 0)
    if (fate === 'forget') return
    const [holes, bounded] = fate === 'fold' ? [missingSeqs(epoch).length, null] : withinRanges(epoch)
    if (holes > 0)
      lost.push(
        ...missingSeqs(epoch)
          .slice(0, holes)
          .map((run) => lossOf(epoch, run)),
      )
    if (bounded !== null) kept.push(bounded)
  })
  const { tombstones, drops } = collector
  const same = kept.length === collector.epochs.length && lost.length === 0
  if (same && tombstones.length <= TOMBSTONES_MAX && drops.length <= DROPS_MAX) return collector
  return {
    ...collector,
    epochs: same ? collector.epochs : kept,
    // A forgotten tombstone only costs the reason: its numbers stay missing.
    tombstones: tombstones.slice(-TOMBSTONES_MAX),
    drops: mergedDrops([...drops, ...lost]),
  }
}

/** What becomes of the epoch at `index`: `fold`: its missing numbers become losses and it is forgotten. */
function epochFate(
  { epochs, live, liveEpoch, markAtMs }: CollectorLedger,
  index: number,
  crowded: boolean,
): 'keep' | 'forget' | 'fold' {
  const epoch = epochs[index]
  if (epoch === undefined || markAtMs === null) return 'keep'
  const isLive = epoch.epoch === liveEpoch || live.some((of) => of.epoch === epoch.epoch)
  if (isLive || epoch.seenAtMs === markAtMs || epoch.beforeMs === null) return 'keep'
  const ageMs = crowded ? Infinity : markAtMs - epoch.beforeMs
  if (highestSeq(epoch) === 0) return ageMs > EMPTY_EPOCH_KEPT_MS ? 'forget' : 'keep'
  const old = ageMs > EPOCH_KEPT_MS
  // The first batch of the next epoch names this one: forgotten before that, it would come back as missing.
  const next = epochs.slice(index + 1).find((of) => highestSeq(of) > 0)
  const told = next !== undefined && isStored(next, 1)
  if (old && told && missingSeqs(epoch).length === 0) return 'forget'
  return crowded && index < epochs.length - EPOCHS_MAX ? 'fold' : 'keep'
}

/**
 * How many of the oldest holes have to be given up, and the epoch without them.
 * Only those that the spool has no more: what may still come must not look like a duplicate.
 */
function withinRanges(epoch: EpochLedger): [number, EpochLedger] {
  const { stored, spoolLow } = epoch
  const freed = stored.findLastIndex(({ seqTo }) => seqTo < spoolLow)
  const over = Math.min(stored.length - STORED_RANGES_MAX, freed)
  const last = stored[over]
  if (over <= 0 || last === undefined) return [0, epoch]
  const given = stored.slice(0, over + 1)
  const merged = {
    seqFrom: 1,
    seqTo: last.seqTo,
    fromMs: Math.min(...given.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...given.map(({ toMs }) => toMs)),
  }
  const holes = missingSeqs(epoch).filter(({ seqFrom }) => seqFrom < last.seqTo).length
  return [holes, { ...epoch, stored: [merged, ...stored.slice(over + 1)] }]
}

function lossOf(epoch: EpochLedger, run: { seqFrom: number; seqTo: number }): LedgerDrop {
  const bounds = boundsOf(epoch, run)
  return {
    reason: 'batches that never arrived',
    records: null,
    bytes: null,
    fromMs: bounds.afterMs,
    toMs: bounds.beforeMs ?? bounds.afterMs,
    epoch: epoch.epoch,
    seq: run.seqTo,
    ...bounds,
  }
}

/** At most DROPS_MAX; the oldest become one. */
function mergedDrops(drops: readonly LedgerDrop[]): readonly LedgerDrop[] {
  const over = drops.length - DROPS_MAX
  if (over <= 0) return drops
  const merged = drops.slice(0, over + 1).reduce((left, right) => ({
    ...right,
    reason: left.reason === right.reason ? left.reason : 'several losses',
    records: sum(left.records, right.records),
    bytes: sum(left.bytes, right.bytes),
    fromMs: Math.min(left.fromMs, right.fromMs),
    toMs: Math.max(left.toMs, right.toMs),
    afterMs: Math.min(left.afterMs, right.afterMs),
    beforeMs:
      left.beforeMs === null || right.beforeMs === null ? null : Math.max(left.beforeMs, right.beforeMs),
  }))
  return [merged, ...drops.slice(over + 1)]
}

function sum(left: number | null, right: number | null): number | null {
  return left === null || right === null ? null : left + right
}
