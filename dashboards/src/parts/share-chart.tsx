import { useState } from 'react'
import { copyText } from '../clipboard.ts'
import { askOf, chartApiCall, chartCommand, formatChartView, type ChartView } from '../model/chart-view.ts'
import { rangeLabel, resolveRange, type TimeRange } from '../model/time-range.ts'
import { Icon } from './icons.tsx'
import { Popover } from './popover.tsx'

/** Copies the chart's question: as a link, for the command line, or for the API. */
export function ShareChart({ view, nowMs }: { view: ChartView; nowMs: number }) {
  const [said, setSaid] = useState('')
  const fixed: TimeRange = { kind: 'absolute', ...resolveRange(view.range, nowMs) }
  const linkOf = (linked: ChartView) => location.origin + location.pathname + formatChartView(linked)
  const copies = [
    {
      title: 'Link that moves with time',
      hint: rangeLabel(view.range, nowMs),
      text: linkOf(view),
      offered: view.range.kind === 'relative',
    },
    {
      title: 'Link to exactly these times',
      hint: rangeLabel(fixed, nowMs),
      text: linkOf({ ...view, range: fixed }),
      offered: true,
    },
    {
      title: 'As a command',
      hint: 'noctule metrics …',
      text: chartCommand(askOf(view)),
      offered: view.name !== '',
    },
    {
      title: 'As an API call',
      hint: 'curl …/v1/metrics/query',
      text: chartApiCall(askOf(view), location.origin),
      offered: view.name !== '',
    },
  ]

  async function copy(text: string, close: () => void) {
    setSaid((await copyText(text)) ? 'Copied' : 'The browser refused to copy')
    close()
  }

  return (
    <>
      <Popover label="Copy" button={<Icon name="link" />} shortcut="c">
        {(close) => (
          <ul className="menu wide">
            {copies
              .filter(({ offered }) => offered)
              .map(({ title, hint, text }) => (
                <li key={title}>
                  <button type="button" onClick={() => void copy(text, close)}>
                    {title}
                    <small>{hint}</small>
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
