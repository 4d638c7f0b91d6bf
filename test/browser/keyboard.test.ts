import type { Page } from 'playwright-core'
import { beforeEach, describe, expect, test } from 'vitest'
import { openDashboard } from '../support/dashboard.ts'
import { pagesUnderTest } from '../support/pages.ts'
import { sampleLines } from '../support/sample-lines.ts'

const { browser, api, open } = await pagesUnderTest()
const ROW = '.rows .row'
const TABS_MAX = 60

beforeEach(() => {
  api().script.records = sampleLines({ count: 300, untilMs: Date.now() - 2000, everyMs: 2500 })
})

interface Focus {
  readonly name: string
  readonly lost: boolean
  readonly shown: boolean
}

/** Where the keyboard is, and whether a person can see it. */
async function focus(page: Page): Promise<Focus> {
  return await page.evaluate<Focus>(`(() => {
    const element = document.activeElement ?? document.body
    const ringed = (one) => {
      if (one === null) return false
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one)
      return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none'
    }
    return {
      name: element.getAttribute('aria-label') || element.textContent.trim(),
      lost: element === document.body,
      // A field's frame may show it for the field.
      shown: element.matches(':focus-visible') && (ringed(element) || ringed(element.closest('.query-field'))),
    }
  })()`)
}

/** Expects the keyboard on something that is seen; its name. */
async function focused(page: Page): Promise<string> {
  await expect.poll(async () => (await focus(page)).lost).toBe(false)
  const { name, shown } = await focus(page)
  expect(shown, `focus on ${name.slice(0, 60)} is seen`).toBe(true)
  return name
}

/** Presses Tab until it is on something of that name, and sees each stop on the way. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const passed: string[] = []
  for (let at = 0; at < TABS_MAX; at++) {
    await page.keyboard.press('Tab')
    // Behind the last control the browser's own ones come.
    if ((await focus(page)).lost) continue
    const now = await focused(page)
    if (typeof name === 'string' ? now === name : name.test(now)) return
    passed.push(now.slice(0, 40))
  }
  throw new Error(`Tab does not lead to ${String(name)}, but to ${passed.join(', ')}`)
}

const asked = (page: Page) => new URL(page.url()).searchParams

describe.skipIf(browser === null)('with the keyboard alone', () => {
  test('one signs in, goes to the search, and asks with a suggestion', async () => {
    if (browser === null) return
    api().script.code = 'good-code'
    await using dashboard = await openDashboard(browser, `${api().url}/hosts`)
    const { page } = dashboard
    await page.locator('.sign-in').waitFor()
    expect(await focused(page)).toBe('')
    await page.keyboard.type('good-code')
    await page.keyboard.press('Enter')
    await page.locator('.host').first().waitFor()
    await tabTo(page, 'Search')
    await page.keyboard.press('Enter')
    await page.locator('.cm-content').waitFor()
    expect(await focused(page)).toBe('Search')
    await tabTo(page, 'Query')
    await page.keyboard.type('ms lev')
    await page.locator('.suggestions li', { hasText: 'level:' }).waitFor()
    await page.keyboard.press('Tab')
    await page.locator('.token-field', { hasText: 'level:' }).waitFor()
    expect(await focused(page)).toBe('Query')
    await page.keyboard.type('warn')
    await page.keyboard.press('Enter')
    await page.waitForURL((url) => url.searchParams.get('q') === 'ms level:warn')
    await page.locator(ROW).first().waitFor()
    await tabTo(page, /^Time range/)
    expect(dashboard.faults).toEqual([])
  })

  test('one reads lines, filters by a field of one, and comes back from the lines around it', async () => {
    await using dashboard = await open('/')
    const { page } = dashboard
    await page.locator(ROW).nth(5).waitFor()
    const selected = page.locator(`${ROW}[aria-selected=true]`)
    for (const key of ['j', 'ArrowDown', 'j', 'k']) await page.keyboard.press(key)
    expect(await selected.getAttribute('aria-rowindex')).toBe('3')
    expect(await focused(page)).toMatch(/^Log lines/)
    await page.keyboard.press('Enter')
    await page.locator('.detail').waitFor()
    await page.keyboard.press('c')
    const drawer = page.getByRole('dialog', { name: /Lines around/ })
    await drawer.locator('li[aria-current]').waitFor()
    expect(await focused(page)).toBe('Close')
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'hidden' })
    expect(await focused(page)).toMatch(/^Log lines/)
    await tabTo(page, /^Without level:/)
    await page.keyboard.press('Enter')
    await page.waitForURL(/q=NOT\+level/)
    await page.locator('.completeness.good').waitFor()
    await focused(page)
    await page.keyboard.press('Escape')
    await page.locator('.detail').waitFor({ state: 'detached' })
    await focused(page)
    expect(dashboard.faults).toEqual([])
  })

  test('one zooms into the histogram, and closes the help and menus where one opened them', async () => {
    await using dashboard = await open('/')
    const { page } = dashboard
    await page.locator(ROW).first().waitFor()
    for (const [name, there] of [
      ['Copy', '.panel'],
      ['Help: keys and queries', '.help[open]'],
    ] as const) {
      await tabTo(page, name)
      await page.keyboard.press('Enter')
      await page.locator(there).waitFor()
      await page.keyboard.press('Escape')
      await page.locator(there).waitFor({ state: 'detached' })
      expect(await focused(page)).toBe(name)
    }
    await tabTo(page, /lines over time/)
    for (const key of ['ArrowLeft', 'ArrowLeft', 'Shift+ArrowLeft', 'Shift+ArrowLeft', 'Enter'])
      await page.keyboard.press(key)
    await page.waitForURL(/from=\d{4}-/)
    expect(Date.parse(asked(page).get('to') ?? '')).toBeGreaterThan(Date.parse(asked(page).get('from') ?? ''))
    expect(await focused(page)).toMatch(/lines? over time/)
    expect(dashboard.faults).toEqual([])
  })

  test('one chooses a metric and splits it', async () => {
    await using dashboard = await open('/charts')
    const { page } = dashboard
    await page.locator('.metric-list tbody tr').first().waitFor()
    await page.keyboard.press('/')
    expect(await focused(page)).toBe('Metric')
    await page.keyboard.type('shop.requests')
    await page.locator('[role=option]', { hasText: 'shop.requests' }).first().waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.locator('.legend-table tbody tr').first().waitFor()
    expect(await focused(page)).toBe('Metric')
    await tabTo(page, /^Split by/)
    await page.keyboard.press('Enter')
    await page.locator('.choices-panel label', { hasText: /^host/ }).waitFor()
    await tabTo(page, '')
    while (
      !(await page.evaluate<boolean>("document.activeElement.parentElement.textContent.startsWith('host')"))
    )
      await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await page.waitForURL(/by=host/)
    await page.keyboard.press('Escape')
    expect(await focused(page)).toMatch(/^Split by host/)
    await expect.poll(() => page.locator('.legend-table tbody tr').count()).toBe(4)
    expect(dashboard.faults).toEqual([])
  })

  test('one goes through hosts, opens one and closes it, and sorts collectors', async () => {
    await using dashboard = await open('/hosts')
    const { page } = dashboard
    await page.locator('.host').first().waitFor()
    await tabTo(page, /^30 hosts/)
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    const selected = page.locator('.host[aria-selected=true]')
    const id = await selected.getAttribute('id')
    expect(await page.locator('.host-list').getAttribute('aria-activedescendant')).toBe(id)
    await page.keyboard.press('Enter')
    await page.locator('.host-panel').waitFor()
    await page.keyboard.press('ArrowDown')
    await page.waitForURL((url) => `host-${url.searchParams.get('host')}` !== id)
    await tabTo(page, 'Close')
    await page.keyboard.press('Enter')
    await page.locator('.host-panel').waitFor({ state: 'detached' })
    expect(await focused(page)).toMatch(/^30 hosts/)
    await page.keyboard.press('5')
    await page.locator('.collectors-table tbody .host').first().waitFor()
    await tabTo(page, 'Lag')
    await page.keyboard.press('Enter')
    await page.locator('th[aria-sort=descending]', { hasText: 'Lag' }).waitFor()
    expect(await focused(page)).toMatch(/^Lag/)
    expect(dashboard.faults).toEqual([])
  })
})
