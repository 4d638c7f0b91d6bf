import { describe, expect, test } from 'vitest'
import { sampleHosts } from '../support/fake-hosts.ts'
import { pagesUnderTest } from '../support/pages.ts'

const { browser, api, open } = await pagesUnderTest()
const ROWS = '.collectors-table tbody tr:not([aria-hidden])'

describe.skipIf(browser === null)('collectors', () => {
  test('problems stand first, in words', async () => {
    await using dashboard = await open('/collectors')
    const { page } = dashboard
    await page.locator(ROWS).first().waitFor()
    expect(await page.locator(ROWS).first().textContent()).toContain('HTTP 503: the store is full')
    await page.getByText('29 collectors').waitFor()
    await page.getByRole('button', { name: '4 with problems' }).click()
    await expect.poll(() => page.locator(ROWS).count()).toBe(4)
    expect(dashboard.faults).toEqual([])
  })

  test('a head sorts, a second press turns it round, and the address keeps it', async () => {
    await using dashboard = await open('/collectors')
    const { page } = dashboard
    await page.locator(ROWS).first().waitFor()
    const first = () => page.locator(`${ROWS} .host a`).first().textContent()
    await page.getByRole('button', { name: 'Lag' }).click()
    await expect.poll(first).toBe('app-2')
    expect(await page.locator('th[aria-sort]').getAttribute('aria-sort')).toBe('descending')
    await page.getByRole('button', { name: 'Host' }).click()
    await page.getByRole('button', { name: 'Host' }).click()
    await expect.poll(first).toBe('web-10')
    expect(new URL(page.url()).search).toBe('?sort=-host')
    await page.locator(`${ROWS} .host a`).first().click()
    await page.getByRole('complementary').getByRole('heading', { name: 'web-10' }).waitFor()
  })

  test('of a thousand, those in view are drawn', async () => {
    api().script.hosts = sampleHosts(1000)
    await using dashboard = await open('/collectors')
    const { page } = dashboard
    await page.getByText('999 collectors').waitFor()
    expect(await page.locator(ROWS).count()).toBeLessThan(60)
    await page.getByLabel('Find collectors').fill('web-333')
    await expect.poll(() => page.locator(ROWS).count()).toBe(1)
  })
})
