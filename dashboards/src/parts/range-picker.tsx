import { useState } from 'react'
import { PRESETS, absoluteRange, rangeLabel, resolveRange, type TimeRange } from '../model/time-range.ts'
import { parseWallTime, wallTime, zoneLabel } from '../model/format.ts'
import { Icon } from './icons.tsx'
import { Popover } from './popover.tsx'

interface RangePickerProps {
  readonly range: TimeRange
  readonly nowMs: number
  readonly onPick: (range: TimeRange) => void
}

export function RangePicker({ range, nowMs, onPick }: RangePickerProps) {
  const label = rangeLabel(range, nowMs)
  const button = (
    <>
      <Icon name="clock" />
      <span className="range-label">{label}</span>
      <Icon name="chevron" />
    </>
  )
  return (
    <Popover label={`Time range: ${label}`} button={button} buttonClass="button range-button" shortcut="t">
      {(close) => {
        const pick = (picked: TimeRange) => {
          onPick(picked)
          close()
        }
        return (
          <div className="range-panel">
            <Presets range={range} nowMs={nowMs} onPick={pick} />
            <FixedRange range={range} nowMs={nowMs} onPick={pick} />
          </div>
        )
      }}
    </Popover>
  )
}

function Presets({ range, nowMs, onPick }: RangePickerProps) {
  return (
    <ul className="menu" aria-label="Up to now">
      {PRESETS.map((length) => {
        const preset: TimeRange = { kind: 'relative', length }
        const current = range.kind === 'relative' && range.length === length
        return (
          <li key={length}>
            <button type="button" aria-current={current || undefined} onClick={() => onPick(preset)}>
              {rangeLabel(preset, nowMs)}
            </button>
          </li>
        )
      })}
    </ul>
  )
}

function FixedRange({ range, nowMs, onPick }: RangePickerProps) {
  const at = resolveRange(range, nowMs)
  const [from, setFrom] = useState(wallTime(at.fromMs))
  const [to, setTo] = useState(wallTime(at.toMs))
  const picked = absoluteRange(parseWallTime(from), parseWallTime(to))
  return (
    <form
      className="fixed-range"
      onSubmit={(event) => {
        event.preventDefault()
        if (picked !== null) onPick(picked)
      }}
    >
      <label>
        From
        <input
          type="datetime-local"
          step="1"
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        />
      </label>
      <label>
        To
        <input type="datetime-local" step="1" value={to} onChange={(event) => setTo(event.target.value)} />
      </label>
      <p className="hint">
        {picked === null ? 'The end must be after the start.' : `Times are ${zoneLabel(at.toMs)}.`}
      </p>
      <button type="submit" className="button primary" disabled={picked === null}>
        Use these times
      </button>
    </form>
  )
}
