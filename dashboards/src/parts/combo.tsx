import { useId, useState, type KeyboardEvent } from 'react'
import { visible } from '../model/visible.ts'

export interface ComboOption {
  readonly value: string
  readonly label: string
  readonly hint?: string
}

interface ComboProps<Option extends ComboOption> {
  readonly label: string
  readonly placeholder: string
  /** What stands in the field while nobody types. */
  readonly value: string
  readonly options: readonly Option[]
  /** Said below the options, or in their place. */
  readonly note: string
  readonly shortcut?: string
  readonly className?: string
  readonly onText: (text: string) => void
  /** An option, or with Enter what was typed. */
  readonly onPick: (value: string, option: Option | null) => void
}

/** A field that offers what it could be completed to. Arrows choose, Enter and Tab take, Esc leaves. */
export function Combo<Option extends ComboOption>(props: ComboProps<Option>) {
  const { label, placeholder, value, options, note, shortcut, className, onText, onPick } = props
  const id = useId()
  const [draft, setDraft] = useState<string | null>(null)
  // By its label: options come and go under one who has chosen.
  const [choice, setChoice] = useState<string | null>(null)
  const open = draft !== null
  const at = open ? options.findIndex((option) => option.label === choice) : -1
  const chosen = options[at]
  const setAt = (index: number) => setChoice(options[index]?.label ?? null)

  function type(text: string) {
    setDraft(text)
    setChoice(null)
    onText(text)
  }

  function take(option: Option | null) {
    const picked = option?.value ?? draft?.trim() ?? ''
    setDraft(null)
    setChoice(null)
    onText('')
    if (picked !== '') onPick(picked, option)
  }

  function press(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (draft === null) type('')
      else if (options.length > 0)
        setAt((at + (event.key === 'ArrowDown' ? 1 : at < 0 ? 0 : -1) + options.length) % options.length)
    } else if (event.key === 'Enter' && open) {
      event.preventDefault()
      take(chosen ?? null)
    } else if (event.key === 'Escape' && open) {
      event.preventDefault()
      setDraft(null)
    }
  }

  return (
    <div className={`combo ${className ?? ''}`}>
      <input
        type="text"
        role="combobox"
        className="text-input"
        aria-label={label}
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={chosen === undefined ? undefined : `${id}-${at}`}
        aria-keyshortcuts={shortcut}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        placeholder={placeholder}
        value={draft ?? value}
        onFocus={(event) => {
          event.currentTarget.select()
          type('')
          setDraft(value)
        }}
        onBlur={() => setDraft(null)}
        onChange={(event) => type(event.target.value)}
        onKeyDown={press}
      />
      <div className="combo-list panel" hidden={!open}>
        <ul id={`${id}-list`} role="listbox" aria-label={label}>
          {open &&
            options.map((option, index) => (
              <li
                key={option.label}
                id={`${id}-${index}`}
                role="option"
                aria-selected={index === at}
                ref={(element) => {
                  if (index === at) element?.scrollIntoView({ block: 'nearest' })
                }}
                // The field must not lose the focus before the press counts.
                onPointerDown={(event) => event.preventDefault()}
                onClick={(event) => {
                  take(option)
                  event.currentTarget.closest('.combo')?.querySelector('input')?.blur()
                }}
              >
                <span>{visible(option.label)}</span>
                {option.hint !== undefined && <small>{option.hint}</small>}
              </li>
            ))}
        </ul>
        {open && note !== '' && <p className="hint">{note}</p>}
      </div>
    </div>
  )
}
