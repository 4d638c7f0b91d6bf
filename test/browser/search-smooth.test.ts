import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard } from '../support/dashboard.ts'
import { startFakeApi, type FakeApi } from '../support/fake-api.ts'
import { watchMainThread } from '../support/main-thread.ts'
import { sampleLine } from '../support/sample-lines.ts'

const browser = await launchBrowser()
/** Longer, and a person sees the page hang. */
const TASK_CPU_MS_MAX = 50
const SCROLLED_ROWS = 60_000
const LIVE_ROWS = 3000
let api: FakeApi

beforeAll(async () => {
  api = await startFakeApi()
})

afterAll(async () => {
  await api.close()
  await browser?.close()
})

test.skipIf(browser === null)(
  'scrolling through very many lines never holds the page up, and holds only those around',
  async () => {
    if (browser === null) return
    Object.assign(api.script, { code: 'good-code', endless: 1_000_000 })
    await using dashboard = await openDashboard(browser, `${api.url}/#code=good-code`)
    const { page } = dashboard
    await page.locator('.rows .row').first().waitFor()
    await page.locator('.cm-content').waitFor()
    const watched = await watchMainThread(browser, page, async () => {
      await page.evaluate(`new Promise((scrolled) => {
        const results = document.querySelector('.results')
        const step = () => {
          results.scrollTop += 20_000
          if (Number(results.getAttribute('aria-rowcount')) < ${SCROLLED_ROWS}) requestAnimationFrame(step)
          else scrolled()
        }
        step()
      })`)
    })
    process.stdout.write(`scrolling: ${JSON.stringify(watched)}\n`)
    expect(watched.longestCpuMs).toBeLessThan(TASK_CPU_MS_MAX)
    expect(await page.locator('.rows .row').count()).toBeLessThan(150)

    // The first lines were dropped meanwhile; they come again when they are looked at.
    const first = (await dashboard.messages()).at(0)
    const asked = api.requests.length
    await page.evaluate("document.querySelector('.results').scrollTo(0, 0)")
    await page.locator('.rows .row:not(.dropped)').first().waitFor()
    await expect.poll(() => page.locator('.rows .dropped').count()).toBe(0)
    expect((await dashboard.messages())[0]).not.toBe(first)
    expect(api.requests.slice(asked).filter((request) => request.includes('/v1/search'))).not.toEqual([])
    expect(dashboard.faults).toEqual([])
  },
)

test.skipIf(browser === null)('ten live updates a second never hold the page up', async () => {
  if (browser === null) return
  Object.assign(api.script, { code: 'good-code', endless: 0, records: [] })
  await using dashboard = await openDashboard(browser, `${api.url}/?live=1#code=good-code`)
  const { page } = dashboard
  await page.getByText('Following').waitFor()
  await page.locator('.cm-content').waitFor()
  let arrived = 0
  const timer = setInterval(() => {
    const lines = Array.from({ length: 50 }, (_, at) => sampleLine(arrived + at, Date.now()))
    arrived += lines.length
    api.arrive(lines)
  }, 100)
  const watched = await watchMainThread(browser, page, async () => {
    await expect
      .poll(async () => Number(await page.locator('.results').getAttribute('aria-rowcount')), {
        timeout: 60_000,
        interval: 250,
      })
      .toBeGreaterThan(LIVE_ROWS)
  })
  clearInterval(timer)
  process.stdout.write(`live: ${JSON.stringify(watched)}\n`)
  expect(watched.longestCpuMs).toBeLessThan(TASK_CPU_MS_MAX)
  expect(dashboard.faults).toEqual([])
})
