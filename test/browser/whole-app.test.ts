import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { StatsD } from 'hot-shots'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { openDashboard, type Dashboard } from '../support/dashboard.ts'
import { runCli, startProgram, type Program } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

const browser = await launchBrowser()
/** How long a page may show green for something that is down. */
const RED_MS_MAX = 5_000
const FIRST_LOAD_BYTES_MAX = 350 * 1024
/** So wide that a whole test is in one step. */
const RANGE = 'now-90d'
const WORKER = `shop-worker-of-page-${process.pid}`

const workspace = createWorkspace(`collector:
  host: web-1
  tier: webhead
  statsd: { flush: 1s }
  files: [{ paths: ["{logs}/*.log"] }]
  checks: [{ name: worker, kind: process, command: "${WORKER}$" }]
`)
let program: Program
let worker: ChildProcess
let dashboard: Dashboard
let page: Page

beforeAll(async () => {
  if (browser === null) return
  worker = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => 0, 1e6)', WORKER], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (worker.stdout !== null) await once(worker.stdout, 'data')
  appendFileSync(join(workspace.logs, 'shop.log'), 'ERROR payment 4711 was refused\n')
  program = await startProgram(workspace)
  dashboard = await openDashboard(browser, linkOf(program).replace('/#', '/hosts#'))
  page = dashboard.page
  await page.locator('.host.state-ok').waitFor()
})

afterAll(async () => {
  worker?.kill('SIGKILL')
  await browser?.close()
  await program?.kill()
  workspace[Symbol.dispose]()
})

const linkOf = (of: Program) => /http:\/\/\S+#code=[\w-]+/.exec(of.output())?.[0] ?? ''

/** What an app on this host sends with hot-shots and its default options, but for the port. */
async function sendFromApp(): Promise<void> {
  const failures: Error[] = []
  const app = new StatsD({
    port: await program.statsdPort(),
    errorHandler: (error) => void failures.push(error),
  })
  for (const env of ['prod', 'prod', 'test']) app.increment('shop.orders', 21, { env })
  app.decrement('shop.orders', 2, { env: 'test' })
  app.gauge('shop.queue', 12.5)
  for (let value = 1; value <= 100; value++) app.timing('shop.checkout', value)
  for (const user of ['mia', 'tom', 'mia', 'zoe']) app.set('shop.users', user)
  app.event('deployed', 'version 7', { alert_type: 'warning' })
  await new Promise((closed) => app.close(closed))
  expect(failures).toEqual([])
}

/** The legend of a chart, as soon as it says what is expected: its lines with their numbers. */
async function expectLegend(query: string, expected: readonly (readonly string[])[]): Promise<void> {
  await page.goto(`${program.url}/charts?${query}&from=${RANGE}&live=1`)
  const rows = page.locator('.legend-table tbody tr')
  const read = async () =>
    await Promise.all((await rows.all()).map((row) => row.locator('th, td').allTextContents()))
  await expect.poll(read, { timeout: 20_000, interval: 50 }).toEqual(expected)
}

/** The only value of each line of a metric, as the command line tells it. */
async function toldByCli(name: string, options: readonly string[] = []): Promise<readonly string[]> {
  const { stdout } = await runCli(['metrics', name, '--from', RANGE, '-o', 'csv', ...options], {
    NOCTULE_URL: program.url,
    NOCTULE_DATA_DIR: workspace.dataDir,
  })
  const [, ...rows] = stdout.trimEnd().split('\n')
  return rows.map((row) => row.split(',').slice(1).join(' '))
}

describe.skipIf(browser === null)('the real program', () => {
  test('what an app sent stands in the page and in the command line, number for number', async () => {
    await sendFromApp()
    const alone = (label: string, value: string) => [label, value, value, value, value]
    await expectLegend('name=shop.orders&by=env&agg=sum', [alone('prod', '42'), alone('test', '19')])
    await expectLegend('name=shop.queue&agg=last', [alone('last', '12.5')])
    await expectLegend('name=shop.users', [alone('count', '3')])
    await expectLegend('name=shop.checkout&agg=min,max,count', [
      alone('max', '100'),
      alone('count', '100'),
      alone('min', '1'),
    ])
    expect(await toldByCli('shop.orders', ['--by', 'env', '--agg', 'sum'])).toEqual(['prod 42', 'test 19'])
    expect(await toldByCli('shop.queue', ['--agg', 'last'])).toEqual(['12.5'])
    expect(await toldByCli('shop.users')).toEqual(['3'])
    const [p95] = await toldByCli('shop.checkout', ['--agg', 'p95'])
    expect(Math.abs(Number(p95) - 95)).toBeLessThanOrEqual(1.95)
    await page.goto(`${program.url}/?q=event.kind%3Aevent`)
    await page.locator('.rows .row', { hasText: 'deployed: version 7' }).waitFor()
    expect(dashboard.faults).toEqual([])
  })

  test('the first load is small, and all of it is from here', async () => {
    if (browser === null) return
    const context = await browser.newContext({ storageState: await page.context().storageState() })
    onTestFinished(async () => await context.close())
    const fresh = await context.newPage()
    const bodies: Promise<Buffer>[] = []
    const elsewhere: string[] = []
    fresh.on('response', (response) => {
      if (!response.url().startsWith(program.url)) elsewhere.push(response.url())
      bodies.push(response.body())
    })
    await fresh.goto(program.url)
    await fresh.locator('.rows .row', { hasText: 'payment 4711' }).waitFor()
    await fresh.locator('.cm-content').waitFor()
    const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + gzipSync(body).length, 0)
    process.stdout.write(`first load: ${(bytes / 1024).toFixed(1)} KiB gzip in ${bodies.length} answers\n`)
    expect(bytes).toBeLessThanOrEqual(FIRST_LOAD_BYTES_MAX)
    expect(elsewhere).toEqual([])
  })

  test('a checked process that stops turns its host red on the page within 5 s', async () => {
    await page.goto(`${program.url}/hosts`)
    await page.locator('.host.state-ok', { hasText: 'web-1' }).waitFor()
    const stoppedMs = performance.now()
    worker.kill('SIGKILL')
    await page.locator('.host.state-fail', { hasText: 'web-1' }).waitFor()
    const tookMs = performance.now() - stoppedMs
    process.stdout.write(`process stopped → red on the page: ${Math.round(tookMs)} ms\n`)
    expect(tookMs).toBeLessThanOrEqual(RED_MS_MAX)
    expect(dashboard.faults).toEqual([])
  })

  test('while the program is dead the page says since when; it goes on where it was when it is back', async () => {
    const port = Number(new URL(program.url).port)
    await program.kill()
    await page.getByText(/No answer since \d\d:\d\d:\d\d/).waitFor()
    expect(await page.locator('.host').count()).toBe(1)
    program = await startProgram({ ...workspace, port })
    // A restart ends all sessions: nobody is signed in any more, and the page finds that out by itself.
    await page.getByText('Your session has ended').waitFor()
    await page.getByLabel('Link, code or token').fill(linkOf(program))
    await page.keyboard.press('Enter')
    await page.locator('.host.state-fail', { hasText: 'web-1' }).waitFor()
    expect(await page.locator('.stale-banner').count()).toBe(0)
    expect(new URL(page.url()).pathname).toBe('/hosts')
    expect(await program.stop()).toBe(0)
  })
})
