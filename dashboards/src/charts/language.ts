/**
 * uPlot asks for number formats of the browser's language while it loads, and fails where a system without a locale made
 * it a tag that is none (`en-US@posix`). Import this before it.
 */
function isTag(language: string): boolean {
  try {
    return Intl.getCanonicalLocales(language).length > 0
  } catch {
    return false
  }
}

if (!isTag(navigator.language)) {
  Object.defineProperty(navigator, 'language', { value: 'en', configurable: true })
}
