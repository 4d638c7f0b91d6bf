import type { GapReason, SiteCompleteness } from './ledger/types.ts'

/** What a site did for an answer. */
export type SiteStatus = 'ok' | 'partial' | 'timeout' | 'unreachable' | 'error' | 'denied' | 'unsupported'

/** A gap as the API writes it: RFC 3339 times. */
export interface PublicGap {
  readonly reason: GapReason
  readonly from: string
  readonly to: string
  readonly site?: string
  readonly collector?: string
  readonly host?: string
  readonly records?: number
  readonly detail?: string
}

export interface SiteAnswer {
  readonly status: SiteStatus
  /** The site whose store answered. */
  readonly holder: string
  readonly tookMs: number
  /** Absent: its share of what was counted is not told apart. */
  readonly returned?: number
  readonly complete: boolean
  readonly completeTo: string | null
  readonly gaps: readonly PublicGap[]
  readonly gapsTotal: number
  readonly error?: string
}

/** Rides in every answer: what was asked, what it cost, and what is missing. */
export interface AnswerMeta {
  /** Of the query, while it runs: what it is cancelled by. */
  readonly id: string
  readonly query: string
  readonly from: string
  readonly to: string
  readonly tookMs: number
  readonly scanned: number
  readonly returned: number
  /** More would have matched; ask again with `cursor`. */
  readonly truncated: boolean
  readonly cursor?: string
  /** True only when the ledger of every asked site covers the range. */
  readonly complete: boolean
  /** The earliest `completeTo` of the asked sites; null when one of them knows nothing. */
  readonly completeTo: string | null
  readonly sites: Readonly<Record<string, SiteAnswer>>
}

const iso = (ms: number) => new Date(Math.min(8.64e15, Math.max(-8.64e15, ms))).toISOString()

/** The ledger's word on a site, as the API writes it. */
export function publicCompleteness(judged: SiteCompleteness) {
  return {
    complete: judged.complete,
    completeTo: judged.completeToMs === null ? null : iso(judged.completeToMs),
    gaps: judged.gaps.map(({ fromMs, toMs, ...gap }) => ({ ...gap, from: iso(fromMs), to: iso(toMs) })),
    gapsTotal: judged.gapsTotal,
  }
}

type AnswerFacts = Omit<AnswerMeta, 'complete' | 'completeTo'>

/** Sums up the sites: complete only when every one is, to the earliest of their times. */
export function summarise(facts: AnswerFacts): AnswerMeta {
  const sites = Object.values(facts.sites)
  const ends = sites.map((site) => site.completeTo)
  const known = ends.filter((end) => end !== null).toSorted()
  return {
    ...facts,
    complete: sites.length > 0 && sites.every((site) => site.status === 'ok' && site.complete),
    completeTo: known.length === ends.length ? (known[0] ?? null) : null,
  }
}
