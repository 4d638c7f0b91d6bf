import { basename, join } from 'node:path'
import { asServiceError, messageOf } from '../../core/errors.ts'
import { errorCode } from '../../core/fs.ts'
import { metricSlotMs } from '../../core/metrics/resolutions.ts'
import type { MetricRetention } from '../../core/metrics/types.ts'
import type { Fs, Logger, ReadFile } from '../../core/ports.ts'
import { readFooter, type Footer } from './block-format.ts'
import type { BlockEntry } from './block-writer.ts'
import type { Catalog, Paths } from './catalog.ts'

/** Groups whose places are kept in memory: some 200 bytes each. */
const GROUPS_CACHED_MAX = 100_000

/** Reads blocks; damaged ones leave it. */
export interface Shelf {
  /** Calls `read` with the block's open file; a block that turns out to be damaged is put aside, and nothing more is read of it. */
  read(block: BlockEntry, read: (file: ReadFile, footer: Footer) => Promise<void>): Promise<void>
  /** While `work` runs, files of blocks that leave the catalog stay readable. */
  using<T>(work: () => Promise<T>): Promise<T>
  /** Removes the files of blocks that are not in the catalog any more, once nobody reads them. */
  removeFiles(blocks: readonly BlockEntry[]): Promise<void>
}

export function createShelf({
  fs,
  paths,
  catalog,
  log,
  retention,
}: {
  fs: Fs
  paths: Paths
  catalog: Catalog
  log: Logger
  retention: MetricRetention
}): Shelf {
  /** The ones used last are at the end. */
  const footers = new Map<number, Footer>()
  const users = new Set<Promise<unknown>>()
  let groupsCached = 0

  function forget(id: number): void {
    groupsCached -= footers.get(id)?.groups.length ?? 0
    footers.delete(id)
  }

  async function footerOf(id: number, file: ReadFile): Promise<Footer> {
    const footer = footers.get(id) ?? (await readFooter(file))
    forget(id)
    footers.set(id, footer)
    groupsCached += footer.groups.length
    for (const old of footers.keys()) {
      if (groupsCached <= GROUPS_CACHED_MAX || old === id) break
      forget(old)
    }
    return footer
  }

  async function putAside(block: BlockEntry, error: unknown): Promise<void> {
    const { id, resolution, slotMs, firstMs } = block
    const path = paths.block(id)
    const name = `${basename(path)}-${resolution}-${slotMs}`
    let isNew = false
    await catalog.change((state) => {
      isNew = state.blocks.some((other) => other.id === id)
      if (!isNew) return state
      const blocks = state.blocks.filter((other) => other.id !== id)
      const toMs = slotMs + metricSlotMs(resolution, retention)
      const lost = [...state.lost, { resolution, fromMs: firstMs, toMs }]
      return { ...state, blocks, damaged: [...state.damaged, name], lost }
    })
    if (!isNew) return
    forget(id)
    log.error({ file: path, aside: name, problem: messageOf(error) }, 'a block of metrics is damaged')
    await fs.rename(path, join(paths.aside, name)).catch(() => undefined) // It may be missing altogether.
  }

  return {
    async read(block, read) {
      let file: ReadFile | undefined
      try {
        file = await fs.openRead(paths.block(block.id))
        await read(file, await footerOf(block.id, file))
      } catch (error) {
        const isDamaged = asServiceError(error)?.code === 'DATA_CORRUPT' || errorCode(error) === 'ENOENT'
        if (!isDamaged) throw error
        await putAside(block, error)
      } finally {
        await file?.close()
      }
    },
    async using(work) {
      const done = work()
      users.add(done)
      try {
        return await done
      } finally {
        users.delete(done)
      }
    },
    async removeFiles(blocks) {
      await Promise.allSettled(users)
      for (const { id } of blocks) {
        forget(id)
        await fs.remove(paths.block(id))
      }
    },
  }
}
