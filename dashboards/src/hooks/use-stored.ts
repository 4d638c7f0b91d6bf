import { useState } from 'react'

/** A small choice of the person, remembered in this browser; without storage it lasts as long as the page. */
export function useStored<Choice extends string>(
  name: string,
  choices: readonly [Choice, ...Choice[]],
): readonly [Choice, (choice: Choice) => void] {
  const [choice, setChoice] = useState(() => choices.find((known) => known === read(name)) ?? choices[0])
  return [
    choice,
    (chosen) => {
      setChoice(chosen)
      try {
        localStorage.setItem(`noctule.${name}`, chosen)
      } catch {
        // Storage is off: the choice is kept in memory.
      }
    },
  ]
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(`noctule.${name}`)
  } catch {
    return null
  }
}
