import { useLayoutEffect } from 'react'
import { useStored } from './use-stored.ts'

const THEMES = ['system', 'dark', 'light'] as const
export type Theme = (typeof THEMES)[number]

/** The colour theme; `cycle` goes on to the next. */
export function useTheme(): { readonly theme: Theme; readonly cycle: () => void } {
  const [theme, setTheme] = useStored('theme', THEMES)
  useLayoutEffect(() => {
    document.documentElement.dataset['theme'] = theme
  }, [theme])
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system'
  return { theme, cycle: () => setTheme(next) }
}
