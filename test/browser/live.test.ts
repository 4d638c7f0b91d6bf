import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard, type Dashboard } from '../support/dashboard.ts'
import { coveredNow, startFakeApi, type FakeApi } from '../support/fake-api.ts'
import { sampleLine, sampleLines } from '../support/sample-lines.ts'

const browser = await launchBrowser()
let api: FakeApi
let arrived = 0

beforeAll(async () => {
  api = await startFakeApi()
})

afterAll(async () => {
  await api.close()
  await browser?.close()
})

beforeEach(() => {
  api.cutTails()
  Object.assign(api.script, { code: 'good-code', sessions: true, problem: null, down: false })
  api.script.sites = { 'eu-west': coveredNow() }
  api.script.records = sampleLines({ count: 300, untilMs: Date.now() - 2000, everyMs: 500 })
})

/** `count` lines that arrive now; gives their messages, newest first. */
function arrive(count: number): readonly string[] {
  const lines = Array.from({ length: count }, () => {
    arrived += 1
    return { ...sampleLine(10_000 + arrived, Date.now()), message: `arrival ${arrived}` }
  })
  api.arrive(lines)
  return lines.map((line) => line.message).toReversed()
}

/** A page that follows, with the lines from before in it. */
async function follow(): Promise<Dashboard> {
  if (browser === null) throw new Error('there is no browser')
  const dashboard = await openDashboard(browser, `${api.url}/#code=good-code`)
  await dashboard.page.locator('.rows .row').first().waitFor()
  await dashboard.page.keyboard.press('l')
  await dashboard.page.getByText('Following').waitFor()
  await dashboard.page.locator('.rows .row').first().waitFor()
  return dashboard
}

describe.skipIf(browser === null)('the live tail', () => {
  test('what arrives stands on top of what was found, each line once', async () => {
    await using dashboard = await follow()
    const { page } = dashboard
    const newest = arrive(3)
    await page.getByText(newest[0] ?? '', { exact: true }).waitFor()
    const shown = await dashboard.messages()
    expect(shown.slice(0, 3)).toEqual(newest)
    expect(shown[3]).not.toContain('arrival')
    expect(new URL(page.url()).searchParams.get('live')).toBe('1')
    expect(await dashboard.said()).toMatch(/^Complete to/)
    expect(dashboard.faults).toEqual([])
  })

  test('while one reads further down, new lines wait and are counted', async () => {
    await using dashboard = await follow()
    const { page } = dashboard
    await page.locator('.results').hover()
    await page.mouse.wheel(0, 900)
    await page.getByText('Paused').waitFor()
    const before = await dashboard.messages()
    const newest = arrive(7)
    const button = page.getByRole('button', { name: '7 new lines' })
    await button.waitFor()
    expect(await dashboard.messages()).toEqual(before)
    await button.click()
    await page.getByText(newest[0] ?? '', { exact: true }).waitFor()
    expect((await dashboard.messages()).slice(0, 7)).toEqual(newest)
    expect(dashboard.faults).toEqual([])
  })

  test('a pause by key holds new lines back until it ends', async () => {
    await using dashboard = await follow()
    const { page } = dashboard
    await page.keyboard.press('p')
    await page.getByText('Paused').waitFor()
    const before = await dashboard.messages()
    const newest = arrive(4)
    await page.getByRole('button', { name: '4 new lines' }).waitFor()
    expect(await dashboard.messages()).toEqual(before)
    await page.keyboard.press('p')
    await page.getByText(newest[0] ?? '', { exact: true }).waitFor()
    expect((await dashboard.messages()).slice(0, 4)).toEqual(newest)
  })

  test('after a lost connection it goes on from where it was, without a gap and without a line twice', async () => {
    await using dashboard = await follow()
    const { page } = dashboard
    const first = arrive(2)
    await page.getByText(first[0] ?? '', { exact: true }).waitFor()
    const position = api.position()
    api.script.down = true
    api.cutTails()
    await page.locator('.completeness.bad').waitFor()
    expect(await page.locator('.completeness.good').count()).toBe(0)
    const missed = arrive(2)
    api.script.down = false
    await page.getByText(missed[0] ?? '', { exact: true }).waitFor()
    expect((await dashboard.messages()).slice(0, 4)).toEqual([...missed, ...first])
    expect(api.tailStarts.at(-1)).toBe(String(position))
    await page.locator('.completeness.good').waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('a query that cannot be read is said as such, not tried again and again', async () => {
    await using dashboard = await follow()
    const { page } = dashboard
    api.script.problem = { status: 400, code: 'QUERY_SYNTAX', detail: 'found a "("', column: 1 }
    await page.getByLabel('Query').fill('(')
    await page.keyboard.press('Enter')
    await page.getByText('Refused', { exact: true }).waitFor()
    await page.locator('.syntax-problem').waitFor()
    const tails = api.tailStarts.length
    // Three times as long as a first new attempt would take.
    await page.waitForTimeout(1500)
    expect(api.tailStarts.length).toBe(tails)
    expect(await page.getByRole('button', { name: 'Run' }).count()).toBe(1)
  })
})
