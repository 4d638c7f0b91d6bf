import { visible } from '../model/visible.ts'
import { Icon } from './icons.tsx'
import { Popover } from './popover.tsx'

interface ChoicesProps {
  /** 'Split by', 'Show' */
  readonly label: string
  /** Said when nothing is chosen. */
  readonly none: string
  readonly options: readonly { readonly value: string; readonly hint?: string }[]
  readonly chosen: readonly string[]
  readonly most?: number
  readonly onChange: (chosen: readonly string[]) => void
}

/** Several of a few, behind a button that tells which. */
export function Choices({ label, none, options, chosen, most = Infinity, onChange }: ChoicesProps) {
  const said = chosen.length === 0 ? none : chosen.map(visible).join(', ')
  const all = [
    ...options,
    // What a link names stays to be unchecked, also when the metric does not have it.
    ...chosen
      .filter((value) => !options.some((option) => option.value === value))
      .map((value) => ({ value, hint: '' })),
  ]
  const button = (
    <>
      <span className="hint">{label}</span> <span className="choices-said">{said}</span>
      <Icon name="chevron" />
    </>
  )
  return (
    <Popover label={`${label} ${said}`} button={button} buttonClass="button choices" side="left">
      {() => (
        <fieldset className="choices-panel">
          <legend className="visually-hidden">{label}</legend>
          {all.length === 0 && <p className="hint">There is nothing to choose from.</p>}
          {all.map(({ value, hint = '' }) => {
            const on = chosen.includes(value)
            return (
              <label key={value}>
                <input
                  type="checkbox"
                  checked={on}
                  disabled={!on && chosen.length >= most}
                  onChange={() => onChange(on ? chosen.filter((one) => one !== value) : [...chosen, value])}
                />
                <span>{visible(value)}</span>
                <small>{hint}</small>
              </label>
            )
          })}
        </fieldset>
      )}
    </Popover>
  )
}
