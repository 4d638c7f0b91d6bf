import type { PurgedRange, TimeRange } from '../ports.ts'
import { GAPS_LISTED_MAX, clipped, moreUseful } from './judge.ts'
import type { Gap, SiteCompleteness } from './types.ts'

/** The ledger's word on a site with what was purged of the range, or is damaged: each run of purged slots of a class is one gap. */
export function withPurged(
  judged: SiteCompleteness,
  purged: readonly PurgedRange[],
  range: TimeRange,
): SiteCompleteness {
  const found = runsOf(purged).filter(({ fromMs, toMs }) => fromMs < range.toMs && toMs > range.fromMs)
  if (found.length === 0) return judged
  const firstMs = Math.min(...found.map(({ fromMs }) => fromMs))
  const completeToMs = judged.completeToMs === null ? null : Math.min(judged.completeToMs, firstMs)
  return {
    complete: false,
    completeToMs: completeToMs !== null && completeToMs > range.fromMs ? completeToMs : null,
    gaps: [...judged.gaps, ...found.map((run) => gapOf(run, range))]
      .sort(moreUseful)
      .slice(0, GAPS_LISTED_MAX),
    gapsTotal: judged.gapsTotal + found.length,
  }
}

type Run = Omit<PurgedRange, 'atMs'>

/** Slots that touch and went for the same reason, together: a class that is purged every hour must not crowd out other gaps. */
function runsOf(purged: readonly PurgedRange[]): Run[] {
  const open = new Map<string, Run>()
  const runs: Run[] = []
  for (const { class: name, reason, fromMs, toMs, records } of purged.toSorted(byStart)) {
    const key = `${reason} ${name}`
    const last = open.get(key)
    if (last !== undefined && fromMs <= last.toMs) {
      open.set(key, { ...last, toMs: Math.max(last.toMs, toMs), records: last.records + records })
      continue
    }
    if (last !== undefined) runs.push(last)
    open.set(key, { class: name, reason, fromMs, toMs, records })
  }
  return [...runs, ...open.values()]
}

const byStart = (left: PurgedRange, right: PurgedRange) => left.fromMs - right.fromMs

/** How many of the records lay in the range is known only when all of them did. */
function gapOf({ class: name, reason, records, ...slot }: Run, range: TimeRange): Gap {
  const whole = slot.fromMs >= range.fromMs && slot.toMs <= range.toMs && records > 0
  const count = records === 0 ? 'an unknown number of' : records.toLocaleString('en-US')
  const some = whole ? count : `some of ${count}`
  return {
    reason: reason === 'damaged' ? 'lost' : 'purged',
    ...clipped(slot, range),
    ...(whole ? { records } : {}),
    detail: `${name}: ${some} ${records === 1 ? 'record' : 'records'} ${FATES[reason]}`,
  }
}

const FATES: Readonly<Record<PurgedRange['reason'], string>> = {
  age: 'purged by age',
  size: 'purged by size',
  expired: 'came when their time was purged already',
  damaged: 'lost with a damaged file, which was put aside',
}
