import { SPLITS, type Split } from './histogram.ts'
import { DEFAULT_RANGE, parseRange, rangeParameters, type TimeRange } from './time-range.ts'

export const TABS = ['lines', 'patterns', 'top'] as const
export type Tab = (typeof TABS)[number]

/** What is asked. */
export interface Asked {
  readonly q: string
  readonly range: TimeRange
  readonly live: boolean
}

/** Everything about a view that a link carries. */
export interface ViewState extends Asked {
  readonly tab: Tab
  /** What the chart is split by. */
  readonly by: Split
  /** Whose values the tab Top counts. */
  readonly field: string
}

const DEFAULT_FIELD = 'service'

/** Reads a query string; what is missing or wrong becomes its default. */
export function parseView(queryString: string): ViewState {
  const given = new URLSearchParams(queryString)
  const range = parseRange(given.get('from'), given.get('to')) ?? DEFAULT_RANGE
  return {
    tab: TABS.find((tab) => tab === given.get('tab')) ?? 'lines',
    by: SPLITS.find((split) => split === given.get('by')) ?? 'level',
    field: given.get('field') || DEFAULT_FIELD,
    q: given.get('q') ?? '',
    range,
    // A tail follows what arrives now; a fixed range has no now.
    live: given.get('live') === '1' && range.kind === 'relative',
  }
}

/** The query string of a view, '?' included; parseView(formatView(view)) is the view. */
export function formatView(view: ViewState): string {
  const out = askedParameters(view)
  if (view.tab !== 'lines') out.set('tab', view.tab)
  if (view.by !== 'level') out.set('by', view.by)
  if (view.field !== DEFAULT_FIELD) out.set('field', view.field)
  return `?${out}`
}

/** The same text for the same question, however its answer is looked at. */
export function askedKey(asked: Asked): string {
  return askedParameters(asked).toString()
}

function askedParameters({ q, range, live }: Asked): URLSearchParams {
  const { from, to } = rangeParameters(range)
  const out = new URLSearchParams()
  if (q !== '') out.set('q', q)
  out.set('from', from)
  if (range.kind === 'absolute') out.set('to', to)
  if (live) out.set('live', '1')
  return out
}

/** The one-time code of a sign-in link's fragment, or null. */
export function codeOfFragment(fragment: string): string | null {
  const code = new URLSearchParams(fragment.replace(/^#/, '')).get('code')
  return code === null || code.trim() === '' ? null : code.trim()
}

/** Takes what a person pasted: the code itself or the whole link that `noctule start` printed. */
export function codeOfPaste(text: string): string {
  const at = text.indexOf('#')
  return (at < 0 ? null : codeOfFragment(text.slice(at))) ?? text.trim()
}
