import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asServiceError } from '../../../core/errors.ts'
import { nodeFs } from '../../../core/fs.ts'

/**
 * Outside the checkout, so that a clean clone does not download a gigabyte again. Root's home is closed to the user that
 * Elasticsearch has to run as.
 */
const CACHE_DIR = join(process.getuid?.() === 0 ? '/var/cache' : join(homedir(), '.cache'), 'noctule-engines')
const LOCK_POLL_MS = 200
const LOCK_DEADLINE_MS = 300_000

/**
 * A folder of the cache, made by `fill` once for all processes: it appears under its name only when it is whole.
 * `fill` gets an empty folder to fill.
 */
export async function cached(name: string, fill: (dir: string) => Promise<void>): Promise<string> {
  const target = join(CACHE_DIR, name)
  if (existsSync(target)) return target
  mkdirSync(CACHE_DIR, { recursive: true })
  const lock = await lockWhenFree(join(CACHE_DIR, `${name}.lock`))
  try {
    if (existsSync(target)) return target
    const making = mkdtempSync(join(CACHE_DIR, `${name}.making-`))
    try {
      await fill(making)
      renameSync(making, target)
    } finally {
      rmSync(making, { recursive: true, force: true })
    }
    return target
  } finally {
    await lock.release()
  }
}

async function lockWhenFree(path: string): Promise<{ release(): Promise<void> }> {
  const end = performance.now() + LOCK_DEADLINE_MS
  for (;;) {
    try {
      return await nodeFs.lock(path)
    } catch (error) {
      if (asServiceError(error)?.code !== 'DATA_DIR_IN_USE' || performance.now() > end) throw error
      await sleep(LOCK_POLL_MS)
    }
  }
}
