import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from 'vitest'
import type { FakeApi } from '../support/fake-api.ts'
import { sampleHost } from '../support/fake-hosts.ts'
import { pagesUnderTest } from '../support/pages.ts'
import { sampleLines } from '../support/sample-lines.ts'

const { browser, api: apiOf, open } = await pagesUnderTest()
const FIRST_LOAD_BYTES_MAX = 350 * 1024
/** Every page, and what is there once it is ready. */
const PAGES = [
  ['Search', '/', '.rows .row'],
  ['Charts', '/charts?name=shop.requests&by=host', '.legend-table tbody tr'],
  ['Boards', '/boards', '.board-list li'],
  ['Board', '/boards/shop', '.named-lines li'],
  ['Hosts', '/hosts', '.host'],
  ['Host', '/hosts?host=eu-west%2Fweb-1', '.host-chart canvas'],
  ['Collectors', '/collectors', '.collectors-table tbody .host'],
] as const
let api: FakeApi

beforeEach(() => {
  api = apiOf()
  api.script.records = sampleLines({ count: 200, untilMs: Date.now() - 2000, everyMs: 500 })
  api.script.boards = [
    {
      name: 'shop',
      title: 'Shop',
      charts: [{ title: 'Requests', metric: 'shop.requests', tags: [], by: ['host'] }],
    },
  ]
})

describe.skipIf(browser === null)('pages', () => {
  test('links and number keys lead through the pages, and Back leads back', async () => {
    await using dashboard = await open('/')
    const { page } = dashboard
    const current = page.locator('nav [aria-current=page]')
    await page.locator('.rows .row').first().waitFor()
    expect(await current.textContent()).toBe('Search')
    await page.getByRole('link', { name: 'Hosts' }).click()
    await page.locator('.host').first().waitFor()
    expect(new URL(page.url()).pathname).toBe('/hosts')
    expect(await page.title()).toBe('Hosts · Noctule')
    await page.keyboard.press('5')
    await page.locator('.collectors-table').waitFor()
    expect(await current.textContent()).toBe('Collectors')
    await page.goBack()
    await page.locator('.host').first().waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('an unknown path says so, also when it holds markup', async () => {
    await using dashboard = await open('/no/%3Cimg src=x onerror=alert(1)%3E')
    await dashboard.page.getByText('No such page').first().waitFor()
    expect(await dashboard.page.locator('img').count()).toBe(0)
    expect(dashboard.faults).toEqual([])
  })

  test('a page whose code cannot be loaded says what to do, and the others go on', async () => {
    await using dashboard = await open('/collectors')
    const { page } = dashboard
    await page.locator('.collectors-table').waitFor()
    await page.route('**/assets/hosts-*.js', (route) => route.abort())
    await page.getByRole('link', { name: 'Hosts' }).click()
    await page.getByText('could not be loaded').waitFor()
    await page.getByRole('link', { name: 'Charts' }).click()
    await page.getByText('shop.requests').waitFor()
  })

  test('times are local or UTC, as one chooses, and the choice is remembered', async () => {
    await using dashboard = await open('/', { timezoneId: 'Asia/Kolkata' })
    const { page } = dashboard
    const time = page.locator('.rows .cell-time').first()
    await time.waitFor()
    const [local] = /\d\d:\d\d/.exec((await time.textContent()) ?? '') ?? []
    await page.keyboard.press('z')
    await page.getByRole('button', { name: 'Times: UTC' }).waitFor()
    await time.waitFor()
    const [utc] = /\d\d:\d\d/.exec((await time.textContent()) ?? '') ?? []
    const minutes = (clock = '') => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))
    const ahead = (minutes(local) - minutes(utc) + 1440) % 1440
    // The list may have moved on by a line in between.
    expect([329, 330, 331]).toContain(ahead)
    await page.reload()
    await page.getByRole('button', { name: 'Times: UTC' }).waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('nothing but what the page needs is loaded at first', async () => {
    await using dashboard = await open('/')
    await dashboard.page.locator('.rows .row').first().waitFor()
    const asked = await dashboard.page.evaluate(() =>
      performance.getEntriesByType('resource').map(({ name }) => name),
    )
    const files = asked.filter((name) => new URL(name).pathname.startsWith('/assets/'))
    const bodies = await Promise.all(
      [api.url, ...files].map(async (url) => await (await fetch(url)).arrayBuffer()),
    )
    const bytes = bodies.reduce((sum, body) => sum + gzipSync(Buffer.from(body)).length, 0)
    expect(bytes).toBeLessThanOrEqual(FIRST_LOAD_BYTES_MAX)
    expect(files.some((name) => name.includes('/chart-'))).toBe(false)
    expect(asked.every((name) => name.startsWith(api.url))).toBe(true)
  })
})

describe.skipIf(browser === null)('who may see what', () => {
  test('who may not search is led to the hosts, and a link to a query says why', async () => {
    api.script.role = 'dashboard'
    await using dashboard = await open('/')
    const { page } = dashboard
    await page.locator('.host').first().waitFor()
    expect(new URL(page.url()).pathname).toBe('/hosts')
    expect(await page.getByRole('link', { name: 'Search' }).count()).toBe(0)
    await page.goto(`${api.url}/?q=timeout`)
    await page.getByText('You may not search lines').waitFor()
    expect(api.requests.filter((request) => request.includes('/v1/search?q=timeout'))).toEqual([])
  })

  test('when the session ends on any page, one signs in again and is where one was', async () => {
    await using dashboard = await open('/hosts?state=fail')
    const { page } = dashboard
    await page.locator('.host').first().waitFor()
    api.script.sessions = false
    await page.getByText('Your session has ended').waitFor()
    api.script.code = 'next-code'
    await page.getByLabel('Link, code or token').fill('next-code')
    await page.keyboard.press('Enter')
    await page.locator('.host').first().waitFor()
    expect(page.url()).toBe(`${api.url}/hosts?state=fail`)
  })

  test.each([
    [403, 'FORBIDDEN', 'You may not see this'],
    [429, 'TOO_MANY_QUERIES', 'Too many questions at once'],
    [503, 'STORE_UNAVAILABLE', 'Noctule cannot answer now'],
  ])('a refusal with %s is told with what to do', async (status, code, title) => {
    api.script.problem = { status, code, detail: 'in the words of the server' }
    for (const path of ['/hosts', '/collectors', '/boards', '/charts', '/charts?name=shop.requests']) {
      await using dashboard = await open(path)
      await dashboard.page.getByText(title).waitFor()
      await dashboard.page.locator('.notice', { hasText: 'in the words of the server' }).waitFor()
      expect(dashboard.faults).toEqual([])
    }
  })

  test('when the server is gone the page says since when, and forgets it when it is back', async () => {
    await using dashboard = await open('/hosts')
    const { page } = dashboard
    await page.locator('.host').first().waitFor()
    api.script.down = true
    await page.getByText(/No answer since \d\d:\d\d:\d\d: what stands here is old/).waitFor()
    expect(await page.locator('.host').count()).toBeGreaterThan(0)
    api.script.down = false
    await page.locator('.stale-banner').waitFor({ state: 'detached' })
  })
})

describe.skipIf(browser === null)('looks', () => {
  test.each(PAGES)('%s: nothing is cut off at the side of a phone', async (_name, path, ready) => {
    await using dashboard = await open(path, { viewport: { width: 390, height: 780 }, hasTouch: true })
    const { page } = dashboard
    await page.locator(ready).first().waitFor({ state: 'attached' })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
    for (const link of await page.getByRole('navigation').getByRole('link').all()) {
      const box = await link.boundingBox()
      expect((box?.x ?? 999) + (box?.width ?? 0)).toBeLessThanOrEqual(390)
    }
  })

  test('the keyboard reaches every control of the header, and shows where it is', async () => {
    await using dashboard = await open('/hosts')
    const { page } = dashboard
    await page.locator('.host').first().waitFor()
    const reached: (string | null)[] = []
    for (let at = 0; at < 9; at++) {
      await page.keyboard.press('Tab')
      const focused = page.locator(':focus-visible')
      reached.push((await focused.getAttribute('aria-label')) ?? (await focused.textContent()))
      expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    }
    expect(reached).toEqual([
      'Noctule',
      'Search',
      'Charts',
      'Boards',
      'Hosts',
      'Collectors',
      expect.stringMatching(/^Times: local/),
      'Colours: system',
      'Signed in as admin',
    ])
  })
})

test.skipIf(browser === null)(
  'what hosts and applications say is never markup, and turns no text around',
  async () => {
    const evil = '<img src=x onerror=alert(1)>\u202egnp.exe\u0000'
    const host = sampleHost({ host: evil, tier: evil, state: 'fail', nowMs: Date.now() })
    api.script.hosts = [
      { ...host, checks: host.checks.map((check) => ({ ...check, name: evil, message: evil })).slice(0, 1) },
    ]
    api.script.series = [
      { name: evil, kind: 'gauge', tags: { [evil]: evil }, valueAt: () => 1 },
      { name: 'fine', kind: 'gauge', tags: { host: evil }, valueAt: () => 1 },
    ]
    api.script.boards = [
      { name: 'evil', title: evil, charts: [{ title: evil, metric: evil, tags: [], by: [] }] },
    ]
    const paths = [
      '/hosts',
      `/hosts?host=${encodeURIComponent(`eu-west/${evil}`)}`,
      '/collectors',
      '/boards',
      '/boards/evil',
      '/charts',
      '/charts?name=fine&by=host',
      `/charts?name=${encodeURIComponent(evil)}&tags=${encodeURIComponent(`a:${evil}`)}`,
    ]
    for (const path of paths) {
      await using dashboard = await open(path)
      const { page } = dashboard
      await page.locator('main :not(option)', { hasText: '<img src=x onerror=alert(1)>' }).last().waitFor()
      expect(await page.locator('img').count()).toBe(0)
      expect(await page.locator('main').textContent()).not.toContain('\u202e')
      expect(dashboard.faults).toEqual([])
    }
  },
)
