import { headline, severity, type Coverage } from './coverage.ts'
import { duration, moment } from './format.ts'

type Tone = 'good' | 'warn' | 'bad' | 'idle'

export interface Status {
  readonly tone: Tone
  readonly text: string
  /** How old what is shown is, or what it said before; '' when there is nothing to add. */
  readonly aside: string
}

export interface StatusFacts {
  readonly nowMs: number
  /** Of all answers on the page; null: there is none yet. */
  readonly coverage: Coverage | null
  readonly answeredAtMs: number | null
  /** Every answer on the page is of the question as it stands. */
  readonly fresh: boolean
  readonly problem: { readonly status: number; readonly message: string } | null
  readonly cancelled: boolean
  readonly tail: {
    readonly phase: 'off' | 'connecting' | 'open' | 'reconnecting' | 'refused'
    readonly heardAtMs: number | null
  }
}

/** An answer of a running range is worth its age after this long. */
const OLD_AFTER_MS = 30_000

/** What the line above the results says. 'good' only when the answers shown are fresh and the ledger calls them complete. */
export function pageStatus(facts: StatusFacts): Status {
  const { nowMs, coverage, answeredAtMs, problem, tail } = facts
  const before = coverage === null ? '' : `Last answer: ${headline(coverage, nowMs)}`
  if (problem !== null) return failed(facts, problem, before)
  if (facts.cancelled)
    return { tone: 'warn', text: 'Cancelled: what is shown is an older answer', aside: before }
  if (tail.phase === 'reconnecting') return { tone: 'bad', text: lostTail(facts), aside: before }
  if (coverage === null || answeredAtMs === null) {
    return { tone: 'idle', text: 'Waiting for the first answer…', aside: '' }
  }
  if (!facts.fresh) return { tone: 'idle', text: 'Updating…', aside: before }
  const ageMs = nowMs - answeredAtMs
  const old = tail.phase === 'off' && ageMs >= OLD_AFTER_MS
  const aside = old ? `asked ${duration(ageMs)} ago` : ''
  return { tone: severity(coverage), text: headline(coverage, nowMs), aside }
}

function failed(
  { nowMs, answeredAtMs }: StatusFacts,
  { status }: { status: number },
  before: string,
): Status {
  if (status >= 400 && status < 500) {
    const text =
      answeredAtMs === null
        ? 'No answer: the query was refused'
        : 'The query was refused: what is shown is an older answer'
    return { tone: 'warn', text, aside: before }
  }
  if (answeredAtMs === null) return { tone: 'bad', text: 'No answer from Noctule yet', aside: '' }
  const since = `${moment(answeredAtMs, nowMs)}, ${duration(nowMs - answeredAtMs)} ago`
  return { tone: 'bad', text: `No answer from Noctule since ${since}: what is shown is old`, aside: before }
}

function lostTail({ nowMs, tail }: StatusFacts): string {
  const silence = tail.heardAtMs === null ? '' : `: last word ${duration(nowMs - tail.heardAtMs)} ago`
  return `Live tail is reconnecting${silence}`
}
