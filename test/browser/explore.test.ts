import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard, type Dashboard } from '../support/dashboard.ts'
import { coveredNow, startFakeApi, type FakeApi } from '../support/fake-api.ts'
import { sampleLines } from '../support/sample-lines.ts'

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
  api.script.hold = Promise.resolve()
  api.script.sites = { 'eu-west': coveredNow() }
  api.script.records = sampleLines({ count: 1000, untilMs: Date.now() - 2000, everyMs: 500 })
})

/** A signed-in page on `query`, once its first answer is shown. */
async function explore(query = '', options: Parameters<typeof openDashboard>[2] = {}): Promise<Dashboard> {
  if (browser === null) throw new Error('there is no browser')
  const dashboard = await openDashboard(browser, `${api.url}/${query}#code=good-code`, options)
  await dashboard.page.locator(`${ROW}, .notice`).first().waitFor()
  return dashboard
}

/** What stands in the editor, once it has taken the place of the plain field. */
async function writtenQuery(page: Page): Promise<string> {
  await page.locator('.cm-content').waitFor()
  return await page.evaluate<string>(
    "document.querySelector('.cm-placeholder') === null ? document.querySelector('.cm-content').innerText.trim() : ''",
  )
}

describe.skipIf(browser === null)('signing in', () => {
  test('a sign-in link signs in, and its code leaves the address', async () => {
    await using dashboard = await explore('?q=timeout')
    expect(dashboard.page.url()).toBe(`${api.url}/?q=timeout`)
    expect(dashboard.faults).toEqual([])
  })

  test('without a session the page says how to get one, takes a pasted link, and keeps the query', async () => {
    if (browser === null) return
    await using dashboard = await openDashboard(browser, `${api.url}/?q=timeout`)
    const { page } = dashboard
    await page.getByText('prints a sign-in link').waitFor()
    await page.getByLabel('Link, code or token').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('This code is not valid').waitFor()
    await page.getByLabel('Link, code or token').fill(`${api.url}/#code=good-code`)
    await page.keyboard.press('Enter')
    await page.locator(ROW).first().waitFor()
    expect(await writtenQuery(page)).toBe('timeout')
    expect(dashboard.faults).toEqual([])
  })

  test('when the session ends, the query is kept for the next one', async () => {
    await using dashboard = await explore('?q=timeout')
    const { page } = dashboard
    api.script.sessions = false
    api.script.code = 'next-code'
    await page.keyboard.press('r')
    await page.getByText('Your session has ended').waitFor()
    await page.getByLabel('Link, code or token').fill('next-code')
    await page.keyboard.press('Enter')
    await page.locator(ROW).first().waitFor()
    expect(page.url()).toBe(`${api.url}/?q=timeout`)
  })
})

describe.skipIf(browser === null)('asking', () => {
  test('a query is run by Enter, kept in the address, and its words are marked', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.keyboard.press('/')
    await page.keyboard.type('provider timeout')
    await page.keyboard.press('Enter')
    await page.waitForURL(/q=/)
    await dashboard.settled()
    await page.locator('mark', { hasText: 'timeout' }).first().waitFor()
    expect(new URL(page.url()).searchParams.get('q')).toBe('provider timeout')
    expect((await dashboard.messages()).every((message) => message.includes('provider timeout'))).toBe(true)
    await page.goBack()
    await page.locator(ROW, { hasText: 'GET /v2' }).first().waitFor()
    expect(await writtenQuery(page)).toBe('')
    expect(dashboard.faults).toEqual([])
  })

  test('a syntax error is underlined at its column, and what is shown counts as old', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    api.script.problem = { status: 400, code: 'QUERY_SYNTAX', detail: 'found a "("', column: 8 }
    await page.getByLabel('Query').fill('status:(500')
    await page.keyboard.press('Enter')
    await page.getByText('found a "("').waitFor()
    await page.locator('.cm-lintRange-error', { hasText: '(' }).waitFor()
    expect(await page.getByLabel('Query').getAttribute('aria-invalid')).toBe('true')
    expect(await dashboard.said()).toContain('The query was refused')
    expect(dashboard.faults).toEqual([])
  })

  test('a query can be cancelled', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    const held = Promise.withResolvers<void>()
    api.script.hold = held.promise
    await page.keyboard.press('r')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('.completeness-line', { hasText: 'Cancelled: what is shown' }).waitFor()
    const asked = api.requests.length
    held.resolve()
    await page.getByRole('button', { name: 'Run' }).waitFor()
    expect(api.requests.length).toBe(asked)
  })

  test('older lines are loaded as one scrolls, to the end', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    for (const held of ['400', '600', '800']) {
      await page.keyboard.press('End')
      await page.getByText(`${held} lines loaded`).waitFor()
    }
    await page.keyboard.press('End')
    await page.getByText('1,000 lines loaded').waitFor()
    await page.getByText('No older lines since').waitFor()
    expect(await page.locator(ROW).count()).toBeLessThan(150)
    expect(dashboard.faults).toEqual([])
  })

  test('an empty answer says what to try', async () => {
    await using dashboard = await explore('?q=nowhere')
    const { page } = dashboard
    await page.getByText('No lines match').waitFor()
    await page.getByRole('button', { name: 'Search the last hour' }).click()
    await page.waitForURL(/from=now-1h/)
    await page.getByRole('button', { name: 'Clear the query' }).click()
    await page.locator(ROW).first().waitFor()
  })
})

describe.skipIf(browser === null)('what is missing', () => {
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const gappy = () => ({
    complete: false,
    completeTo: minutesAgo(10),
    gaps: [
      {
        reason: 'lost',
        from: minutesAgo(10),
        to: minutesAgo(8),
        host: 'web-3.eu',
        records: 1024,
        detail: 'spool full',
      },
      { reason: 'silent', from: minutesAgo(2), to: minutesAgo(0), host: 'api-1.eu' },
    ],
    gapsTotal: 2,
  })

  test('a complete answer is green and says up to when', async () => {
    await using dashboard = await explore()
    expect(await dashboard.said()).toMatch(/^Complete to \d\d:\d\d:\d\d$/)
    await dashboard.page.locator('.completeness.good').waitFor()
    expect(await dashboard.page.locator('.total').textContent()).toMatch(/^1,000 lines/)
  })

  test('gaps are told in words, listed, hatched in the chart, and turn counts into lower bounds', async () => {
    api.script.sites = { 'eu-west': gappy() }
    await using dashboard = await explore()
    const { page } = dashboard
    expect(await dashboard.said()).toMatch(
      /^Incomplete: 1,024 records of web-3\.eu lost .* \(spool full\); api-1\.eu silent/,
    )
    expect(await page.locator('.completeness.good').count()).toBe(0)
    expect(await page.locator('.total').textContent()).toMatch(/^at least 1,000 lines/)
    expect(await page.locator('.histogram .missing').count()).toBe(2)
    await page.getByRole('button', { name: 'Show 2 gaps' }).click()
    expect(await page.locator('.gaps tbody tr').count()).toBe(2)
    expect(dashboard.faults).toEqual([])
  })

  test('what was missing from the first page is still missing when the next one is complete', async () => {
    api.script.sites = { 'eu-west': gappy() }
    await using dashboard = await explore()
    const { page } = dashboard
    api.script.sites = { 'eu-west': coveredNow() }
    await page.keyboard.press('End')
    await page.getByText('400 lines loaded').waitFor()
    expect(await dashboard.said()).toMatch(/^Incomplete: 1,024 records/)
  })

  test('a site that does not answer is named', async () => {
    api.script.sites['ap-south'] = {
      ...coveredNow(),
      complete: false,
      completeTo: null,
      status: 'unreachable',
    }
    await using dashboard = await explore()
    expect(await dashboard.said()).toBe('Incomplete: ap-south is unreachable')
  })

  test('when nobody answers any more, the page says since when and offers to try again', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    api.script.down = true
    await page.keyboard.press('r')
    await page
      .locator('.completeness-line', { hasText: /No answer from Noctule since .* ago: what is/ })
      .waitFor()
    expect(await page.locator('.completeness.good').count()).toBe(0)
    api.script.down = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.locator('.completeness.good').waitFor()
    expect(dashboard.faults).toEqual([])
  })
})

describe.skipIf(browser === null)('the lines', () => {
  test('keys select, open and close a line; its fields filter the query', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.keyboard.press('j')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.locator('.detail').waitFor()
    expect(await page.locator('[role=row][aria-selected=true]').getAttribute('aria-rowindex')).toBe('3')
    await page.keyboard.press('Escape')
    expect(await page.locator('.detail').count()).toBe(0)
    await page.keyboard.press('e')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Only level:error' }).click()
    await page.waitForURL(/q=level%3Aerror/)
    const errors = api.script.records.filter((record) => record.level === 'error').length
    await page.getByText(`${errors} lines loaded`).waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('a line is copied as JSON', async () => {
    await using dashboard = await explore('', { permissions: ['clipboard-read', 'clipboard-write'] })
    const { page } = dashboard
    await page.locator(ROW).first().click()
    await page.getByRole('button', { name: 'Copy as JSON' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const copied = JSON.parse(await page.evaluate<string>('navigator.clipboard.readText()')) as { id: string }
    expect(copied.id).toBe('line999')
  })

  test('a drag over the chart zooms into that time, and a link to it shows the same lines', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    const box = await page.locator('.histogram').boundingBox()
    if (box === null) throw new Error('the chart has no place')
    await page.mouse.move(box.x + box.width * 0.5, box.y + 40)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.7, box.y + 40, { steps: 5 })
    await page.mouse.up()
    await page.waitForURL(/from=.*&to=/)
    await dashboard.settled()
    const shown = await dashboard.messages()
    await page.reload()
    await page.locator(ROW).first().waitFor()
    await dashboard.settled()
    expect(await dashboard.messages()).toEqual(shown)
    expect(dashboard.faults).toEqual([])
  })

  test('the arrow keys reach every bar of the chart, and Enter zooms', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.locator('.histogram').focus()
    await page.keyboard.press('ArrowLeft')
    await page.locator('.tooltip').waitFor()
    await page.keyboard.press('Shift+ArrowLeft')
    await page.keyboard.press('Enter')
    await page.waitForURL(/from=.*&to=/)
  })
})

describe.skipIf(browser === null)('looks', () => {
  const ground = 'getComputedStyle(document.documentElement).backgroundColor'

  test('the theme follows the system until it is chosen, and the choice is remembered', async () => {
    await using dashboard = await explore('', { colorScheme: 'dark' })
    const { page } = dashboard
    const dark = await page.evaluate<string>(ground)
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await page.evaluate<string>(ground)
    expect(light).not.toBe(dark)
    await page.getByRole('button', { name: 'Colours: system' }).click()
    expect(await page.evaluate<string>(ground)).toBe(dark)
    await page.reload()
    await page.getByRole('button', { name: 'Colours: dark' }).waitFor()
    expect(await page.evaluate<string>(ground)).toBe(dark)
  })

  test('nothing is cut off at the side of a phone', async () => {
    await using dashboard = await explore('', {
      viewport: { width: 360, height: 700 },
      isMobile: true,
      hasTouch: true,
    })
    const { page } = dashboard
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(360)
    await page.locator(ROW).first().tap()
    await page.locator('.detail').waitFor()
    expect(await page.evaluate<number>("document.querySelector('.results').scrollWidth")).toBe(360)
  })

  test('the help lists the keys, and Esc closes it', async () => {
    await using dashboard = await explore()
    const { page } = dashboard
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
  })
})
