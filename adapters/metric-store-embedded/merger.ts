import { metricSlotMs } from '../../core/metrics/resolutions.ts'
import { seriesOfKey } from '../../core/metrics/wire.ts'
import type { ReadFile } from '../../core/ports.ts'
import { pointsOf, readFooter, readGroup, WANTS_ALL, type KeptSeries } from './block-format.ts'
import { createBlockWriter, type BlockEntry } from './block-writer.ts'
import { addUpSame, sorted, type Sealing } from './sealer.ts'
import { createSlices } from '../../core/slices.ts'

/** Blocks of one resolution and slot that a question may have to read. */
const BLOCKS_PER_SLOT_MAX = 8
/** … and once it has been over for so long that hardly anything comes late. */
const BLOCKS_PER_QUIET_SLOT_MAX = 2
const QUIET_AFTER_MS = 3_600_000

/** Blocks of one slot that are better one; undefined: there are none. The smallest are merged, so that a point is not copied often. */
export function blocksToMerge(
  blocks: readonly BlockEntry[],
  { retention, nowMs }: { retention: Sealing['retention']; nowMs: number },
): readonly BlockEntry[] | undefined {
  const slots = Map.groupBy(blocks, ({ resolution, slotMs }) => `${resolution} ${slotMs}`)
  for (const slot of slots.values()) {
    const [{ resolution, slotMs } = { resolution: 'raw', slotMs: 0 } as const] = slot
    const quietAtMs = slotMs + metricSlotMs(resolution, retention) + QUIET_AFTER_MS
    const max = nowMs > quietAtMs ? BLOCKS_PER_QUIET_SLOT_MAX : BLOCKS_PER_SLOT_MAX
    if (slot.length > max) return slot.toSorted((one, other) => one.bytes - other.bytes).slice(0, max + 1)
  }
  return undefined
}

/** Writes one block of the points of several, whose files are open. It counts when the catalog has it. */
export async function mergeBlocks(
  files: readonly ReadFile[],
  { resolution, slotMs }: Pick<BlockEntry, 'resolution' | 'slotMs'>,
  { fs, paths, catalog, signal }: Sealing,
): Promise<BlockEntry> {
  const id = catalog.newId()
  const writer = await createBlockWriter(fs, paths.block(id), { id, resolution, slotMs })
  const pause = createSlices(signal)
  try {
    const cursors = files.map(seriesIn)
    const heads = await Promise.all(cursors.map((cursor) => cursor.next()))
    for (;;) {
      await pause()
      const key = leastKey(heads)
      if (key === undefined) break
      const points: KeptSeries['points'][number][] = []
      for (const [at, head] of heads.entries()) {
        if (head.done === true || head.value.key !== key) continue
        points.push(...head.value.points)
        heads[at] = (await cursors[at]?.next()) ?? { done: true, value: undefined }
      }
      await writer.add({ key, points: addUpSame(sorted(points), seriesOfKey(key).kind) })
    }
    const made = await writer.finish()
    await fs.syncDir(paths.blocks)
    return made
  } catch (error) {
    await writer.abandon().catch(() => undefined)
    throw error
  }
}

function leastKey(heads: readonly IteratorResult<KeptSeries, void>[]): string | undefined {
  let least: string | undefined
  for (const head of heads) {
    if (head.done !== true && (least === undefined || head.value.key < least)) least = head.value.key
  }
  return least
}

/** All series of a block, in order of key. */
async function* seriesIn(file: ReadFile): AsyncGenerator<KeptSeries, void> {
  const { groups } = await readFooter(file)
  for (const entry of groups) {
    const group = await readGroup(file, entry, WANTS_ALL)
    if (group === null) continue
    for (const [index, key] of group.keys.entries()) yield { key, points: pointsOf(group, index) }
  }
}
