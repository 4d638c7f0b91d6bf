import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findings } from '../support/axe.ts'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard, type Dashboard } from '../support/dashboard.ts'
import { coveredNow, startFakeApi, type FakeApi } from '../support/fake-api.ts'
import { sampleHosts } from '../support/fake-hosts.ts'
import { sampleSeries } from '../support/fake-metrics.ts'
import { sampleLines } from '../support/sample-lines.ts'

const browser = await launchBrowser()
const LINES = 30
const HOSTS = 12
const ROW = '.rows .row'
const METRIC = '/charts?name=shop.requests&by=host'
let api: FakeApi
let dashboard: Dashboard

/** A page as somebody may come to it. */
interface Place {
  readonly name: string
  readonly path: string
  /** What is there once it is ready. */
  readonly ready: string
  /** How the server differs from one where everything is in order. */
  readonly script?: () => Partial<FakeApi['script']>
  /** What somebody does there. */
  readonly arrive?: (page: Page) => Promise<void>
}

const unavailable = () => ({
  problem: { status: 503, code: 'STORE_UNAVAILABLE', detail: 'the store cannot answer now' },
})

const incomplete = () => {
  const ago = (ms: number) => new Date(Date.now() - ms).toISOString()
  const gap = { reason: 'lost', host: 'web-1', records: 1024, from: ago(400_000), to: ago(300_000) }
  return { sites: { 'eu-west': { ...coveredNow(), complete: false, gaps: [gap], gapsTotal: 1 } } }
}

async function openLine(page: Page): Promise<void> {
  await page.locator(ROW).first().click()
  await page.locator('.detail').waitFor()
}

const press = (button: string, then: string) => async (page: Page) => {
  await page.getByRole('button', { name: button }).first().click()
  await page.locator(then).first().waitFor()
}

const SEARCH: readonly Place[] = [
  { name: 'lines', path: '/', ready: ROW },
  { name: 'an open line', path: '/?q=ms', ready: ROW, arrive: openLine },
  {
    name: 'lines around a line',
    path: '/',
    ready: ROW,
    async arrive(page) {
      await openLine(page)
      await page.keyboard.press('c')
      await page.locator('.around li[aria-current]').waitFor()
    },
  },
  { name: 'patterns', path: '/?tab=patterns', ready: '[role=tabpanel] tbody tr' },
  { name: 'top values', path: '/?tab=top', ready: '[role=tabpanel] tbody tr' },
  { name: 'live', path: '/?live=1', ready: '.completeness.good' },
  { name: 'gaps', path: '/', ready: ROW, script: incomplete, arrive: press('1 gap', '.gaps') },
  { name: 'a time range', path: '/', ready: ROW, arrive: press('Time range', '.range-panel') },
  { name: 'copying', path: '/', ready: ROW, arrive: press('Copy', '.panel') },
  { name: 'an export', path: '/', ready: ROW, arrive: press('Export', '.export') },
  { name: 'suggestions', path: '/', ready: '.cm-content', arrive: suggestions },
  { name: 'help', path: '/', ready: ROW, arrive: help },
  { name: 'no match', path: '/?q=nowhere', ready: '.notice' },
  { name: 'an empty store', path: '/', ready: '.notice', script: () => ({ records: [] }) },
  { name: 'a refusal', path: '/', ready: '.problem', script: unavailable },
]

async function suggestions(page: Page): Promise<void> {
  await page.keyboard.press('/')
  await page.keyboard.type('lev')
  await page.locator('.suggestions li').first().waitFor()
}

async function help(page: Page): Promise<void> {
  await page.keyboard.press('?')
  await page.locator('.help[open]').waitFor()
}

const OTHERS: readonly Place[] = [
  { name: 'charts, no metric', path: '/charts', ready: '.metric-list li, .metric-list tr, main button' },
  { name: 'a chart', path: METRIC, ready: '.legend-table tbody tr' },
  {
    name: 'a chart, split',
    path: METRIC,
    ready: '.legend-table tbody tr',
    arrive: press('Split by', '.choices-panel'),
  },
  {
    name: 'a chart that lost some',
    path: METRIC,
    ready: '.legend-table tbody tr',
    script: () => ({ ...incomplete(), lost: { total: 120, byReason: { kernel: 120 } } }),
  },
  { name: 'a chart of nothing', path: '/charts?name=no.such', ready: '.notice' },
  { name: 'boards', path: '/boards', ready: '.board-list li' },
  { name: 'a board', path: '/boards/shop', ready: '.named-lines li' },
  { name: 'no such board', path: '/boards/none', ready: '.notice' },
  { name: 'hosts', path: '/hosts', ready: '.host' },
  { name: 'a host', path: '/hosts?host=eu-west%2Fweb-1', ready: '.host-chart canvas' },
  { name: 'hosts as tiles', path: '/hosts', ready: '.host', arrive: press('Tiles', '.grid .host') },
  { name: 'no hosts', path: '/hosts', ready: '.notice', script: () => ({ hosts: [] }) },
  { name: 'collectors', path: '/collectors', ready: '.collectors-table tbody .host' },
  { name: 'no collectors', path: '/collectors', ready: '.notice', script: () => ({ hosts: [] }) },
  { name: 'a refusal of hosts', path: '/hosts', ready: '.notice', script: unavailable },
  { name: 'no such page', path: '/nowhere', ready: '.notice' },
  { name: 'the session', path: '/hosts', ready: '.host', arrive: press('Signed in as', '.session-panel') },
  { name: 'signing in', path: '/', ready: '.sign-in input', script: () => ({ sessions: false }) },
  {
    name: 'a code that is not valid',
    path: '/',
    ready: '.sign-in input',
    script: () => ({ sessions: false }),
    async arrive(page) {
      await page.getByLabel('Link, code or token').fill('wrong')
      await page.keyboard.press('Enter')
      await page.getByText('not valid').waitFor()
    },
  },
]

beforeAll(async () => {
  api = await startFakeApi()
  if (browser === null) return
  dashboard = await openDashboard(browser, `${api.url}/hosts#code=good-code`, { reducedMotion: 'reduce' })
  await dashboard.page.getByRole('navigation').waitFor()
})

afterAll(async () => {
  await api.close()
  await browser?.close()
})

beforeEach(() => {
  Object.assign(api.script, { sessions: true, problem: null, lost: { total: 0, byReason: {} } })
  api.script.sites = { 'eu-west': coveredNow() }
  api.script.records = sampleLines({ count: LINES, untilMs: Date.now() - 2000, everyMs: 15_000 })
  api.script.series = sampleSeries()
  api.script.hosts = sampleHosts(HOSTS)
  api.script.boards = [
    {
      name: 'shop',
      title: 'Shop',
      charts: [{ title: 'Requests', metric: 'shop.requests', tags: [], by: ['host'] }],
    },
  ]
})

test.skipIf(browser === null)('axe finds what is wrong, in structure and in colours', async () => {
  const { page } = dashboard
  await page.goto(`${api.url}/boards`)
  await page.locator('.board-list li').waitFor()
  await page.evaluate(`
    document.querySelector('main').insertAdjacentHTML('beforeend',
      '<button></button><p style="color: #777; background: #888">pale</p>')
  `)
  const { serious } = await findings(page)
  expect(serious.map((finding) => finding.split(' ')[0])).toEqual(['button-name', 'color-contrast'])
})

describe.skipIf(browser === null)('axe finds nothing serious', () => {
  test.each([...SEARCH, ...OTHERS])('$name', async ({ name, path, ready, script, arrive }) => {
    const { page, faults } = dashboard
    Object.assign(api.script, script?.())
    await page.emulateMedia({ colorScheme: 'light' })
    await page.goto(api.url + path)
    await page.locator(ready).first().waitFor()
    await arrive?.(page)
    const light = await findings(page)
    // The other theme differs in colours, and in nothing else.
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await findings(page, ['color-contrast'])
    for (const minor of light.minor) process.stdout.write(`axe, minor, ${name}: ${minor}\n`)
    expect(light.serious).toEqual([])
    expect(dark.serious).toEqual([])
    expect(faults).toEqual([])
  })
})
