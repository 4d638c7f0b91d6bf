import { QueryClientProvider } from '@tanstack/react-query'
import { Suspense, lazy, useEffect, useState, type ComponentType } from 'react'
import type { Session } from './api.ts'
import { useSession } from './hooks/use-session.ts'
import { useShortcuts } from './hooks/use-shortcuts.ts'
import { useTheme } from './hooks/use-theme.ts'
import { useTimeZone } from './hooks/use-time-zone.ts'
import { Header } from './parts/header.tsx'
import { Message } from './parts/message.tsx'
import { PageBoundary } from './parts/page-boundary.tsx'
import { SignIn } from './parts/sign-in.tsx'
import { createQueryClient } from './query-client.ts'
import { Link, go, usePath } from './router.tsx'

export interface PageProps {
  readonly session: Session
}

interface PageEntry {
  readonly href: string
  readonly label: string
  /** Pages below `href` belong to it, too. */
  readonly below?: true
  readonly Page: ComponentType<PageProps>
}

const SEARCH = '/'

const PAGES: readonly PageEntry[] = [
  {
    href: SEARCH,
    label: 'Search',
    Page: lazy(async () => ({ default: (await import('./pages/search.tsx')).SearchPage })),
  },
  {
    href: '/charts',
    label: 'Charts',
    Page: lazy(async () => ({ default: (await import('./pages/charts.tsx')).ChartsPage })),
  },
  {
    href: '/boards',
    label: 'Boards',
    below: true,
    Page: lazy(async () => ({ default: (await import('./pages/boards.tsx')).BoardsPage })),
  },
  {
    href: '/hosts',
    label: 'Hosts',
    Page: lazy(async () => ({ default: (await import('./pages/hosts.tsx')).HostsPage })),
  },
  {
    href: '/collectors',
    label: 'Collectors',
    Page: lazy(async () => ({ default: (await import('./pages/collectors.tsx')).CollectorsPage })),
  },
]

export function App() {
  const looks = useLooks()
  const { state, enter, leave } = useSession()
  const [client] = useState(createQueryClient)
  const inside = state.phase === 'in'
  useEffect(() => {
    // Whoever signs in next must not see what this person saw.
    if (!inside) client.clear()
  }, [inside, client])
  if (state.phase === 'checking') return <div className="page" aria-busy="true" />
  if (state.phase === 'out') return <SignIn state={state} enter={enter} />
  return (
    <QueryClientProvider client={client}>
      <Shell session={state.session} looks={looks} onSignOut={() => void leave()} />
    </QueryClientProvider>
  )
}

function useLooks() {
  const { theme, cycle } = useTheme()
  const { zone, toggle } = useTimeZone()
  return { theme, onCycleTheme: cycle, zone, onToggleZone: toggle }
}

interface ShellProps {
  readonly session: Session
  readonly looks: ReturnType<typeof useLooks>
  readonly onSignOut: () => void
}

/** The header and the page that the path names. */
function Shell({ session, looks, onSignOut }: ShellProps) {
  const path = usePath()
  const entry = PAGES.find((page) => isAt(page, path))
  const title = entry?.label ?? 'No such page'
  useShortcuts({})
  useEffect(() => {
    document.title = `${title} · Noctule`
  }, [title])

  const pages = PAGES.filter(({ href }) => href !== SEARCH || maySearch(session))
  const entries = pages.map((page, at) => ({
    href: page.href,
    label: page.label,
    current: isAt(page, path),
    shortcut: String(at + 1),
  }))
  return (
    <div className="page">
      <Header {...{ title, entries, session, onSignOut }} {...looks} />
      {/* Another zone draws everything anew: lines keep what they once drew. */}
      <PageBoundary key={`${path} ${looks.zone}`}>
        <Suspense fallback={<main aria-busy="true" />}>
          <CurrentPage entry={entry} session={session} path={path} />
        </Suspense>
      </PageBoundary>
    </div>
  )
}

function isAt({ href, below }: PageEntry, path: string): boolean {
  return path === href || path === `${href}/` || (below === true && path.startsWith(`${href}/`))
}

function maySearch({ role }: Session): boolean {
  return role === 'search' || role === 'admin'
}

function CurrentPage({
  entry,
  session,
  path,
}: {
  entry: PageEntry | undefined
  session: Session
  path: string
}) {
  if (entry === undefined) return <NoSuchPage path={path} />
  if (entry.href === SEARCH && !maySearch(session)) return <NoSearch session={session} />
  return <entry.Page session={session} />
}

function NoSuchPage({ path }: { path: string }) {
  return (
    <main>
      <Message title="No such page">
        <p>
          Nothing is at <code dir="auto">{path}</code>.
        </p>
        <div className="notice-actions">
          <Link href="/hosts" className="button">
            See the hosts
          </Link>
        </div>
      </Message>
    </main>
  )
}

/** Who may not search is led to what may be seen; a link to a query says why it is not run. */
function NoSearch({ session }: { session: Session }) {
  const asked = new URLSearchParams(location.search).has('q')
  useEffect(() => {
    if (!asked) go('/hosts', { replace: true })
  }, [asked])
  return (
    <main>
      <Message title="You may not search lines">
        <p>
          {session.name} has the role <code>{session.role}</code>, which sees charts, hosts and collectors.
          Ask for a token of the role <code>search</code>, sign out, and open this address again.
        </p>
        <div className="notice-actions">
          <Link href="/hosts" className="button">
            See the hosts
          </Link>
        </div>
      </Message>
    </main>
  )
}
