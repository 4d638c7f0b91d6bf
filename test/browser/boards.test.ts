import { describe, expect, test } from 'vitest'
import { pagesUnderTest } from '../support/pages.ts'

const { browser, api, open } = await pagesUnderTest()

describe.skipIf(browser === null)('boards', () => {
  test('a board shares its range among its charts, and each leads to its own page', async () => {
    api().script.boards = [
      {
        name: 'shop',
        title: 'The shop',
        charts: [
          { title: 'Requests', metric: 'shop.requests', tags: ['env:prod'], by: ['host'] },
          { title: 'Latency', metric: 'shop.request_ms', tags: [], by: [], aggregate: 'p99' },
          { title: 'Nothing', metric: 'shop.nothing', tags: [], by: [] },
        ],
      },
    ]
    await using dashboard = await open('/boards')
    const { page } = dashboard
    await page.getByRole('link', { name: 'The shop' }).click()
    await page.locator('.board-card').nth(1).locator('.named-lines li').waitFor()
    expect(await page.locator('.board-card').first().locator('.named-lines li').count()).toBe(4)
    await page.getByText('No value in this range').waitFor()
    await page.getByRole('button', { name: /^Time range/ }).click()
    await page.getByRole('button', { name: 'Last 6 hours' }).click()
    await page.waitForURL(/from=now-6h/)
    await expect
      .poll(() => api().requests.filter((request) => request.includes('from=now-6h')).length)
      .toBeGreaterThanOrEqual(3)
    await page.getByRole('link', { name: 'Latency' }).click()
    await page.locator('.legend-table tbody tr').first().waitFor()
    expect(new URL(page.url()).searchParams.get('agg')).toBe('p99')
    expect(new URL(page.url()).searchParams.get('from')).toBe('now-6h')
    expect(dashboard.faults).toEqual([])
  })

  test('charts that are not in view are not asked for', async () => {
    api().script.boards = [
      {
        name: 'long',
        title: 'Long',
        charts: Array.from({ length: 40 }, (_, at) => ({
          title: `c${at}`,
          metric: `m${at}`,
          tags: [],
          by: [],
        })),
      },
    ]
    const before = api().requests.length
    await using dashboard = await open('/boards/long', { viewport: { width: 1280, height: 600 } })
    await dashboard.page.getByText('No value in this range').first().waitFor()
    const asked = api()
      .requests.slice(before)
      .filter((request) => request.includes('/v1/metrics/query'))
    expect(asked.some((request) => request.includes('name=m39'))).toBe(false)
    await dashboard.page.getByText('c39').scrollIntoViewIfNeeded()
    await expect.poll(() => api().requests.some((request) => request.includes('name=m39'))).toBe(true)
  })

  test('an unknown board says so', async () => {
    await using dashboard = await open('/boards/none')
    await dashboard.page.getByText('No such board').waitFor()
  })
})
