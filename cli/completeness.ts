import type { ShownGap, ShownSite, ShownSites } from './answers.ts'
import { clockTime, counted, grouped } from './format.ts'
import { harmless } from './terminal.ts'

/** More gaps than this are counted, not told. */
const GAPS_TOLD_MAX = 5

const WHAT_HAPPENED: Readonly<Record<string, string>> = {
  late: 'late',
  backlog: 'waiting in its spool',
  tombstone: 'dropped on purpose',
  lost: 'lost',
  purged: 'purged',
}

/**
 * The ledger's word on an answer, for people: `complete to 03:12:07 for 8 of 8 sites`, or what is missing.
 * Times are UTC; the day is told when it is not that of `nowMs`.
 */
export function completenessRemark(sites: ShownSites, nowMs: number): string {
  const entries = Object.entries(sites)
  const incomplete = entries.filter(([, site]) => !isComplete(site))
  const completeCount = entries.length - incomplete.length
  const covered = `complete to ${clockTime(earliest(entries.map(([, site]) => site)), nowMs)}`
  const noun = entries.length === 1 ? 'site' : 'sites'
  if (entries.length > 0 && incomplete.length === 0)
    return `${covered} for ${completeCount} of ${entries.length} ${noun}`
  const problems = incomplete.map(([name, site]) => siteRemark(name, site, nowMs))
  if (entries.length > 1) problems.unshift(`complete for ${completeCount} of ${entries.length} ${noun}`)
  // Names of hosts and what a site says of its failure come from outside.
  return harmless(`INCOMPLETE: ${problems.join('; ') || 'no site answered'}`)
}

export function isComplete(site: ShownSite): boolean {
  return site.status === 'ok' && site.complete
}

function siteRemark(name: string, site: ShownSite, nowMs: number): string {
  const status = site.status === 'ok' || site.status === 'partial' ? '' : `${site.status}, `
  const error = site.error === undefined ? '' : ` (${site.error})`
  const covered =
    site.completeTo === null
      ? 'nothing is known to be complete'
      : `complete to ${clockTime(site.completeTo, nowMs)}`
  const gaps = site.gaps.slice(0, GAPS_TOLD_MAX).map((gap) => gapRemark(gap, nowMs))
  const untold = site.gapsTotal - gaps.length
  if (untold > 0) gaps.push(`${grouped(untold)} more ${untold === 1 ? 'gap' : 'gaps'}`)
  return [`${name}: ${status}${covered}${error}`, ...gaps].join('; ')
}

/** `web-3: 1,024 records lost 03:10:01–03:10:04 (spool full)` */
function gapRemark({ reason, from, to, collector, host, records, detail }: ShownGap, nowMs: number): string {
  const who = host ?? collector
  const happened = WHAT_HAPPENED[reason]
  const count = records === undefined ? 'records' : counted(records, 'record')
  const what = happened === undefined ? reason.replace('-', ' ') : `${count} ${happened}`
  const range = `${clockTime(from, nowMs)}–${clockTime(to, nowMs)}`
  return `${who === undefined ? '' : `${who}: `}${what} ${range}${detail === undefined ? '' : ` (${detail})`}`
}

function earliest(sites: readonly ShownSite[]): string {
  return sites.map((site) => site.completeTo ?? '').toSorted()[0] ?? ''
}
