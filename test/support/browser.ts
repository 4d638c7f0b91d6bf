import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

const LAUNCH_MS = 30_000

/**
 * A real Chromium; null when this machine cannot start one, which is said loudly. With NOCTULE_REQUIRE_BROWSER=1
 * it throws instead. Everything it needs comes from the npm package, so that a bare machine will do.
 */
export async function launchBrowser(): Promise<Browser | null> {
  try {
    const home = await unpackedChromium()
    return await chromium.launch({
      executablePath: join(home, 'chromium'),
      // As root in a container there is no sandbox to be had; pages under test are ours.
      args: ['--no-sandbox', '--no-zygote', '--disable-gpu', '--font-render-hinting=none'],
      env: environment(home),
      timeout: LAUNCH_MS,
    })
  } catch (error) {
    if (process.env['NOCTULE_REQUIRE_BROWSER'] === '1') throw error
    process.stderr.write(
      `\nSKIPPED: the browser tests did not run, Chromium cannot start: ${String(error)}\n\n`,
    )
    return null
  }
}

function environment(home: string): Record<string, string> {
  const { PATH = '', HOME = home, LD_LIBRARY_PATH } = process.env
  const libraries = [LD_LIBRARY_PATH, join(home, 'al2023', 'lib')].filter((path) => path !== undefined)
  const fonts = existsSync('/etc/fonts') ? {} : { FONTCONFIG_PATH: join(home, 'fonts') }
  return { PATH, HOME, ...fonts, LD_LIBRARY_PATH: libraries.join(':') }
}

/**
 * The folder with the unpacked Chromium of the installed package: unpacked once a machine, whole or not at all,
 * also when several test runs want it at the same time.
 */
async function unpackedChromium(): Promise<string> {
  const packageFile = join(
    dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')),
    '../package.json',
  )
  const { version } = createRequire(import.meta.url)(packageFile) as { version: string }
  const home = join(tmpdir(), `noctule-chromium-${version}`)
  if (existsSync(home)) return home
  const fresh = await mkdtemp(`${home}-`)
  try {
    await unpackInto(fresh)
    await rename(fresh, home)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    // Another run was faster.
    if (!existsSync(home)) throw error
  }
  return home
}

/** The package unpacks into the temporary folder, and the libraries (nss, nspr, expat) only for what it takes for a Lambda. */
async function unpackInto(folder: string): Promise<void> {
  const before = { ...process.env }
  Object.assign(process.env, { TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' })
  try {
    const { default: packed } = await import('@sparticuz/chromium')
    await packed.executablePath()
  } finally {
    for (const name of ['TMPDIR', 'AWS_EXECUTION_ENV', 'LD_LIBRARY_PATH', 'FONTCONFIG_PATH', 'HOME']) {
      const value = before[name]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
