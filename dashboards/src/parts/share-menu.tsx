import { useEffect, useState } from 'react'
import type { Question } from '../api.ts'
import { copyText } from '../clipboard.ts'
import { asApiCall, asCommand } from '../model/share.ts'
import { rangeLabel, rangeParameters, resolveRange, type TimeRange } from '../model/time-range.ts'
import { formatView, type ViewState } from '../model/url-state.ts'
import { Icon } from './icons.tsx'
import { Popover } from './popover.tsx'

const SAID_FOR_MS = 2500

/** Copies this view for somebody else: as a link, a command, a call. Times are fixed to those of now, unless it says so. */
export function ShareMenu({ view, nowMs }: { view: ViewState; nowMs: number }) {
  const [said, setSaid] = useState('')
  useEffect(() => {
    if (said === '') return undefined
    const timer = setTimeout(() => setSaid(''), SAID_FOR_MS)
    return () => clearTimeout(timer)
  }, [said])
  const range: TimeRange = { kind: 'absolute', ...resolveRange(view.range, nowMs) }
  const question: Question = { q: view.q, ...rangeParameters(range) }
  const link = (linked: ViewState) => location.origin + location.pathname + formatView(linked)
  const times = rangeLabel(range, nowMs)
  const choices = [
    { name: 'Link to these times', what: times, text: () => link({ ...view, range, live: false }) },
    ...(view.range.kind === 'relative'
      ? [{ name: 'Link that moves with time', what: rangeLabel(view.range, nowMs), text: () => link(view) }]
      : []),
    { name: 'Command', what: 'noctule search …', text: () => asCommand(question) },
    { name: 'API call', what: 'curl … with your token', text: () => asApiCall(question, location.origin) },
  ]

  async function copy(choice: { name: string; text: () => string }, close: () => void) {
    const copied = await copyText(choice.text())
    setSaid(copied ? `${choice.name} copied` : 'The browser refused to copy')
    close()
  }

  return (
    <>
      <Popover
        label="Copy"
        button={<Icon name={said === '' ? 'share' : 'check'} />}
        buttonClass="button square"
        shortcut="s"
      >
        {(close) => (
          <ul className="menu wide">
            {choices.map((choice) => (
              <li key={choice.name}>
                <button type="button" onClick={() => void copy(choice, close)}>
                  {choice.name}
                  <small>{choice.what}</small>
                </button>
              </li>
            ))}
          </ul>
        )}
      </Popover>
      <span className="visually-hidden" role="status">
        {said}
      </span>
    </>
  )
}
