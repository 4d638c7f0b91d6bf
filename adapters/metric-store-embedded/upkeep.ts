import { asServiceError, messageOf } from '../../core/errors.ts'
import type { BatchKeys } from '../../core/metrics/batch-keys.ts'
import { metricOldestMs } from '../../core/metrics/resolutions.ts'
import type { Clock, Logger, ReadFile } from '../../core/ports.ts'
import { readGroup, WANTS_ALL } from './block-format.ts'
import type { BlockEntry } from './block-writer.ts'
import type { LostPart } from './catalog.ts'
import { blocksToMerge, mergeBlocks } from './merger.ts'
import { sealTable, type Sealing } from './sealer.ts'
import type { Shelf } from './shelf.ts'
import type { Table } from './table.ts'

export interface UpkeepOptions extends Sealing {
  readonly clock: Clock
  readonly log: Logger
  readonly keys: BatchKeys
  readonly shelf: Shelf
  /** Tables to seal, oldest first; a sealed one is taken out. */
  readonly frozen: Table[]
}

/** Seals, merges and purges, one at a time. */
export interface Upkeep {
  /** Everything that there is to do. A failure is logged, and tried again the next time; `seal` gives it to its caller. */
  run(): Promise<void>
  /** Until no table is frozen. */
  seal(): Promise<void>
  purge(): Promise<void>
  /** Resolves when nothing of it runs any more. */
  idle(): Promise<void>
}

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { fs, paths, catalog, retention, clock, log, keys, shelf, frozen, signal } = options
  let turn: Promise<unknown> = Promise.resolve()

  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = turn.then(work)
    turn = done.catch(() => undefined)
    return done
  }

  async function seal(): Promise<void> {
    for (let [table] = frozen; table !== undefined; [table] = frozen) {
      const { gen } = table
      const made = await sealTable(table, options)
      await catalog.change(
        (state) => ({
          ...state,
          sealedGen: gen,
          keys: keys.document(),
          blocks: [...state.blocks, ...made],
        }),
        () => frozen.shift(),
      )
      await fs.remove(paths.journal(gen))
      log.debug({ gen, blocks: made.length }, 'sealed metrics')
    }
  }

  async function purge(): Promise<void> {
    const nowMs = clock.nowMs()
    const isGone = ({ resolution, slotMs }: BlockEntry) =>
      slotMs < metricOldestMs(resolution, retention, nowMs)
    keys.forget(nowMs - retention.raw)
    const isOver = ({ resolution, toMs }: LostPart) => toMs <= metricOldestMs(resolution, retention, nowMs)
    const gone = catalog.state.blocks.filter(isGone)
    if (gone.length === 0 && !catalog.state.lost.some(isOver)) return
    await catalog.change((state) => ({
      ...state,
      blocks: state.blocks.filter((block) => !isGone(block)),
      lost: state.lost.filter((part) => !isOver(part)),
    }))
    await shelf.removeFiles(gone)
  }

  async function merge(): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const ask = { retention, nowMs: clock.nowMs() }
      const blocks = blocksToMerge(catalog.state.blocks, ask)
      const [first] = blocks ?? []
      if (blocks === undefined || first === undefined) return
      await mergeOrCheck(blocks, first)
    }
  }

  async function mergeOrCheck(blocks: readonly BlockEntry[], { resolution, slotMs }: BlockEntry) {
    const files: ReadFile[] = []
    try {
      for (const { id } of blocks) files.push(await fs.openRead(paths.block(id)))
      const made = await mergeBlocks(files, { resolution, slotMs }, options)
      await replaceBlocks(blocks, made)
    } catch (error) {
      if (signal.aborted || asServiceError(error)?.code !== 'DATA_CORRUPT') throw error
      for (const block of blocks) await check(block)
    } finally {
      for (const file of files) await file.close()
    }
  }

  /** Only if all of them are still there: a damaged one may have left, and what it had must not come back as good. */
  async function replaceBlocks(blocks: readonly BlockEntry[], made: BlockEntry): Promise<void> {
    const ids = new Set(blocks.map(({ id }) => id))
    let replaced = false
    await catalog.change((state) => {
      const left = state.blocks.filter(({ id }) => !ids.has(id))
      replaced = left.length === state.blocks.length - ids.size
      return replaced ? { ...state, blocks: [...left, made] } : state
    })
    await shelf.removeFiles(replaced ? blocks : [made])
  }

  /** Reads all of a block, so that it is put aside if it is damaged. */
  async function check(block: BlockEntry): Promise<void> {
    await shelf.read(block, async (file, { groups }) => {
      for (const entry of groups) await readGroup(file, entry, WANTS_ALL)
    })
  }

  return {
    async run() {
      try {
        await inTurn(seal)
        await inTurn(purge)
        await inTurn(merge)
      } catch (error) {
        if (!signal.aborted) log.warn({ problem: messageOf(error) }, 'metrics could not be sealed or merged')
      }
    },
    seal: () => inTurn(seal),
    purge: () => inTurn(purge),
    async idle() {
      await turn
    },
  }
}
