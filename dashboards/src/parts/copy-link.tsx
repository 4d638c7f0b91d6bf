import { useState } from 'react'
import { copyText } from '../clipboard.ts'
import { rangeLabel, resolveRange, type TimeRange } from '../model/time-range.ts'
import { formatView, type ViewState } from '../model/url-state.ts'
import { Icon } from './icons.tsx'
import { Popover } from './popover.tsx'

/** Copies a link to this view: as it runs, or pinned to the times of now. */
export function CopyLink({ view, nowMs }: { view: ViewState; nowMs: number }) {
  const [said, setSaid] = useState('')
  const fixed: TimeRange = { kind: 'absolute', ...resolveRange(view.range, nowMs) }

  async function copy(linked: ViewState, close: () => void) {
    const copied = await copyText(location.origin + location.pathname + formatView(linked))
    setSaid(copied ? 'Link copied' : 'The browser refused to copy')
    close()
  }

  return (
    <>
      <Popover label="Copy link" button={<Icon name="link" />} buttonClass="tool">
        {(close) => (
          <ul className="menu wide">
            {view.range.kind === 'relative' && (
              <li>
                <button type="button" onClick={() => void copy(view, close)}>
                  Link that moves with time
                  <small>{rangeLabel(view.range, nowMs)}</small>
                </button>
              </li>
            )}
            <li>
              <button type="button" onClick={() => void copy({ ...view, range: fixed, live: false }, close)}>
                Link to exactly these times
                <small>{rangeLabel(fixed, nowMs)}</small>
              </button>
            </li>
          </ul>
        )}
      </Popover>
      <span className="visually-hidden" role="status">
        {said}
      </span>
    </>
  )
}
