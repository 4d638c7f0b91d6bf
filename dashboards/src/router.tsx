import { useCallback, useMemo, useSyncExternalStore, type MouseEvent, type ReactNode } from 'react'

/** Pages are told apart by the path of the address; what they show is in its query string. */
function onMove(moved: () => void): () => void {
  addEventListener('popstate', moved)
  return () => removeEventListener('popstate', moved)
}

/** Goes to an address of this app; `replace` leaves no step in the browser's history. */
export function go(href: string, { replace = false }: { replace?: boolean } = {}): void {
  if (replace) history.replaceState(null, '', href)
  else history.pushState(null, '', href)
  // The browser tells of Back and Forward only.
  dispatchEvent(new PopStateEvent('popstate'))
}

export function usePath(): string {
  return useSyncExternalStore(onMove, () => location.pathname)
}

/** What a page keeps in the query string: read anew when it changes; a change is a step of the browser's history. */
export function useAddress<State extends object>(
  parse: (queryString: string) => State,
  format: (state: State) => string,
): readonly [State, (change: Partial<State>, options?: { replace?: boolean }) => void] {
  const queryString = useSyncExternalStore(onMove, () => location.search)
  const state = useMemo(() => parse(queryString), [parse, queryString])
  const change = useCallback(
    (part: Partial<State>, options: { replace?: boolean } = {}) => {
      const next = format({ ...parse(location.search), ...part })
      if (next !== location.search) go(location.pathname + next, options)
    },
    [parse, format],
  )
  return [state, change]
}

interface LinkProps {
  readonly href: string
  readonly className?: string | undefined
  readonly current?: boolean
  readonly shortcut?: string
  readonly title?: string | undefined
  readonly children: ReactNode
}

/** A link within the app. With a key or button that asks for a new tab or window, the browser follows it. */
export function Link({ href, className, current = false, shortcut, title, children }: LinkProps) {
  return (
    <a
      href={href}
      className={className}
      title={title}
      aria-current={current ? 'page' : undefined}
      aria-keyshortcuts={shortcut}
      onClick={(event) => {
        if (!isPlain(event)) return
        event.preventDefault()
        go(href)
      }}
    >
      {children}
    </a>
  )
}

function isPlain(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
}
