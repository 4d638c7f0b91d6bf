import { RENEWALS_S } from '../model/chart-view.ts'

interface RenewalProps {
  readonly everyS: number
  /** A fixed range is not renewed. */
  readonly disabled: boolean
  readonly onPick: (everyS: number) => void
}

/** How often the charts of a page are renewed. */
export function Renewal({ everyS, disabled, onPick }: RenewalProps) {
  return (
    <select
      className="button select"
      aria-label="Renew"
      title={disabled ? 'A fixed time range is not renewed' : 'How often it is renewed'}
      value={disabled ? 0 : everyS}
      disabled={disabled}
      onChange={(event) => onPick(Number(event.target.value))}
    >
      <option value={0}>Not live</option>
      {RENEWALS_S.map((every) => (
        <option key={every} value={every}>
          Live, {every} s
        </option>
      ))}
    </select>
  )
}
