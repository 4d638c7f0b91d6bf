import { useCallback, useState } from 'react'
import { nextPlace, type Step } from '../model/selection.ts'
import type { Rows } from '../model/rows.ts'
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
  /** Place of the selected line when it was selected; -1: none. New lines on top move it. */
  readonly place: number
  /** Null also where the line at `place` was not held then. */
  readonly selectedId: string | null
  readonly expandedId: string | null
  /** Selects a line and opens it, or closes it when it is open. */
  readonly press: (id: string, index: number) => void
  readonly clear: () => void
  readonly move: (rows: Rows, step: Step) => void
}

export function useSelection(): Selection {
  const [selected, setSelected] = useState<{ place: number; id: string | null }>({ place: -1, id: null })
  const [expandedId, setExpandedId] = useState<string | null>(null)
  // One function for good, so that lines are not drawn anew.
  const press = useCallback((id: string, index: number) => {
    setSelected({ place: index, id })
    setExpandedId((open) => (open === id ? null : id))
  }, [])
  return {
    place: selected.place,
    selectedId: selected.id,
    expandedId,
    press,
    clear() {
      if (expandedId === null) setSelected({ place: -1, id: null })
      setExpandedId(null)
    },
    move(rows, step) {
      const from = selected.id === null ? -1 : rows.indexOf(selected.id)
      // A line that is not held any more is still somewhere.
      const place = nextPlace(rows, from < 0 ? Math.min(selected.place, rows.length - 1) : from, step)
      const id = rows.at(place)?.id ?? null
      setSelected({ place, id })
      // An open line stays open while one reads on, as the next one.
      if (expandedId !== null) setExpandedId(id)
    },
  }
}

/** Arrows, j and k, e and E, Home and End move; Enter opens and closes; Esc closes, then deselects. */
export function useSelectionKeys(selection: Selection, rows: Rows, on: boolean): void {
  const { selectedId, place } = selection
  const moves = Object.entries(STEPS).map(([key, step]) => [key, () => selection.move(rows, step)] as const)
  const keys = {
    ...Object.fromEntries(moves),
    Enter: () => {
      if (selectedId !== null) selection.press(selectedId, place)
    },
    Escape: () => selection.clear(),
  }
  useShortcuts(on ? keys : {})
}
