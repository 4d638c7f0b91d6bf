import type { AnswerMeta, ApiCompleteness, ApiGap } from '../api.ts'
import { count, moment, plural, span } from './format.ts'

/** A range that is known to be missing from one site, half-open, ms since 1970. */
export interface Gap {
  readonly site: string
  readonly reason: string
  readonly fromMs: number
  readonly toMs: number
  readonly host: string
  readonly records: number | null
  readonly detail: string
}

export interface SiteCoverage {
  /** '' when there is only one and the answer did not name it. */
  readonly name: string
  readonly status: string
  readonly error: string
  readonly complete: boolean
  readonly completeToMs: number | null
  readonly gaps: readonly Gap[]
  readonly gapsTotal: number
}

/** What one answer, or several together, say about what is missing. */
export interface Coverage {
  readonly complete: boolean
  readonly completeToMs: number | null
  readonly sites: readonly SiteCoverage[]
}

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

const GAPS_IN_HEADLINE_MAX = 2

/** A status word for a site that did not answer. 'ok' and 'partial' did. */
const SITE_WORDS: Readonly<Record<string, string>> = {
  timeout: 'did not answer in time',
  unreachable: 'is unreachable',
  error: 'failed to answer',
  denied: 'refused to answer',
  unsupported: 'cannot run this query',
}

export const REASON_WORDS: Readonly<Record<string, string>> = {
  late: 'not here yet',
  backlog: 'still being sent',
  tombstone: 'discarded',
  lost: 'lost',
  silent: 'silent',
  purged: 'purged',
  'ledger-stale': 'not known',
}

function parseTime(text: string | null): number | null {
  const timeMs = text === null ? Number.NaN : Date.parse(text)
  return Number.isFinite(timeMs) ? timeMs : null
}

function gapOf(site: string, gap: ApiGap): Gap {
  return {
    site,
    reason: gap.reason,
    fromMs: parseTime(gap.from) ?? 0,
    toMs: parseTime(gap.to) ?? 0,
    host: gap.host ?? gap.collector ?? '',
    records: gap.records ?? null,
    detail: gap.detail ?? '',
  }
}

function siteOf(name: string, said: ApiCompleteness, status: string, error = ''): SiteCoverage {
  return {
    name,
    status,
    error,
    complete: said.complete,
    completeToMs: parseTime(said.completeTo),
    gaps: said.gaps.map((gap) => gapOf(name, gap)),
    gapsTotal: said.gapsTotal,
  }
}

export function coverageOf(meta: AnswerMeta): Coverage {
  return {
    complete: meta.complete,
    completeToMs: parseTime(meta.completeTo),
    sites: Object.entries(meta.sites).map(([name, site]) => siteOf(name, site, site.status, site.error)),
  }
}

export function coverageOfTail(meta: ApiCompleteness): Coverage {
  const site = siteOf('', meta, 'ok')
  return { complete: meta.complete, completeToMs: site.completeToMs, sites: [site] }
}

/** Several answers shown on one page: complete only when every one is, to the earliest of their times. */
export function combineCoverage(parts: readonly Coverage[]): Coverage | null {
  const [first, ...others] = parts
  if (first === undefined) return null
  const ends = parts.map((part) => part.completeToMs)
  return {
    complete: parts.every((part) => part.complete),
    completeToMs: ends.includes(null) ? null : Math.min(...ends.filter((end) => end !== null)),
    sites: others.reduce((sites, part) => mergeSites(sites, part.sites), first.sites),
  }
}

/** One entry a site; the worse word wins, and a gap that both know is listed once. */
function mergeSites(known: readonly SiteCoverage[], added: readonly SiteCoverage[]): readonly SiteCoverage[] {
  const sites = [...known]
  for (const site of added) {
    const at = site.name === '' && sites.length === 1 ? 0 : sites.findIndex(({ name }) => name === site.name)
    const before = sites[at]
    if (before === undefined) sites.push(site)
    else sites[at] = mergeSite(before, site)
  }
  return sites
}

function mergeSite(one: SiteCoverage, other: SiteCoverage): SiteCoverage {
  const failed = answered(one) ? other : one
  const fresh = other.gaps.filter((gap) => !one.gaps.some((known) => sameGap(known, gap)))
  const gaps = [...one.gaps, ...fresh.map((gap) => ({ ...gap, site: one.name }))]
  return {
    name: one.name,
    status: failed.status,
    error: failed.error,
    complete: one.complete && other.complete,
    completeToMs:
      one.completeToMs === null || other.completeToMs === null
        ? null
        : Math.min(one.completeToMs, other.completeToMs),
    gaps,
    gapsTotal: Math.max(gaps.length, one.gapsTotal, other.gapsTotal),
  }
}

/** The same hole seen a moment apart: its end moves on while it lasts, and the range that cuts it off moves on, too. */
function sameGap(one: Gap, other: Gap): boolean {
  if (one.reason !== other.reason || one.host !== other.host) return false
  const overlap = one.fromMs < other.toMs && other.fromMs < one.toMs
  return one.fromMs === other.fromMs || (overlap && one.records === other.records)
}

export function answered(site: SiteCoverage): boolean {
  return SITE_WORDS[site.status] === undefined
}

export function gapsTotal(coverage: Coverage): number {
  return coverage.sites.reduce((sum, site) => sum + site.gapsTotal, 0)
}

/** `bad`: a site did not answer, or records are gone. `warn`: records may still come. */
export function severity(coverage: Coverage): 'good' | 'warn' | 'bad' {
  if (coverage.complete) return 'good'
  const gone = ({ reason }: Gap) => reason === 'lost' || reason === 'tombstone'
  const bad = coverage.sites.some((site) => !answered(site) || site.gaps.some(gone))
  return bad || coverage.sites.length === 0 ? 'bad' : 'warn'
}

/** The completeness line: what a person needs to know first. */
export function headline(coverage: Coverage, nowMs: number): string {
  const to = coverage.completeToMs
  if (coverage.complete) return to === null ? 'Complete' : `Complete to ${moment(to, nowMs)}`
  const said = [
    ...coverage.sites.filter((site) => !answered(site)).map(siteWords),
    ...coverage.sites.flatMap((site) => site.gaps).map((gap) => gapWords(gap, nowMs)),
  ]
  const shown = said.slice(0, GAPS_IN_HEADLINE_MAX)
  const silent = coverage.sites.filter((site) => !answered(site)).length
  const left = silent + gapsTotal(coverage) - shown.length
  if (left > 0 && shown.length > 0) shown.push(`${count(left)} more`)
  if (shown.length === 0) shown.push(to === null ? 'nothing is known about this range' : knownTo(to, nowMs))
  return `Incomplete: ${shown.join('; ')}`
}

const knownTo = (timeMs: number, nowMs: number) => `only covered to ${moment(timeMs, nowMs)}`

export function siteWords(site: SiteCoverage): string {
  return `${site.name === '' ? 'the site' : site.name} ${SITE_WORDS[site.status] ?? 'answered'}`
}

/** '1,024 records of web-3.eu lost 03:10:01–03:10:04 (spool full)', 'web-3.eu silent 03:11:52–03:12:07' */
function gapWords(gap: Gap, nowMs: number): string {
  const when = span(gap.fromMs, gap.toMs, nowMs)
  const whose = gap.host || gap.site
  if (gap.reason === 'silent') return `${whose || 'the site'} silent ${when}`
  if (gap.reason === 'ledger-stale') return `nothing known of ${whose || 'the site'} ${when}`
  const what = gap.records === null ? 'records' : plural(gap.records, 'record')
  const of = whose === '' ? '' : ` of ${whose}`
  return `${what}${of} ${REASON_WORDS[gap.reason] ?? gap.reason} ${when}${shortDetail(gap.detail)}`
}

/** The detail without its times, which the line already tells. */
function shortDetail(detail: string): string {
  const short = detail.replace(/ \(.*/su, '')
  return short === '' || /\d{4}-\d\d-\d\dT/u.test(short) ? '' : ` (${short})`
}

/**
 * What to hatch in a chart of [range.fromMs, range.toMs): disjoint, ascending. A site with all its gaps listed is
 * missing exactly those; otherwise everything after its `completeTo` is in doubt. What lies after `nowMs` is not missing.
 */
export function missingSpans(coverage: Coverage, range: Span, nowMs: number): readonly Span[] {
  const end = Math.min(range.toMs, nowMs)
  const doubts = coverage.sites.flatMap((site): Span[] => {
    if (!answered(site)) return [{ fromMs: range.fromMs, toMs: end }]
    if (site.gaps.length > 0 && site.gaps.length >= site.gapsTotal) return [...site.gaps]
    return [{ fromMs: site.completeToMs ?? range.fromMs, toMs: end }]
  })
  return unionSpans(doubts.map((doubt) => clip(doubt, { fromMs: range.fromMs, toMs: end })))
}

function clip(what: Span, to: Span): Span {
  return { fromMs: Math.max(what.fromMs, to.fromMs), toMs: Math.min(what.toMs, to.toMs) }
}

/** Empty spans leave; those that touch become one. */
export function unionSpans(spans: readonly Span[]): readonly Span[] {
  const out: Span[] = []
  for (const next of spans.filter((s) => s.fromMs < s.toMs).toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = out.at(-1)
    if (last === undefined || next.fromMs > last.toMs) out.push(next)
    else out[out.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, next.toMs) }
  }
  return out
}
