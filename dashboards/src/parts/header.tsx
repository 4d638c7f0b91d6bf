import type { Session } from '../api.ts'
import type { Theme } from '../hooks/use-theme.ts'
import { zoneLabel, type TimeZone } from '../model/format.ts'
import { Link } from '../router.tsx'
import { Bat, Icon } from './icons.tsx'
import { Popover } from './popover.tsx'

const THEME_ICONS = { system: 'screen', dark: 'moon', light: 'sun' } as const

export function Brand() {
  return (
    <span className="brand">
      <Bat />
      Noctule
    </span>
  )
}

export interface NavigationEntry {
  readonly href: string
  readonly label: string
  readonly current: boolean
  readonly shortcut: string
}

interface HeaderProps {
  readonly title: string
  readonly entries: readonly NavigationEntry[]
  readonly session: Session
  readonly theme: Theme
  readonly onCycleTheme: () => void
  readonly zone: TimeZone
  readonly onToggleZone: () => void
  readonly onSignOut: () => void
}

/** On top of every page: where one is, where one can go, and how things are shown. */
export function Header({ title, entries, session, onSignOut, ...looks }: HeaderProps) {
  return (
    <header className="header">
      <Link href={entries[0]?.href ?? '/'} className="home">
        <Brand />
      </Link>
      <h1 className="visually-hidden">{title}</h1>
      <nav className="navigation" aria-label="Pages">
        {entries.map(({ href, label, current, shortcut }) => (
          <Link key={href} href={href} current={current} shortcut={shortcut} title={`${label} (${shortcut})`}>
            {label}
          </Link>
        ))}
      </nav>
      <div className="header-tools">
        <Looks {...looks} />
        <Popover label={`Signed in as ${session.name}`} button={<Icon name="person" />} buttonClass="tool">
          {() => (
            <div className="session-panel">
              <strong>{session.name}</strong>
              <span className="hint">role: {session.role}</span>
              <button type="button" className="button" onClick={onSignOut}>
                Sign out
              </button>
            </div>
          )}
        </Popover>
      </div>
    </header>
  )
}

type LooksProps = Pick<HeaderProps, 'theme' | 'onCycleTheme' | 'zone' | 'onToggleZone'>

function Looks({ theme, onCycleTheme, zone, onToggleZone }: LooksProps) {
  const colours = `Colours: ${theme}`
  const local = zone === 'local'
  const times = local ? `Times: local, ${zoneLabel(Date.now())}` : 'Times: UTC'
  const other = local ? 'Show UTC (z)' : 'Show local times (z)'
  return (
    <>
      <button
        type="button"
        className="tool zone"
        aria-label={times}
        aria-keyshortcuts="z"
        title={`${times}. ${other}`}
        onClick={onToggleZone}
      >
        <Icon name="clock" />
        {local ? 'Local' : 'UTC'}
      </button>
      <button type="button" className="tool" aria-label={colours} title={colours} onClick={onCycleTheme}>
        <Icon name={THEME_ICONS[theme]} />
      </button>
    </>
  )
}
