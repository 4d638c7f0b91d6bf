import type { MetricResolution } from '../../core/metrics/types.ts'
import type { AppendFile, Fs } from '../../core/ports.ts'
import { BLOCK_MAGIC, encodeFooter, encodeGroup } from './block-format.ts'
import type { GroupEntry, KeptSeries } from './block-format.ts'

/** A group is read and decoded as a whole: some milliseconds. */
const GROUP_POINTS_MAX = 16_384
const GROUP_SERIES_MAX = 1_024
const GROUP_SKETCH_BYTES_MAX = 512 << 10

/** What the catalog keeps of a block. */
export interface BlockEntry {
  readonly id: number
  readonly resolution: MetricResolution
  /** Start of its slot. */
  readonly slotMs: number
  readonly bytes: number
  readonly points: number
  readonly firstMs: number
}

export interface BlockWriter {
  /** Series come in order of their keys, each once. */
  add(series: KeptSeries): Promise<void>
  /** Durable when it resolves, but for the name: sync the folder. */
  finish(): Promise<BlockEntry>
  /** Gives up, also a finished one: nothing stays. */
  abandon(): Promise<void>
}

export async function createBlockWriter(
  fs: Fs,
  path: string,
  { id, resolution, slotMs }: Pick<BlockEntry, 'id' | 'resolution' | 'slotMs'>,
): Promise<BlockWriter> {
  const file: AppendFile = await fs.openAppend(path)
  const groups: GroupEntry[] = []
  let series: KeptSeries[] = []
  let points = 0
  let sketchBytes = 0

  async function abandon(): Promise<void> {
    await file.close().catch(() => undefined) // It may be closed already.
    await fs.remove(path)
  }

  async function endGroup(): Promise<void> {
    if (series.length === 0) return
    const { bytes, entry } = await encodeGroup(series, file.size)
    await file.write(bytes)
    groups.push(entry)
    series = []
    points = 0
    sketchBytes = 0
  }

  await file.write(BLOCK_MAGIC).catch(async (error: unknown) => {
    await abandon()
    throw error
  })
  return {
    async add(one) {
      series.push(one)
      points += one.points.length
      for (const { sketch } of one.points) sketchBytes += sketch?.length ?? 0
      const full = points >= GROUP_POINTS_MAX || sketchBytes >= GROUP_SKETCH_BYTES_MAX
      if (full || series.length >= GROUP_SERIES_MAX) await endGroup()
    },
    async finish() {
      await endGroup()
      await file.write(await encodeFooter({ resolution, slotMs, groups }))
      await file.sync()
      await file.close()
      const pointsTotal = groups.reduce((sum, group) => sum + group.points, 0)
      const firstMs = groups.reduce((least, group) => Math.min(least, group.firstMs), Infinity)
      return { id, resolution, slotMs, bytes: file.size, points: pointsTotal, firstMs }
    },
    abandon,
  }
}
