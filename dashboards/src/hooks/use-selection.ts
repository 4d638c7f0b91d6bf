import { useState } from 'react'
import type { LogRecord } from '../api.ts'
import { nextLine, type Step } from '../model/selection.ts'
import { useShortcuts } from './use-shortcuts.ts'

const STEPS: Readonly<Record<string, Step>> = {
  j: 'next',
  ArrowDown: 'next',
  k: 'previous',
  ArrowUp: 'previous',
  Home: 'first',
  End: 'last',
  e: 'nextError',
  E: 'previousError',
}

export interface Selection {
  readonly selectedId: string | null
  readonly expandedId: string | null
  /** Selects a line and opens it, or closes it when it is open. */
  readonly press: (id: string) => void
  readonly clear: () => void
}

export function useSelection(): Selection & {
  readonly move: (rows: readonly LogRecord[], step: Step) => void
} {
  const [selectedId, setSelectedId] = useState<string | null>(null)
  const [expandedId, setExpandedId] = useState<string | null>(null)
  return {
    selectedId,
    expandedId,
    press(id) {
      setSelectedId(id)
      setExpandedId(expandedId === id ? null : id)
    },
    clear() {
      if (expandedId === null) setSelectedId(null)
      setExpandedId(null)
    },
    move(rows, step) {
      const next = nextLine(rows, selectedId, step)
      setSelectedId(next)
      // An open line stays open while one reads on, as the next one.
      if (expandedId !== null) setExpandedId(next)
    },
  }
}

/** Arrows, j and k, e and E, Home and End move; Enter opens and closes; Esc closes, then deselects. */
export function useSelectionKeys(
  selection: ReturnType<typeof useSelection>,
  rows: readonly LogRecord[],
): void {
  const { selectedId } = selection
  const moves = Object.entries(STEPS).map(([key, step]) => [key, () => selection.move(rows, step)] as const)
  useShortcuts({
    ...Object.fromEntries(moves),
    Enter: () => {
      if (selectedId !== null) selection.press(selectedId)
    },
    Escape: () => selection.clear(),
  })
}
