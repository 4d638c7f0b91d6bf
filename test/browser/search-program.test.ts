import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { SearchAnswer } from '../../dashboards/src/api.ts'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard } from '../support/dashboard.ts'
import { startProgram } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

const browser = await launchBrowser()
const LINES = 60

afterAll(async () => {
  await browser?.close()
})

test.skipIf(browser === null)(
  'fields, patterns, top values, lines around a line, suggestions and an export come from the real program',
  async () => {
    if (browser === null) return
    using workspace = createWorkspace()
    const program = await startProgram(workspace)
    const lines = Array.from({ length: LINES }, (_, at) =>
      JSON.stringify({
        level: at % 3 === 0 ? 'error' : 'info',
        message: `order ${at} took ${at * 7} ms`,
        shop: `s${at % 2}`,
      }),
    )
    appendFileSync(join(workspace.logs, 'app.log'), `${lines.join('\n')}\n`)
    const link = /http:\/\/\S+#code=[\w-]+/.exec(program.output())?.[0] ?? ''
    await using dashboard = await openDashboard(browser, link)
    const { page } = dashboard
    const refused: string[] = []
    page.on('response', (response) => {
      if (response.status() >= 400) refused.push(`${response.status()} ${response.url()}`)
    })
    const stored = async () => {
      const answer = await program.get('/v1/search?q=order&limit=100')
      return ((await answer.json()) as SearchAnswer).records.length
    }
    await expect.poll(stored, { timeout: 30_000 }).toBe(LINES)
    await page.getByLabel('Query').fill('order')
    await page.keyboard.press('Enter')
    await page.locator('.total', { hasText: /\b60 lines/ }).waitFor()

    await page.getByRole('button', { name: 'More fields' }).click()
    await page.getByRole('button', { name: 'shop', exact: true }).click()
    await page.getByTitle(/^Only shop:s1 \((?:at least )?30\)/).waitFor()
    await page.getByTitle(/^Only level:error \((?:at least )?20\)/).click()
    await page.getByText('20 lines loaded').waitFor()

    await page.locator('.rows .row').nth(5).click()
    await page.keyboard.press('c')
    const drawer = page.getByRole('dialog', { name: /Lines around/ })
    await drawer.locator('li[aria-current]').waitFor()
    expect(await drawer.locator('li').count()).toBeGreaterThan(20)
    await page.keyboard.press('Escape')

    await page.getByRole('tab', { name: 'Patterns' }).click()
    await page.locator('.counted tbody tr', { hasText: 'order' }).first().waitFor()
    await page.getByRole('tab', { name: 'Top' }).click()
    await page.locator('.counted tbody tr').first().waitFor()

    await page.evaluate('delete window.showSaveFilePicker; delete Window.prototype.showSaveFilePicker')
    await page.getByRole('button', { name: 'Export' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save to a file' }).click(),
    ])
    await page.getByText(/^Saved whole: 20 lines/).waitFor()
    const saved = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n')
    expect(saved).toHaveLength(22)
    await page.keyboard.press('Escape')

    await page.keyboard.press('/')
    await page.keyboard.type('shop:s')
    await page.locator('.suggestions li', { hasText: 's0' }).waitFor()
    expect(refused).toEqual([])
    expect(dashboard.faults).toEqual([])
    await program.stop()
  },
)
