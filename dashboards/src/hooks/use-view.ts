import { formatView, parseView, type ViewState } from '../model/url-state.ts'
import { useAddress } from '../router.tsx'

/** What is looked at, kept in the address bar: a change is a step of the browser's history. */
export function useView(): readonly [ViewState, (change: Partial<ViewState>) => void] {
  return useAddress(parseView, formatFollowable)
}

/** A fixed range has no now that a tail could follow. */
function formatFollowable(view: ViewState): string {
  return formatView({ ...view, live: view.live && view.range.kind === 'relative' })
}
