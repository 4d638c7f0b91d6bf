import { afterAll, beforeAll, beforeEach } from 'vitest'
import { launchBrowser } from './browser.ts'
import { openDashboard, type Dashboard } from './dashboard.ts'
import { coveredNow, startFakeApi, type FakeApi } from './fake-api.ts'
import { sampleHosts } from './fake-hosts.ts'
import { sampleSeries } from './fake-metrics.ts'

/** A browser and a scripted API for the tests of one file; each test starts from a site that is well. */
export async function pagesUnderTest() {
  const browser = await launchBrowser()
  let api: FakeApi

  beforeAll(async () => {
    api = await startFakeApi()
  })

  afterAll(async () => {
    await api.close()
    await browser?.close()
  })

  beforeEach(() => {
    Object.assign(api.script, {
      sessions: true,
      problem: null,
      down: false,
      role: 'admin',
      records: [],
      boards: [],
    })
    api.script.sites = { 'eu-west': coveredNow() }
    api.script.series = sampleSeries()
    api.script.lost = { total: 0, byReason: {} }
    api.script.hosts = sampleHosts(30)
  })

  return {
    browser,
    api: () => api,
    /** A signed-in page. */
    open: async (path: string, options: Parameters<typeof openDashboard>[2] = {}): Promise<Dashboard> => {
      if (browser === null) throw new Error('there is no browser')
      api.script.code = 'good-code'
      return await openDashboard(browser, `${api.url}${path}#code=good-code`, options)
    },
  }
}
