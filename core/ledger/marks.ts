import type { Mark } from '../wire.ts'
import { boundsOf, emptyEpoch, epochFreed, epochWithMark } from './epochs.ts'
import type { ClockWindow, CollectorLedger, EpochLedger, LiveEpoch } from './types.ts'

/** No mark is faster than half of a slow round trip; what is later than the fastest one is measured, see `lateMs`. */
const MARK_TRANSIT_MS = 250
/** A mark older than the newest by more than this was not overtaken: the collector's clock was set back. */
const OVERTAKEN_MS_MAX = 60_000
/** A clock that was set back is believed after two such windows. */
const CLOCK_WINDOW_MS = 60_000
/** One stalled connection can delay a few marks, but not this many. */
const CLOCK_WINDOW_MARKS = 30
/** What arrives in one go after a stall says nothing about how long it travelled. */
const CLOCK_KNOWN_AFTER_MS = 1_500
/** Clones that are heard at all are heard every second; one that stops was put right. */
const CLONE_FORGOTTEN_MS = 600_000
const LIVE_MAX = 8

interface Arrived {
  readonly mark: Mark
  readonly arrivedAtMs: number
}

/** The collector after a mark; the same object when a newer mark overtook it. */
export function collectorWithMark(before: CollectorLedger, arrived: Arrived): CollectorLedger {
  if (wasOvertaken(before, arrived.mark)) return before
  const { mark, arrivedAtMs } = arrived
  const skewMs = mark.sentAtMs - arrivedAtMs
  const clock = clockWith(before.clock, skewMs, arrivedAtMs)
  const collector = corrected(before, clock, arrivedAtMs)
  const conflicted = isConflicted(collector, arrived)
  const coveredMs = conflicted ? 0 : coveredBy(arrived, clock)
  const { live, cloned } = liveWith(collector, arrived, coveredMs)
  const left = mark.goodbye === true && live.length === 1
  const watermarkMs = lowest(live)
  const epochs = epochsWith(collector, live, { ...arrived, coveredMs })
  return {
    ...collector,
    host: mark.host,
    epochs,
    live: mark.goodbye === true && !left ? live.filter(({ epoch }) => epoch !== mark.epoch) : live,
    liveEpoch: mark.epoch,
    watermarkMs,
    markAtMs: arrivedAtMs,
    skewMs,
    clock,
    leftAtMs: left ? leftAt(arrived, watermarkMs) : null,
    conflictAtMs: conflicted ? collector.conflictAtMs : null,
    clonedAtMs: cloned ? arrivedAtMs : collector.clonedAtMs,
    drops: settleDrops(collector.drops, epochs),
  }
}

/**
 * The sender of the refused batch goes on under new numbers; unless it is gone, and the other clone is alone again. A new process
 * alone does not end it: the old one may have ended before it took them.
 */
function isConflicted({ conflictAtMs, epochs }: CollectorLedger, { mark, arrivedAtMs }: Arrived): boolean {
  if (conflictAtMs === null || arrivedAtMs - conflictAtMs > CLONE_FORGOTTEN_MS) return false
  const before = new Set(epochs.filter(({ seenAtMs }) => seenAtMs > 0).map(({ epoch }) => epoch))
  return !mark.epochs.some(({ epoch, renumbered }) => renumbered === true && !before.has(epoch))
}

function wasOvertaken({ live }: CollectorLedger, mark: Mark): boolean {
  const same = live.find(({ epoch }) => epoch === mark.epoch)
  // The marks of a process that ended were all sent before the first one of the next process.
  const newerSentAtMs = same === undefined ? live.at(-1)?.firstSentAtMs : same.sentAtMs
  if (newerSentAtMs === undefined) return false
  return mark.sentAtMs < newerSentAtMs && newerSentAtMs - mark.sentAtMs < OVERTAKEN_MS_MAX
}

/**
 * What this mark shows to have been too good in the newest marks: when it travelled faster than any of them, all those were
 * late by the difference. When our own clock was set back, nothing is covered that has not happened yet.
 */
function corrected(collector: CollectorLedger, clock: ClockWindow, nowMs: number): CollectorLedger {
  const fasterMs = collector.clock === null ? 0 : Math.max(0, fastest(clock) - fastest(collector.clock))
  if (fasterMs === 0 && nowMs >= (collector.markAtMs ?? 0)) return collector
  const recentMs = nowMs - 2 * CLOCK_WINDOW_MS
  const correct = (ms: number) => Math.min(nowMs, ms < recentMs ? ms : Math.max(recentMs, ms - fasterMs))
  return {
    ...collector,
    live: collector.live.map((live) => ({
      ...live,
      watermarkMs: live.watermarkMs === null ? null : correct(live.watermarkMs),
    })),
    epochs: collector.epochs.map((epoch) => ({
      ...epoch,
      afterMs: correct(epoch.afterMs),
      checkpoints: epoch.checkpoints.map((point) => ({ ...point, coveredMs: correct(point.coveredMs) })),
    })),
  }
}

/** Our clock against the collector's as the fastest of the newest marks shows it. */
function fastest({ maxMs, previousMaxMs }: ClockWindow): number {
  return Math.max(maxMs, previousMaxMs ?? -Infinity)
}

function clockWith(clock: ClockWindow | null, skewMs: number, arrivedAtMs: number): ClockWindow {
  if (clock === null) return { fromMs: arrivedAtMs, marks: 1, maxMs: skewMs, previousMaxMs: null }
  const full = clock.marks >= CLOCK_WINDOW_MARKS && arrivedAtMs - clock.fromMs >= CLOCK_WINDOW_MS
  if (full) return { fromMs: arrivedAtMs, marks: 1, maxMs: skewMs, previousMaxMs: clock.maxMs }
  return { ...clock, marks: clock.marks + 1, maxMs: Math.max(clock.maxMs, skewMs) }
}

/**
 * Everything written before this time is numbered in the mark; 0 when it does not say.
 * A mark that waited somewhere speaks of the time when it was sent: how much longer it travelled than the fastest one is taken off.
 */
function coveredBy({ mark, arrivedAtMs }: Arrived, clock: ClockWindow): number {
  // What is written behind a goodbye is not expected, so it does not matter how long that one travelled.
  const unknown =
    clock.previousMaxMs === null && arrivedAtMs - clock.fromMs < CLOCK_KNOWN_AFTER_MS && mark.goodbye !== true
  if (mark.readAgeMs === null || unknown) return 0
  const lateMs = fastest(clock) - (mark.sentAtMs - arrivedAtMs)
  return Math.max(0, arrivedAtMs - MARK_TRANSIT_MS - lateMs - mark.readAgeMs)
}

/** Who is alive after this mark. An epoch that sends again after another took its place is a clone. */
function liveWith(
  { live, epochs, watermarkMs }: CollectorLedger,
  { mark, arrivedAtMs }: Arrived,
  coveredMs: number,
): { live: readonly LiveEpoch[]; cloned: boolean } {
  const same = live.find(({ epoch }) => epoch === mark.epoch)
  const known = epochs.find(({ epoch }) => epoch === mark.epoch)
  const cloned =
    (same !== undefined && same !== live.at(-1)) || (same === undefined && (known?.seenAtMs ?? 0) > 0)
  const inherited = cloned ? known?.checkpoints.at(-1)?.coveredMs || null : watermarkMs
  const before = same === undefined ? inherited : same.watermarkMs
  const now: LiveEpoch = {
    epoch: mark.epoch,
    watermarkMs: coveredMs === 0 ? before : Math.max(before ?? 0, coveredMs),
    markAtMs: arrivedAtMs,
    readAgeMs: mark.readAgeMs,
    firstSentAtMs: same?.firstSentAtMs ?? mark.sentAtMs,
    sentAtMs: mark.sentAtMs,
  }
  // A new epoch takes the place of the only one; among clones, of the one that it names as the one before it.
  const others = live.filter(
    ({ epoch, markAtMs }) =>
      epoch !== mark.epoch &&
      arrivedAtMs - markAtMs < CLONE_FORGOTTEN_MS &&
      (cloned || same !== undefined || (live.length > 1 && epoch !== known?.previous?.epoch)),
  )
  return { live: [...others, now].slice(-LIVE_MAX), cloned }
}

function lowest(live: readonly LiveEpoch[]): number | null {
  let lowest = Infinity
  for (const { watermarkMs } of live) lowest = Math.min(lowest, watermarkMs ?? -Infinity)
  return Number.isFinite(lowest) ? lowest : null
}

function epochsWith(
  collector: CollectorLedger,
  live: readonly LiveEpoch[],
  { mark, arrivedAtMs, coveredMs }: Arrived & { coveredMs: number },
): readonly EpochLedger[] {
  const said = new Map(mark.epochs.map((epoch) => [epoch.epoch, epoch]))
  const alive = new Set(live.map(({ epoch }) => epoch))
  return withNamedEpochs(collector, mark).map((epoch) => {
    const about = said.get(epoch.epoch)
    const isLive = epoch.epoch === mark.epoch
    const marked =
      about === undefined
        ? epochFreed(epoch)
        : epochWithMark(epoch, about, { arrivedAtMs, coveredMs: isLive ? coveredMs : 0 })
    return alive.has(epoch.epoch) || marked.beforeMs !== null ? marked : { ...marked, beforeMs: arrivedAtMs }
  })
}

/**
 * The epochs with those that a mark names for the first time, oldest first.
 * No mark before this one named them, so their lines are newer than everything those marks covered; except after a conflict,
 * when batches went on under new numbers.
 */
function withNamedEpochs(
  { epochs, watermarkMs, conflictAtMs }: CollectorLedger,
  mark: Mark,
): readonly EpochLedger[] {
  const afterMs = conflictAtMs !== null ? 0 : (watermarkMs ?? 0)
  const newer = new Set(mark.epochs.filter(({ renumbered }) => renumbered !== true).map(({ epoch }) => epoch))
  const known = new Set(epochs.map(({ epoch }) => epoch))
  const added = mark.epochs
    .filter(({ epoch }) => !known.has(epoch))
    .map(({ epoch }) => emptyEpoch(epoch, newer.has(epoch) ? afterMs : 0))
  const raised = epochs.map((epoch) =>
    epoch.seenAtMs === 0 && newer.has(epoch.epoch)
      ? { ...epoch, afterMs: Math.max(epoch.afterMs, afterMs) }
      : epoch,
  )
  const last = raised.at(-1)
  // The live epoch stays last.
  if (last?.epoch === mark.epoch) return [...raised.slice(0, -1), ...added, last]
  return [...raised, ...added]
}

/** A goodbye ends what is expected where reading ended; without that, where the process ended. */
function leftAt({ mark, arrivedAtMs }: Arrived, watermarkMs: number | null): number {
  return mark.readAgeMs === null || watermarkMs === null ? arrivedAtMs : watermarkMs
}

function settleDrops(
  drops: CollectorLedger['drops'],
  epochs: readonly EpochLedger[],
): CollectorLedger['drops'] {
  if (drops.every(({ beforeMs }) => beforeMs !== null)) return drops
  return drops.map((drop) => {
    const epoch = epochs.find(({ epoch }) => epoch === drop.epoch)
    if (drop.beforeMs !== null || epoch === undefined) return drop
    const bounds = boundsOf(epoch, { seqFrom: drop.seq, seqTo: drop.seq })
    return { ...drop, beforeMs: bounds.beforeMs, afterMs: Math.max(drop.afterMs, bounds.afterMs) }
  })
}
