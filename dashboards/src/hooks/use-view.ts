import { useCallback, useEffect, useState } from 'react'
import { formatView, parseView, sameView, type ViewState } from '../model/url-state.ts'

/** What is looked at, kept in the address bar: a change is a step of the browser's history. */
export function useView(): readonly [ViewState, (change: Partial<ViewState>) => void] {
  const [view, setView] = useState(() => parseView(location.search))

  useEffect(() => {
    const reread = () => setView(parseView(location.search))
    addEventListener('popstate', reread)
    return () => removeEventListener('popstate', reread)
  }, [])

  const change = useCallback((part: Partial<ViewState>) => {
    // The address bar is what counts: two changes in a row build on each other.
    const now = parseView(location.search)
    const wanted = { ...now, ...part }
    // A fixed range has no now that a tail could follow.
    const next = { ...wanted, live: wanted.live && wanted.range.kind === 'relative' }
    if (sameView(next, now)) return
    history.pushState(null, '', formatView(next))
    setView(next)
  }, [])

  return [view, change]
}
