import type { ReactNode } from 'react'
import type { Session } from '../api.ts'
import type { Theme } from '../hooks/use-theme.ts'
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

export function ThemeButton({ theme, onCycle }: { theme: Theme; onCycle: () => void }) {
  const label = `Colours: ${theme}`
  return (
    <button type="button" className="tool" aria-label={label} title={label} onClick={onCycle}>
      <Icon name={THEME_ICONS[theme]} />
    </button>
  )
}

interface HeaderProps {
  readonly sites: readonly string[]
  readonly session: Session
  readonly onSignOut: () => void
  readonly onHelp: () => void
  /** Tools of the page, left of the person's own. */
  readonly children: ReactNode
}

export function Header({ sites, session, onSignOut, onHelp, children }: HeaderProps) {
  return (
    <header className="header">
      <h1>
        <Brand />
      </h1>
      {sites.length > 0 && (
        <span className="sites" title={sites.join(', ')}>
          <span className="visually-hidden">Sites: </span>
          {sites.length > 3 ? `${sites.length} sites` : sites.join(', ')}
        </span>
      )}
      <div className="header-tools">
        {children}
        <button
          type="button"
          className="tool"
          aria-label="Keyboard shortcuts"
          aria-keyshortcuts="?"
          title="Keyboard shortcuts (?)"
          onClick={onHelp}
        >
          <kbd>?</kbd>
        </button>
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
