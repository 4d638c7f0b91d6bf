import { useEffect, useEffectEvent, useId, useRef, useState, type ReactNode } from 'react'

export interface PopoverProps {
  readonly label: string
  readonly button: ReactNode
  readonly buttonClass?: string
  /** A key of the page that opens it is announced with it. */
  readonly shortcut?: string
  readonly side?: 'left' | 'right'
  readonly children: (close: () => void) => ReactNode
}

/** A button and the panel that it opens below itself. Esc and a press elsewhere close it. */
export function Popover({ label, button, buttonClass, shortcut, side, children }: PopoverProps) {
  const [open, setOpen] = useState(false)
  const [id, frame, opener] = [useId(), useRef<HTMLDivElement>(null), useRef<HTMLButtonElement>(null)]

  function close() {
    setOpen(false)
    opener.current?.focus()
  }

  const elsewhere = useEffectEvent((event: Event) => {
    if (event.target instanceof Node && frame.current?.contains(event.target) === true) return
    setOpen(false)
  })

  useEffect(() => {
    if (!open) return undefined
    const panel = frame.current?.querySelector('.panel')
    const first =
      panel?.querySelector<HTMLElement>('[aria-current]') ??
      panel?.querySelector<HTMLElement>('button, input')
    first?.focus()
    addEventListener('pointerdown', elsewhere)
    addEventListener('focusin', elsewhere)
    return () => {
      removeEventListener('pointerdown', elsewhere)
      removeEventListener('focusin', elsewhere)
    }
  }, [open])

  return (
    <div
      className="popover"
      ref={frame}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return
        event.preventDefault()
        close()
      }}
    >
      <button
        type="button"
        ref={opener}
        className={buttonClass ?? 'button'}
        aria-label={label}
        title={shortcut === undefined ? label : `${label} (${shortcut})`}
        aria-haspopup="dialog"
        aria-expanded={open}
        aria-controls={id}
        aria-keyshortcuts={shortcut}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div id={id} className={`panel ${side ?? 'right'}`} role="dialog" aria-label={label}>
          {children(close)}
        </div>
      )}
    </div>
  )
}
