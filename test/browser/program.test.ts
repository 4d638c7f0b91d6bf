import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard } from '../support/dashboard.ts'
import { startProgram } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

const browser = await launchBrowser()

afterAll(async () => {
  await browser?.close()
})

test.skipIf(browser === null)(
  'the link that the program prints leads to the lines of this host, and new ones arrive live',
  async () => {
    if (browser === null) return
    using workspace = createWorkspace()
    const program = await startProgram(workspace)
    const log = join(workspace.logs, 'app.log')
    appendFileSync(log, 'ERROR payment 4711 was refused\n')
    const link = /http:\/\/\S+#code=[\w-]+/.exec(program.output())?.[0] ?? ''
    await using dashboard = await openDashboard(browser, link)
    const { page } = dashboard

    await page.locator('.completeness').waitFor()
    await page.keyboard.press('l')
    await page.getByText('Following').waitFor()
    await page.locator('.rows .row', { hasText: 'payment 4711 was refused' }).waitFor()
    appendFileSync(log, 'WARN payment 4712 is slow\n')
    await page.locator('.rows .row', { hasText: 'payment 4712 is slow' }).waitFor()
    expect((await dashboard.messages())[0]).toContain('payment 4712')

    await page.getByLabel('Query').fill('level:error AND (payment')
    await page.keyboard.press('Enter')
    await page.locator('.syntax-problem', { hasText: 'not closed' }).waitFor()
    await page.getByLabel('Query').fill('level:error AND payment')
    await page.keyboard.press('Enter')
    await page.locator('.completeness.good').waitFor()
    expect(await dashboard.said()).toMatch(/^Complete to/)
    expect(await dashboard.messages()).toHaveLength(1)
    expect(dashboard.faults).toEqual([])
    await program.stop()
  },
)
