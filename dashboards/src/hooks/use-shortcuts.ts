import { useEffect, useEffectEvent } from 'react'

/** Key (as KeyboardEvent.key) → what it does. */
export type Shortcuts = Readonly<Record<string, () => void>>

/**
 * Keys of the whole page: those given, and for every control with `aria-keyshortcuts` its key, which presses the
 * button or focuses the field. While somebody types, or with Ctrl, Alt or Meta held, keys are the field's and the browser's.
 */
export function useShortcuts(shortcuts: Shortcuts): void {
  const press = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    if (isTaken(event.target, event.key)) return
    const run = Object.hasOwn(shortcuts, event.key) ? shortcuts[event.key] : presser(event.key)
    if (run === undefined) return
    event.preventDefault()
    run()
  })

  useEffect(() => {
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}

function presser(key: string): (() => void) | undefined {
  if (key.length > 1) return undefined
  const control = document.querySelector<HTMLElement>(`[aria-keyshortcuts="${CSS.escape(key)}"]`)
  if (control === null) return undefined
  return () => {
    if (control instanceof HTMLInputElement) control.select()
    else if (control.isContentEditable) selectAll(control)
    else control.click()
  }
}

function selectAll(field: HTMLElement): void {
  field.focus()
  getSelection()?.selectAllChildren(field)
}

/** A field takes every key, a button its Enter, an open dialog everything. */
function isTaken(target: EventTarget | null, key: string): boolean {
  if (document.querySelector('dialog[open]') !== null) return true
  if (!(target instanceof HTMLElement)) return false
  if (target.closest('input, textarea, select, [contenteditable]') !== null) return true
  return key === 'Enter' && target.closest('button, a, [role=dialog]') !== null
}
