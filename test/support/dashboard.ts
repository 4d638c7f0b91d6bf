import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

/** A page of the dashboards, and what went wrong in it that no person asked for. */
export interface Dashboard extends AsyncDisposable {
  readonly page: Page
  /** Console errors, uncaught errors and CSP violations so far. */
  readonly faults: readonly string[]
  /** Waits until what is shown answers what is asked. */
  settled(): Promise<void>
  /** The completeness line. */
  said(): Promise<string>
  /** Messages of the lines in view, from the top. */
  messages(): Promise<readonly string[]>
}

/** Opens an address in a fresh browser profile. */
export async function openDashboard(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Dashboard> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`))
  page.on('console', (message) => {
    // The browser itself reports answers that the test scripted to fail.
    const scripted = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !scripted) faults.push(`console: ${message.text()}`)
  })
  await page.goto(url)
  return {
    page,
    faults,
    settled: async () => await page.locator('.completeness:not(.idle)').waitFor(),
    said: async () => (await page.locator('.completeness-line strong').textContent()) ?? '',
    messages: async () => await page.locator('.rows .cell-message').allTextContents(),
    [Symbol.asyncDispose]: async () => await context.close(),
  }
}
