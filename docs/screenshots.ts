/**
 * Takes the pictures of docs/images: starts the program with a data folder of its own and a made-up company of 40 hosts that
 * deliver to it, opens every page in Chromium, light and dark, on a desk and on a phone, and ends everything again.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser } from '../test/support/browser.ts'
import { createCompany } from '../test/support/company.ts'
import { openDashboard } from '../test/support/dashboard.ts'
import { startProgram, until, type Program } from '../test/support/program.ts'
import { createWorkspace } from '../test/support/workspace.ts'
import { smallPng } from './small-png.ts'

const SEED = 7
const IMAGES = join(import.meta.dirname, 'images')
const LINES_MS = 16 * 60_000
const TROUBLED_DEADLINE_MS = 60_000
const METRICS_MS = 62 * 60_000

interface View {
  readonly name: string
  readonly path: string
  /** What is there once it is ready. */
  readonly ready: string
  readonly arrange?: (page: Page) => Promise<void>
}

const VIEWS: readonly View[] = [
  { name: 'search', path: '/?q=level%3A%28error+OR+warn%29', ready: '.rows .row' },
  {
    name: 'line',
    path: '/?q=level%3Aerror+service%3Apayments',
    ready: '.rows .row',
    async arrange(page) {
      await page.locator('.rows .row').nth(2).click()
      await page.locator('.detail').waitFor()
    },
  },
  {
    name: 'patterns',
    path: '/?tab=patterns&q=level%3A%28error+OR+warn%29',
    ready: '[role=tabpanel] tbody tr',
  },
  {
    name: 'charts',
    path: '/charts?name=shop.request_ms&by=service&agg=p95',
    ready: '.legend-table tbody tr',
  },
  { name: 'board', path: '/boards/shop', ready: '.board-card:nth-child(2) .named-lines li' },
  { name: 'hosts', path: '/hosts', ready: '.host.state-silent' },
  { name: 'host', path: '/hosts?host=us-east%2Fweb-2.us-east', ready: '.host-chart canvas' },
  { name: 'collectors', path: '/collectors', ready: '.collectors-table tbody .host' },
]

const SCREENS: Readonly<Record<string, BrowserContextOptions>> = {
  desk: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
}

async function takePictures(browser: Browser, url: string, link: string): Promise<void> {
  await using first = await openDashboard(browser, link)
  await first.page.getByRole('navigation').waitFor()
  const storageState = await first.page.context().storageState()
  for (const [screen, options] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const look = { ...options, storageState, colorScheme, timezoneId: 'UTC', locale: 'en-GB' }
      await using dashboard = await openDashboard(browser, url, { ...look, reducedMotion: 'reduce' })
      for (const view of VIEWS) {
        const png = await pictureOf(dashboard.page, url, view)
        const suffix = screen === 'desk' ? colorScheme : `${colorScheme}-${screen}`
        writeFileSync(join(IMAGES, `${view.name}-${suffix}.png`), png)
        process.stdout.write(`${view.name}-${suffix}.png: ${Math.round(png.length / 1024)} KiB\n`)
      }
      if (dashboard.faults.length > 0) throw new Error(dashboard.faults.join('\n'))
    }
  }
}

async function pictureOf(page: Page, url: string, { path, ready, arrange }: View): Promise<Buffer> {
  await page.goto(url + path)
  await page.locator(ready).first().waitFor()
  await arrange?.(page)
  await page.waitForLoadState('networkidle')
  await page.mouse.move(0, 0)
  return smallPng(await page.screenshot({ animations: 'disabled', caret: 'hide' }))
}

/** Resolves when everything that is wrong at the company has come to light. */
async function untilTroubled(program: Program): Promise<void> {
  const look = async () => {
    const response = await program.get('/v1/sites')
    const { sites } = (await response.json()) as { sites: Record<string, { gaps: { reason: string }[] }> }
    const gaps = Object.values(sites).flatMap((site) => site.gaps)
    const reasons = new Set(gaps.map(({ reason }) => reason))
    return reasons.has('silent') && reasons.has('tombstone') ? true : undefined
  }
  await until(look, TROUBLED_DEADLINE_MS, () => 'nothing is missing', 200)
}

const company = createCompany(SEED)
using workspace = createWorkspace(company.config)
const browser = await launchBrowser()
if (browser === null) throw new Error('pictures need Chromium')
const program = await startProgram({ ...workspace, role: 'site' })
const ended = new AbortController()
try {
  await company.past(program.url, { linesMs: LINES_MS, metricsMs: METRICS_MS })
  const living = company.live(program.url, ended.signal)
  mkdirSync(IMAGES, { recursive: true })
  const link = /http:\/\/\S+#code=[\w-]+/.exec(program.output())?.[0] ?? ''
  await Promise.race([untilTroubled(program), living])
  await Promise.race([takePictures(browser, program.url, link), living])
  ended.abort()
  await living
} finally {
  ended.abort()
  await browser.close()
  await program.stop()
}
