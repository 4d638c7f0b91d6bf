import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LogRecord } from '../../dashboards/src/api.ts'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard, type Dashboard } from '../support/dashboard.ts'
import { coveredNow, startFakeApi, type FakeApi } from '../support/fake-api.ts'
import { sampleLine, sampleLines } from '../support/sample-lines.ts'

const browser = await launchBrowser()
const ROW = '.rows .row'
let api: FakeApi

beforeAll(async () => {
  api = await startFakeApi()
})

afterAll(async () => {
  await api.close()
  await browser?.close()
})

beforeEach(() => {
  Object.assign(api.script, { code: 'good-code', sessions: true, problem: null, down: false, endless: 0 })
  Object.assign(api.script, { exportEnding: 'whole', role: 'admin' })
  api.script.hold = Promise.resolve()
  api.script.sites = { 'eu-west': coveredNow() }
  api.script.records = sampleLines({ count: 600, untilMs: Date.now() - 2000, everyMs: 500 })
})

async function explore(query = '', options: Parameters<typeof openDashboard>[2] = {}): Promise<Dashboard> {
  if (browser === null) throw new Error('there is no browser')
  const dashboard = await openDashboard(browser, `${api.url}/${query}#code=good-code`, options)
  await dashboard.page.locator(`${ROW}, .notice, .counted`).first().waitFor()
  await dashboard.page.locator('.cm-content').waitFor()
  return dashboard
}

const asked = (page: Page) => new URL(page.url()).searchParams

describe.skipIf(browser === null)('the query editor', () => {
  test('it colours what is written, suggests fields and values, and Enter runs unless one is chosen', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.keyboard.press('/')
    await page.keyboard.type('timeout AND lev')
    await page.locator('.suggestions li', { hasText: 'level:' }).waitFor()
    expect(await page.locator('.token-operator').textContent()).toBe('AND')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.locator('.token-field', { hasText: 'level:' }).waitFor()
    await page.keyboard.type('e')
    await page.locator('.suggestions li', { hasText: 'error' }).waitFor()
    await page.keyboard.type('rror')
    await page.keyboard.press('Enter')
    await page.waitForURL(/q=timeout\+AND\+level%3Aerror/)
    expect(dashboard.faults).toEqual([])
  })

  test('the arrow keys bring back the queries before, and several lines become one', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    const editor = page.getByLabel('Query')
    await editor.fill('billing')
    await editor.press('Enter')
    await page.waitForURL(/q=billing/)
    await editor.fill('')
    await editor.press('ArrowUp')
    expect(await editor.textContent()).toBe('billing')
    await editor.press('ArrowDown')
    await page.locator('.cm-placeholder').waitFor()
    await editor.focus()
    await page.keyboard.insertText('a\nb')
    expect(await editor.textContent()).toBe('a b')
  })
})

describe.skipIf(browser === null)('beside the lines', () => {
  test('a value of a field narrows the query, with Alt excludes it, and a second press takes that back', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    const facets = page.getByRole('complementary', { name: 'Fields' })
    await facets.getByTitle(/^Only service:billing /).click()
    await page.waitForURL(/q=service%3Abilling/)
    await facets.locator('.filtered .value', { hasText: 'billing' }).click()
    await page.waitForURL((url) => !url.searchParams.has('q'))
    await facets.getByTitle(/^Only service:billing /).click({ modifiers: ['Alt'] })
    await page.waitForURL(/q=NOT\+service%3Abilling/)
    expect(dashboard.faults).toEqual([])
  })

  test('only open fields are asked for, and other fields are found', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.locator('.facet .value').first().waitFor()
    const tops = () =>
      api.requests
        .filter((request) => request.includes('/v1/top'))
        .map((request) => new URL(request.slice(4), api.url).searchParams.get('field'))
    const before = tops().length
    await page.getByRole('button', { name: 'version', exact: true }).click()
    await page.locator('.facet .value', { hasText: '2026.11.3' }).waitFor()
    expect(tops().slice(before)).toEqual(['version'])
    await page.getByRole('button', { name: 'More fields' }).click()
    await page.getByRole('button', { name: 'retries', exact: true }).click()
    await page.locator('.facet', { hasText: 'retries' }).locator('.value').first().waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('patterns and top values say how complete they are, and lead back to the lines', async () => {
    api.script.sites = { 'eu-west': { ...coveredNow(), complete: false, completeTo: null } }
    await using dashboard = await explore('?tab=patterns')
    const { page } = dashboard
    const panel = page.getByRole('tabpanel')
    await panel.getByText(/^Incomplete/).waitFor()
    expect(await panel.locator('tbody tr').count()).toBe(10)
    await page.getByRole('tab', { name: 'Patterns' }).press('ArrowRight')
    await page.waitForURL(/tab=top/)
    await panel.getByText(/^Incomplete/).waitFor()
    await panel.getByText('5 values; 600 of 600 lines have the field').waitFor()
    await panel.getByRole('button', { name: 'Only service:api' }).click()
    await page.waitForURL(/q=service%3Aapi/)
    expect(dashboard.faults).toEqual([])
  })

  test('the chart is split by another field, and its legend filters', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.getByLabel('Split the chart by').selectOption('service')
    await page.waitForURL(/by=service/)
    await page.getByRole('list', { name: 'Lines by service' }).getByRole('button', { name: /web/ }).click()
    await page.waitForURL(/q=service%3Aweb/)
    expect(dashboard.faults).toEqual([])
  })
})

describe.skipIf(browser === null)('a line', () => {
  test('the lines around it are those of its file, more on request, and Esc closes them', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.keyboard.press('c')
    const drawer = page.getByRole('dialog', { name: /Lines around/ })
    await drawer.locator('li[aria-current]').waitFor()
    expect(await drawer.getByText(/Complete to/).count()).toBe(1)
    expect(await drawer.locator('li').count()).toBe(21)
    await drawer.getByRole('button', { name: 'Show older lines' }).click()
    await drawer.locator('li').nth(60).waitFor()
    await drawer.getByRole('button', { name: 'Same host' }).click()
    await drawer.locator('li[aria-current]').waitFor()
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'hidden' })
    expect(dashboard.faults).toEqual([])
  })

  test('what stands in a line stays text: markup, scripts, links, control and bidirectional characters', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    const record: LogRecord = {
      ...sampleLine(1, Date.now() - 2000),
      message: `${evil} javascript:alert(1) \u202eabc\u001b[31m\0`,
      service: evil,
      host: 'a\u202eb',
      attrs: { [`<b>${evil}`]: evil, href: 'javascript:alert(1)' },
    }
    api.script.records = [record]
    await using dashboard = await explore()
    const { page } = dashboard
    await page.locator('.facet .value', { hasText: '<img' }).waitFor()
    await page.locator(ROW).first().click()
    await page.locator('.detail').waitFor()
    expect(await page.locator('.rows img, .rows script, .rows a, .facets img').count()).toBe(0)
    expect((await dashboard.messages())[0]).toContain('‹U+202E›abc␛[31m␀')
    for (const tab of ['Patterns', 'Top']) {
      await page.getByRole('tab', { name: tab }).click()
      await page.locator('.counted', { hasText: '<img' }).waitFor()
    }
    expect(await page.locator('.found img, .found script, .legend img').count()).toBe(0)
    expect(await page.title()).toContain('Noctule')
    expect(dashboard.faults).toEqual([])
  })

  test('a line of ten million characters is cut in the list, and shown in steps', async () => {
    const record = { ...sampleLine(1, Date.now() - 2000), message: `start ${'lorem ipsum '.repeat(830_000)}` }
    api.script.records = [record]
    await using dashboard = await explore('?q=start')
    const { page } = dashboard
    await page.getByText(/more characters/).waitFor()
    await page.locator(ROW).first().click()
    await page.getByText(/20,000 of 9,960,006 characters shown/).waitFor()
    await page.getByRole('button', { name: 'Show 200,000 more' }).click()
    await page.getByText(/220,000 of 9,960,006 characters shown/).waitFor()
    expect(dashboard.faults).toEqual([])
  })
})

describe.skipIf(browser === null)('taking it elsewhere', () => {
  const permissions = ['clipboard-read', 'clipboard-write']

  async function copied(page: Page, choice: string): Promise<string> {
    await page.keyboard.press('s')
    await page.getByRole('dialog', { name: 'Copy' }).getByRole('button', { name: choice }).click()
    await page.getByText(`${choice} copied`).waitFor()
    return await page.evaluate<string>('navigator.clipboard.readText()')
  }

  test('a link with fixed times, a command and a call are copied', async () => {
    await using dashboard = await explore(`?q=${encodeURIComponent(`it's "a"`)}`, { permissions })
    const { page } = dashboard
    const link = new URL(await copied(page, 'Link to these times')).searchParams
    expect(Date.parse(link.get('to') ?? '') - Date.parse(link.get('from') ?? '')).toBe(900_000)
    expect(await copied(page, 'Command')).toMatch(/^noctule search --from \S+Z --to \S+Z 'it'\\''s "a"'$/)
    const call = await copied(page, 'API call')
    expect(call).toContain(`curl -sS --get ${api.url}/v1/search`)
    expect(call).toContain('-H "authorization: Bearer $NOCTULE_TOKEN"')
    expect(dashboard.faults).toEqual([])
  })

  async function exported(): Promise<{ said: string; text: string }> {
    await using dashboard = await explore()
    const { page } = dashboard
    // Its own dialog is out of a test's reach; browsers without it save what they held.
    await page.evaluate('delete window.showSaveFilePicker; delete Window.prototype.showSaveFilePicker')
    await page.getByRole('button', { name: 'Export' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save to a file' }).click(),
    ])
    await page.locator('.export .answer-note').waitFor()
    const said = (await page.locator('.export .answer-note').textContent()) ?? ''
    expect(download.suggestedFilename()).toMatch(/^noctule-\d{8}T\d{6}Z-\d{8}T\d{6}Z\.ndjson$/)
    return { said, text: await readFile(await download.path(), 'utf8') }
  }

  test('an export has every line, and says that it is whole', async () => {
    const { said, text } = await exported()
    expect(said).toMatch(/^Saved whole: 600 lines, .*Complete to/)
    expect(text.trimEnd().split('\n')).toHaveLength(602)
  })

  test.each([
    ['error', /^Cut off after 300 lines.* the store cannot answer now/],
    ['broken', /^Cut off after 300 lines.* The connection broke/],
  ] as const)('an export that is cut off (%s) says so and keeps what came', async (ending, wanted) => {
    api.script.exportEnding = ending
    const { said, text } = await exported()
    expect(said).toMatch(wanted)
    expect(text.split('\n').length).toBeGreaterThan(300)
  })
})

describe.skipIf(browser === null)('when there is nothing to show', () => {
  test('an empty store says where lines come from', async () => {
    api.script.records = []
    await using dashboard = await explore()
    const { page } = dashboard
    await page.getByRole('heading', { name: 'Nothing is stored yet' }).waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('a refusal says what role is needed and which one has', async () => {
    api.script.role = 'search'
    await using dashboard = await explore()
    const { page } = dashboard
    api.script.problem = { status: 403, code: 'DENIED', detail: 'this needs the role admin' }
    await page.keyboard.press('r')
    await page.getByText('this needs the role admin').waitFor()
    await page.getByText('admin has the role search').waitFor()
  })

  test('a server that is busy is asked again at the time it names', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    api.script.problem = {
      status: 503,
      code: 'STORE_UNAVAILABLE',
      detail: 'the store cannot answer now',
      retryAfterS: 1,
    }
    await page.keyboard.press('r')
    await page.getByText(/Asked again in \d s/).waitFor()
    api.script.problem = null
    await page.locator('.completeness.good').waitFor()
    expect(await page.locator('.problem').count()).toBe(0)
  })

  test('a server that was gone is found again without anybody doing anything', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    api.script.down = true
    await page.keyboard.press('r')
    await page
      .locator('.completeness-line', { hasText: /No answer from Noctule since .*what is shown is old/ })
      .waitFor()
    api.script.down = false
    await page.locator('.completeness.good').waitFor()
  })
})

describe.skipIf(browser === null)('on a phone', () => {
  const phone = { viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true }

  test('fields lie over the lines, and nothing is cut off at the side', async () => {
    await using dashboard = await explore('', phone)
    const { page } = dashboard
    await page.getByRole('button', { name: 'Fields' }).tap()
    await page.locator('.facet .value', { hasText: 'error' }).tap()
    await page.waitForURL(/q=level%3Aerror/)
    await page.getByRole('button', { name: 'Hide the fields' }).tap()
    for (const tab of ['Patterns', 'Top', 'Lines']) {
      await page.getByRole('tab', { name: tab }).tap()
      await page.locator('.counted, .rows').first().waitFor()
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(390)
    }
    expect(asked(page).get('q')).toBe('level:error')
    expect(dashboard.faults).toEqual([])
  })
})
