import { describe, expect, test } from 'vitest'
import { pagesUnderTest } from '../support/pages.ts'

const { browser, api, open } = await pagesUnderTest()
const LEGEND = '.legend-table tbody tr'
const REQUESTS = '/charts?name=shop.requests&by=host'

describe.skipIf(browser === null)('asking', () => {
  test('with the keyboard: a metric, a filter, a split, several percentiles; the address carries all of it', async () => {
    await using dashboard = await open('/charts')
    const { page } = dashboard
    await page.getByRole('button', { name: 'shop.requests' }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('request_m')
    await page.getByRole('option', { name: 'shop.request_ms' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.locator(LEGEND).first().waitFor()
    await page.getByRole('combobox', { name: 'Filter by tag' }).fill('!host:db')
    await page.getByRole('option', { name: 'not host:db-1' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Split by nothing' }).press('Enter')
    await page.getByRole('checkbox', { name: 'host' }).press('Space')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: /^Show/ }).press('Enter')
    await page.getByRole('checkbox', { name: 'p50' }).press('Space')
    await page.getByRole('checkbox', { name: /^p99$/ }).press('Space')
    await page.locator(LEGEND).nth(5).waitFor()
    const asked = new URL(page.url()).searchParams
    expect(Object.fromEntries(asked)).toMatchObject({
      name: 'shop.request_ms',
      tags: '!host:db-1',
      by: 'host',
      agg: 'p50,p99',
      from: 'now-1h',
    })
    expect(await page.locator(`${LEGEND} th`).allTextContents()).toEqual(
      expect.arrayContaining(['web-1 · p50', 'web-3 · p99']),
    )
    await page.reload()
    await page.locator(LEGEND).nth(5).waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('what is typed counts, also while the names for it are on their way', async () => {
    await using dashboard = await open('/charts')
    const { page } = dashboard
    await page.getByRole('button', { name: 'shop.requests' }).waitFor()
    await page.keyboard.press('/')
    await page.getByRole('option', { name: 'shop.requests' }).waitFor()
    const { promise, resolve } = Promise.withResolvers<void>()
    api().script.hold = promise
    await page.keyboard.type('shop.requests')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    api().script.hold = Promise.resolve()
    resolve()
    await page.locator(LEGEND).first().waitFor()
    expect(new URL(page.url()).searchParams.get('name')).toBe('shop.requests')
  })

  test('a drag zooms into a fixed range, and the link for the command line asks the same', async () => {
    await using dashboard = await open(REQUESTS)
    const { page } = dashboard
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    const plot = page.locator('.u-over')
    await plot.waitFor()
    const box = (await plot.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 }
    await page.mouse.move(box.x + box.width / 4, box.y + 50)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width / 2, box.y + 60, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL(/[?&]to=/)
    const asked = new URL(page.url()).searchParams
    const lengthMs = Date.parse(asked.get('to') ?? '') - Date.parse(asked.get('from') ?? '')
    expect(Math.abs(lengthMs - 900_000)).toBeLessThan(20_000)
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByRole('button', { name: 'As a command' }).click()
    await page.getByText('Copied').waitFor({ state: 'attached' })
    const command = await page.evaluate('navigator.clipboard.readText()')
    expect(command).toBe(
      `noctule metrics --by host --from ${asked.get('from')} --to ${asked.get('to')} shop.requests`,
    )
  })

  test('it is renewed as often as one chooses, and says when it is old', async () => {
    await using dashboard = await open(`${REQUESTS}&live=1`)
    const { page } = dashboard
    await page.locator(LEGEND).first().waitFor()
    const asked = () => api().requests.filter((request) => request.includes('/v1/metrics/query')).length
    const before = asked()
    await expect.poll(asked, { timeout: 10_000 }).toBeGreaterThan(before + 1)
    api().script.down = true
    await page.getByText('No answer from Noctule since').first().waitFor()
    expect(await page.locator(LEGEND).count()).toBe(4)
    api().script.down = false
    await page.locator('.completeness.good').waitFor()
    await page.getByLabel('Renew').selectOption('Not live')
    await page.waitForURL(/live=0/)
  })
})

describe.skipIf(browser === null)('reading', () => {
  test('the arrow keys read step by step, a press isolates a line, a head sorts', async () => {
    api().script.series = [1, 2, 3].map((at) => ({
      name: 'shop.sent_bytes',
      kind: 'gauge' as const,
      tags: { host: `web-${at}` },
      valueAt: () => at * 1024,
    }))
    await using dashboard = await open('/charts?name=shop.sent_bytes&by=host')
    const { page } = dashboard
    const labels = () => page.locator(`${LEGEND} th`).allTextContents()
    await page.locator(LEGEND).first().waitFor()
    expect(await labels()).toEqual(['web-3', 'web-2', 'web-1'])
    expect(await page.locator(LEGEND).first().locator('td').allTextContents()).toEqual(Array(4).fill('3 KiB'))
    await page.getByRole('button', { name: 'line' }).click()
    expect(await labels()).toEqual(['web-1', 'web-2', 'web-3'])
    await page.locator('.chart canvas').waitFor()
    await page.locator('.chart').focus()
    await page.keyboard.press('ArrowLeft')
    await page.locator('.readout li').nth(2).waitFor()
    expect(await page.locator('.readout li').first().textContent()).toBe('web-33 KiB')
    await page.keyboard.press('Escape')
    await page.locator('.readout').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'web-2' }).click()
    expect(await page.locator(`${LEGEND}.off`).count()).toBe(2)
    expect(dashboard.faults).toEqual([])
  })

  test('what is missing is said, hatched, and told where the crosshair stands; what was lost is counted', async () => {
    const iso = (agoMs: number) => new Date(Date.now() - agoMs).toISOString()
    const gap = { reason: 'lost', from: iso(1_200_000), to: iso(600_000), host: 'web-1', records: 12 }
    api().script.sites = {
      'eu-west': { complete: false, completeTo: gap.from, gaps: [gap], gapsTotal: 1 },
    }
    api().script.lost = { total: 123, byReason: { kernel: 120, malformed: 3 } }
    await using dashboard = await open(`${REQUESTS}&live=0`)
    const { page } = dashboard
    await page.locator('.completeness.bad').waitFor()
    expect(await dashboard.said()).toContain('12 records of web-1 lost')
    expect(await page.locator('.lost').textContent()).toContain('at least 123 lost (kernel 120, malformed 3)')
    await page.locator('.chart canvas').waitFor()
    await page.locator('.chart').focus()
    await page.keyboard.press('End')
    for (let at = 0; at < 9; at++) await page.keyboard.press('Shift+ArrowLeft')
    await page.getByText('data is missing here').waitFor()
  })

  test('of too many lines the greatest are drawn, and the rest is counted', async () => {
    api().script.series = Array.from({ length: 25 }, (_, at) => ({
      name: 'many',
      kind: 'gauge' as const,
      tags: { queue: `q${at}` },
      valueAt: () => at,
    }))
    await using dashboard = await open('/charts?name=many&by=queue')
    await dashboard.page.getByText('and 5 more').waitFor()
    expect(await dashboard.page.locator(LEGEND).count()).toBe(20)
  })

  test('an empty store says how to send the first metric; an unknown name offers one that is known', async () => {
    await using misspelt = await open('/charts?name=shop.reqests')
    await misspelt.page.getByRole('button', { name: 'shop.requests' }).click()
    await misspelt.page.locator(LEGEND).first().waitFor()
    api().script.series = []
    await using empty = await open('/charts')
    await empty.page.getByText('No metrics in this range yet').waitFor()
    await empty.page.getByText("echo 'shop.orders:1|c|#env:prod' | nc").waitFor()
  })
})
