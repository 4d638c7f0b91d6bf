import { useState } from 'react'

const NAMES_MAX = 200

/** A set of names that the person has chosen, remembered in this browser; `toggle` takes one in or out. */
export function useStoredSet(
  name: string,
  atFirst: readonly string[],
): readonly [ReadonlySet<string>, (member: string) => void] {
  const [members, setMembers] = useState<ReadonlySet<string>>(() => new Set(read(name) ?? atFirst))
  return [
    members,
    (member) => {
      const next = new Set(members)
      if (!next.delete(member)) next.add(member)
      setMembers(next)
      try {
        localStorage.setItem(`noctule.${name}`, JSON.stringify([...next].slice(-NAMES_MAX)))
      } catch {
        // Storage is off: the choice is kept in memory.
      }
    },
  ]
}

/** Null when nothing readable is stored. */
function read(name: string): readonly string[] | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(`noctule.${name}`) ?? 'null')
    return Array.isArray(stored) ? stored.filter((member) => typeof member === 'string') : null
  } catch {
    return null
  }
}
