import axe from 'axe-core'
import type { Page } from 'playwright-core'

const SERIOUS = new Set<string | null>(['serious', 'critical'])

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string | null
    readonly help: string
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
  }[]
}

export interface Findings {
  /** What keeps people from using the page, a line each. */
  readonly serious: readonly string[]
  /** The rest. */
  readonly minor: readonly string[]
}

/** What axe finds on a page as it stands; `rules`: only these. */
export async function findings(page: Page, rules: readonly string[] = []): Promise<Findings> {
  // As a script of the debugger, which the page's content policy does not hold for.
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe.source)
  const options = { resultTypes: ['violations'], ...(rules.length > 0 && { runOnly: rules }) }
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`)
  const told = (wanted: boolean) =>
    violations
      .filter(({ impact }) => SERIOUS.has(impact) === wanted)
      .flatMap(({ id, help, nodes }) =>
        nodes.map(
          ({ html, failureSummary = '' }) => `${id} (${help}): ${html.slice(0, 160)} ${failureSummary}`,
        ),
      )
  return { serious: told(true), minor: told(false) }
}
