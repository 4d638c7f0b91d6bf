import { DEFAULT_RANGE, parseRange, rangeParameters, type TimeRange } from './time-range.ts'

/** Everything about a view that a link carries. */
export interface ViewState {
  readonly q: string
  readonly range: TimeRange
  readonly live: boolean
}

/** Reads a query string; what is missing or wrong becomes its default. */
export function parseView(queryString: string): ViewState {
  const given = new URLSearchParams(queryString)
  const range = parseRange(given.get('from'), given.get('to')) ?? DEFAULT_RANGE
  return {
    q: given.get('q') ?? '',
    range,
    // A tail follows what arrives now; a fixed range has no now.
    live: given.get('live') === '1' && range.kind === 'relative',
  }
}

/** The query string of a view, '?' included; parseView(formatView(view)) is the view. */
export function formatView({ q, range, live }: ViewState): string {
  const { from, to } = rangeParameters(range)
  const out = new URLSearchParams()
  if (q !== '') out.set('q', q)
  out.set('from', from)
  if (range.kind === 'absolute') out.set('to', to)
  if (live) out.set('live', '1')
  return `?${out}`
}

export function sameView(one: ViewState, other: ViewState): boolean {
  return formatView(one) === formatView(other)
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
