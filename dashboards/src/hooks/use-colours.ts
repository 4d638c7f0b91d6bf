import { useLayoutEffect, useState } from 'react'

/** Colours as a canvas takes them: custom properties, resolved for the theme that is shown. */
export type Colours = Readonly<Record<string, string>>

/** `names` must be a constant: names of custom properties that are colours. */
export function useColours(names: readonly string[]): Colours {
  const [colours, setColours] = useState<Colours>(() => resolve(names))
  useLayoutEffect(() => {
    const again = () => setColours(resolve(names))
    const root = new MutationObserver(again)
    root.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    const system = matchMedia('(prefers-color-scheme: dark)')
    system.addEventListener('change', again)
    return () => {
      root.disconnect()
      system.removeEventListener('change', again)
    }
  }, [names])
  return colours
}

function resolve(names: readonly string[]): Colours {
  // Only a property that takes a colour gives light-dark() back as the one of both that counts.
  const probe = document.createElement('i')
  document.body.append(probe)
  try {
    return Object.fromEntries(
      names.map((name) => {
        probe.style.color = `var(${name})`
        return [name, getComputedStyle(probe).color]
      }),
    )
  } finally {
    probe.remove()
  }
}
