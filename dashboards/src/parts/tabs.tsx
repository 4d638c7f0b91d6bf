import type { KeyboardEvent } from 'react'
import { TABS, type Tab } from '../model/url-state.ts'

const NAMES: Readonly<Record<Tab, string>> = { lines: 'Lines', patterns: 'Patterns', top: 'Top' }
/** The panel that the tabs switch. */
export const PANEL_ID = 'panel'

/** What is looked at: the lines, their shapes, or the values of one field. */
export function Tabs({ tab, onTab }: { tab: Tab; onTab: (tab: Tab) => void }) {
  function move(event: KeyboardEvent<HTMLElement>) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length] ?? 'lines'
    event.preventDefault()
    onTab(next)
    document.getElementById(tabId(next))?.focus()
  }
  return (
    <div className="tabs" role="tablist" aria-label="What is shown" onKeyDown={move}>
      {TABS.map((name) => (
        <button
          key={name}
          id={tabId(name)}
          type="button"
          role="tab"
          aria-selected={name === tab}
          aria-controls={PANEL_ID}
          tabIndex={name === tab ? 0 : -1}
          onClick={() => onTab(name)}
        >
          {NAMES[name]}
        </button>
      ))}
    </div>
  )
}

export function tabId(tab: Tab): string {
  return `tab-${tab}`
}
