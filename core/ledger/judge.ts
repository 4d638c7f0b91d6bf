import type { TimeRange } from '../ports.ts'
import { boundsOf, missingSeqs, type Bounds } from './epochs.ts'
import type { SeqRange } from './intervals.ts'
import type {
  CollectorLedger,
  EpochLedger,
  Gap,
  GapReason,
  LedgerDrop,
  LiveEpoch,
  SiteCompleteness,
} from './types.ts'

/** Gaps that an answer names; all of them are counted. */
export const GAPS_LISTED_MAX = 20
/** A collector that is silent for longer has left. */
export const LEFT_AFTER_MS = 86_400_000
/** After our own start, collectors get this long to be heard before their silence counts. */
const HEARD_WITHIN_MS = 600_000

export interface JudgeOptions {
  readonly nowMs: number
  /** An answer need not cover the newest part of its range, up to this. */
  readonly settleMs: number
  readonly silentAfterMs: number
  /** When this aggregator started to listen for marks. */
  readonly startedAtMs: number
  /** When the ledger was last read from where others keep it; absent: it is kept here. */
  readonly readAtMs?: number
}

/** `endMs`: where a gap ends whose end is not known. */
interface Judging extends JudgeOptions {
  readonly endMs: number
}

interface Explained {
  readonly reason: GapReason
  readonly detail: string
}

/** A gap that is put into words only when it counts: nearly every collector has one in the newest second. */
interface Found extends TimeRange {
  readonly describe: () => Omit<Gap, 'fromMs' | 'toMs'>
}

/**
 * What is known to be missing of a site in a range. Complete: the range up to `settleMs` ago is covered by every expected
 * collector (seen by a mark, not left) and no gap touches it.
 */
export function judge(
  collectors: Iterable<CollectorLedger>,
  site: string,
  range: TimeRange,
  options: JudgeOptions,
): SiteCompleteness {
  const judging = { ...options, endMs: Math.max(options.nowMs, range.toMs) }
  const settledMs = Math.min(range.toMs, options.nowMs - options.settleMs)
  const counted: Gap[] = []
  let coveredMs = range.toMs
  for (const gap of siteGaps(collectors, site, judging)) {
    if (gap.toMs <= range.fromMs || gap.fromMs >= range.toMs) continue
    coveredMs = Math.min(coveredMs, gap.fromMs)
    if (gap.fromMs < settledMs) counted.push({ ...gap.describe(), ...clipped(gap, range) })
  }
  if (settledMs <= range.fromMs && counted.length === 0) {
    counted.push({ reason: 'late', ...range, detail: 'newer than what an answer can be sure of' })
  }
  return {
    complete: counted.length === 0,
    completeToMs: coveredMs > range.fromMs ? coveredMs : null,
    gaps: counted.sort(moreUseful).slice(0, GAPS_LISTED_MAX),
    gapsTotal: counted.length,
  }
}

/** The word on several sites as one: complete only when every one is, to the earliest of their times; no site is never complete. */
export function judgeTogether(judged: ReadonlyMap<string, SiteCompleteness>): SiteCompleteness {
  const [first] = judged.values()
  if (judged.size === 1 && first !== undefined) return first
  const ends = [...judged.values()].map(({ completeToMs }) => completeToMs ?? -Infinity)
  const endMs = Math.min(...ends)
  const gaps = [...judged].flatMap(([site, of]) => of.gaps.map((gap) => ({ ...gap, site })))
  return {
    complete: judged.size > 0 && [...judged.values()].every(({ complete }) => complete),
    completeToMs: Number.isFinite(endMs) ? endMs : null,
    gaps: gaps.sort(moreUseful).slice(0, GAPS_LISTED_MAX),
    gapsTotal: [...judged.values()].reduce((sum, { gapsTotal }) => sum + gapsTotal, 0),
  }
}

/** Whether a collector was silent for so long that it is no longer expected. */
export function hasLeft(collector: CollectorLedger, { nowMs, startedAtMs }: JudgeOptions): boolean {
  const { markAtMs, leftAtMs } = collector
  if (markAtMs === null || leftAtMs !== null) return false
  return nowMs - markAtMs > LEFT_AFTER_MS && nowMs - startedAtMs > HEARD_WITHIN_MS
}

function* siteGaps(collectors: Iterable<CollectorLedger>, site: string, judging: Judging): Generator<Found> {
  let expected = 0
  let lastLeftMs: number | null = null
  for (const collector of collectors) {
    if (collector.site !== site) continue
    yield* missingGaps(collector, judging)
    for (const drop of collector.drops) {
      yield { ...between(drop, judging), describe: () => aboutDrop(collector, drop) }
    }
    if (collector.markAtMs === null) continue
    yield* coverageGaps(collector, judging)
    if (collector.leftAtMs === null) expected += 1
    else lastLeftMs = Math.max(lastLeftMs ?? 0, collector.leftAtMs)
  }
  if (expected > 0) return
  const detail = lastLeftMs === null ? 'no collector has reported yet' : 'every collector has left'
  const describe = () => staleness(judging) ?? ({ reason: 'silent', detail } as const)
  yield { fromMs: lastLeftMs ?? -Infinity, toMs: judging.endMs, describe }
}

/** What a running collector, or one that left without reading to the end, does not cover. */
function* coverageGaps(collector: CollectorLedger, judging: Judging): Generator<Found> {
  const toMs = collector.leftAtMs ?? judging.endMs
  for (const live of collector.live) {
    const fromMs = live.watermarkMs ?? -Infinity
    const describe = () => ({ ...uncovered(collector, live, judging), ...named(collector) })
    if (fromMs < toMs) yield { fromMs, toMs, describe }
  }
}

/** A ledger that could not be read for long says nothing of what came since. */
function staleness({ nowMs, readAtMs = nowMs, silentAfterMs }: Judging): Explained | null {
  if (nowMs - readAtMs <= silentAfterMs) return null
  const since = readAtMs === -Infinity ? 'it was not read yet' : `it could not be read since ${iso(readAtMs)}`
  return { reason: 'ledger-stale', detail: since }
}

function uncovered(
  { leftAtMs }: CollectorLedger,
  { markAtMs, readAgeMs, watermarkMs }: LiveEpoch,
  judging: Judging,
): Explained {
  const { nowMs, silentAfterMs, startedAtMs } = judging
  const quietMs = nowMs - Math.max(markAtMs, startedAtMs)
  const backlog = { reason: 'backlog', detail: 'its sources are not read to their end yet' } as const
  if (leftAtMs !== null) {
    return readAgeMs === null ? backlog : { reason: 'silent', detail: 'it left without a goodbye' }
  }
  const stale = staleness(judging)
  if (stale !== null) return stale
  if (quietMs > silentAfterMs) return { reason: 'silent', detail: `no mark since ${iso(markAtMs)}` }
  if (markAtMs <= startedAtMs)
    return { reason: 'ledger-stale', detail: 'no mark since the aggregator started' }
  if (readAgeMs === null || readAgeMs > silentAfterMs) return backlog
  return {
    reason: 'late',
    detail: watermarkMs === null ? 'too few marks arrived so far' : `last mark ${iso(markAtMs)}`,
  }
}

function* missingGaps(collector: CollectorLedger, judging: Judging): Generator<Found> {
  for (const epoch of collector.epochs) {
    for (const run of missingSeqs(epoch)) {
      for (const piece of pieces(run, collector, epoch)) {
        const describe = () => ({ ...reasonFor(piece, collector, epoch), ...named(collector) })
        yield { ...between(boundsOf(epoch, piece), judging), describe }
      }
    }
  }
}

/** A missing run, cut where the reason changes. */
function pieces(run: SeqRange, { tombstones }: CollectorLedger, epoch: EpochLedger): SeqRange[] {
  const told = [...epoch.pending, ...tombstones.filter((tombstone) => tombstone.epoch === epoch.epoch)]
  const starts = [epoch.spoolLow, ...told.flatMap(({ seqFrom, seqTo }) => [seqFrom, seqTo + 1])]
    .filter((seq) => seq > run.seqFrom && seq <= run.seqTo)
    .sort((left, right) => left - right)
  const unique = [run.seqFrom, ...new Set(starts)]
  return unique.map((seqFrom, index) => ({ seqFrom, seqTo: (unique[index + 1] ?? run.seqTo + 1) - 1 }))
}

function reasonFor(piece: SeqRange, { tombstones }: CollectorLedger, epoch: EpochLedger) {
  const holds = (of: SeqRange) => of.seqFrom <= piece.seqFrom && piece.seqFrom <= of.seqTo
  const count = (of: SeqRange & { records: number }) =>
    of.seqFrom === piece.seqFrom && of.seqTo === piece.seqTo ? { records: of.records } : {}
  const tombstone = tombstones.find((of) => of.epoch === epoch.epoch && holds(of))
  if (tombstone !== undefined) {
    return { reason: 'tombstone', detail: ownTimes(tombstone), ...count(tombstone) } as const
  }
  const pending = epoch.pending.find(holds)
  if (pending !== undefined) {
    return { reason: 'backlog', detail: 'waits in the spool', ...count(pending) } as const
  }
  const batches = `batches ${piece.seqFrom} to ${piece.seqTo}`
  return piece.seqFrom >= epoch.spoolLow
    ? ({ reason: 'late', detail: `${batches} are on their way` } as const)
    : ({ reason: 'lost', detail: `${batches} left the spool and never arrived` } as const)
}

function aboutDrop(collector: CollectorLedger, drop: LedgerDrop) {
  const records = drop.records === null ? {} : { records: drop.records }
  return { reason: 'lost', ...named(collector), ...records, detail: ownTimes(drop) } as const
}

/** Never empty, also when a clock was set back in between. */
function between({ afterMs, beforeMs }: Bounds, { endMs }: Judging): TimeRange {
  const untilMs = beforeMs ?? endMs
  return { fromMs: Math.min(afterMs, untilMs), toMs: Math.max(afterMs, untilMs) + 1 }
}

function ownTimes({ reason, fromMs, toMs }: { reason: string; fromMs: number; toMs: number }): string {
  return `${reason} (${iso(fromMs)} to ${iso(toMs)} by the collector's clock)`
}

function named({ collector, host }: CollectorLedger) {
  return { collector, host }
}

function iso(ms: number): string {
  return new Date(Math.min(8.64e15, Math.max(0, ms))).toISOString()
}

/** The part of a gap that lies in the range. */
export function clipped(gap: TimeRange, { fromMs, toMs }: TimeRange): TimeRange {
  return { fromMs: Math.max(gap.fromMs, fromMs), toMs: Math.min(gap.toMs, toMs) }
}

/** Largest first, then the most recent; names make the order stable. */
export function moreUseful(left: Gap, right: Gap): number {
  return (
    right.toMs - right.fromMs - (left.toMs - left.fromMs) ||
    right.toMs - left.toMs ||
    compare(left.collector ?? '', right.collector ?? '') ||
    compare(left.detail ?? '', right.detail ?? '')
  )
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right)
}
