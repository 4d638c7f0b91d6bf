import { addUp, rollUp, slotStart, type KeptPoint } from '../../core/metrics/kept.ts'
import { metricSlotMs } from '../../core/metrics/resolutions.ts'
import { ROLL_UP_MS } from '../../core/metrics/types.ts'
import type { MetricKind, MetricResolution, MetricRetention } from '../../core/metrics/types.ts'
import { seriesOfKey } from '../../core/metrics/wire.ts'
import type { Fs } from '../../core/ports.ts'
import { createBlockWriter, type BlockEntry, type BlockWriter } from './block-writer.ts'
import type { Catalog, Paths } from './catalog.ts'
import { createSlices } from '../../core/slices.ts'
import { pointAt, type Table } from './table.ts'

export interface Sealing {
  readonly fs: Fs
  readonly paths: Paths
  readonly catalog: Catalog
  readonly retention: MetricRetention
  readonly signal: AbortSignal
}

/** Writes the points of a table into blocks: one for every resolution and slot that has any. They count when the catalog has them. */
export async function sealTable(table: Table, sealing: Sealing): Promise<readonly BlockEntry[]> {
  const writers = createWriters(sealing)
  const pause = createSlices(sealing.signal)
  try {
    const order = await inOrder(table.keys, pause)
    for (const { key, rows } of seriesOf(table, order)) {
      await pause()
      const { kind } = seriesOfKey(key)
      const raw = addUpSame(sorted(rows.map((row) => pointAt(table.rows, row))), kind)
      await writers.add('raw', key, raw)
      const minutes = rollUp(raw, kind, ROLL_UP_MS.minute)
      await writers.add('minute', key, minutes)
      await writers.add('hour', key, rollUp(minutes, kind, ROLL_UP_MS.hour))
    }
    return await writers.finish()
  } catch (error) {
    await writers.abandon()
    throw error
  }
}

/** Keys that are sorted at once: a hundred thousand take the event loop a fifth of a second. */
const RUN_KEYS = 2_048

/** Numbers of the series in order of their keys. */
async function inOrder(keys: readonly string[], pause: () => Promise<void> | undefined): Promise<number[]> {
  const byKey = (one: number, other: number) => ((keys[one] ?? '') < (keys[other] ?? '') ? -1 : 1)
  let runs: number[][] = []
  for (let from = 0; from < keys.length; from += RUN_KEYS) {
    await pause()
    const length = Math.min(RUN_KEYS, keys.length - from)
    runs.push(Array.from({ length }, (_, at) => from + at).sort(byKey))
  }
  while (runs.length > 1) {
    const merged: number[][] = []
    for (let at = 0; at < runs.length; at += 2)
      merged.push(await mergeRuns(runs[at] ?? [], runs[at + 1] ?? [], { byKey, pause }))
    runs = merged
  }
  return runs[0] ?? []
}

async function mergeRuns(
  one: readonly number[],
  other: readonly number[],
  by: { byKey: (one: number, other: number) => number; pause: () => Promise<void> | undefined },
): Promise<number[]> {
  const merged: number[] = []
  let at = 0
  for (const number of one) {
    if (merged.length % RUN_KEYS === 0) await by.pause()
    while (at < other.length && by.byKey(other[at] ?? 0, number) < 0) merged.push(other[at++] ?? 0)
    merged.push(number)
  }
  for (; at < other.length; at += 1) merged.push(other[at] ?? 0)
  return merged
}

/** The rows of every series, in order of its key. */
function* seriesOf(
  { keys, rows }: Table,
  order: readonly number[],
): Generator<{ key: string; rows: number[] }> {
  const counts = new Uint32Array(keys.length + 1)
  for (let row = 0; row < rows.length; row += 1) {
    const number = rows.series[row] ?? 0
    counts[number + 1] = (counts[number + 1] ?? 0) + 1
  }
  for (let at = 1; at < counts.length; at += 1) counts[at] = (counts[at] ?? 0) + (counts[at - 1] ?? 0)
  const starts = counts.slice()
  const bySeries = new Uint32Array(rows.length)
  for (let row = 0; row < rows.length; row += 1) {
    const number = rows.series[row] ?? 0
    const at = starts[number] ?? 0
    bySeries[at] = row
    starts[number] = at + 1
  }
  for (const number of order) {
    const found = [...bySeries.subarray(counts[number], counts[number + 1])]
    if (found.length > 0) yield { key: keys[number] ?? '', rows: found }
  }
}

/** Sorts in place. */
export function sorted(points: KeptPoint[]): KeptPoint[] {
  return points.sort((one, other) => one.startMs - other.startMs || one.stepMs - other.stepMs)
}

/** Points of one time become one. They come sorted. */
export function addUpSame(points: readonly KeptPoint[], kind: MetricKind): KeptPoint[] {
  const added: KeptPoint[] = []
  for (let from = 0; from < points.length;) {
    const { startMs = 0, stepMs = 0 } = points[from] ?? {}
    let to = from + 1
    while (points[to]?.startMs === startMs && points[to]?.stepMs === stepMs) to += 1
    added.push(addUp(points.slice(from, to), { kind, startMs, stepMs }))
    from = to
  }
  return added
}

/** A block for every resolution and slot that gets a point. */
function createWriters({ fs, paths, catalog, retention }: Sealing) {
  const writers = new Map<string, BlockWriter>()

  async function writerOf(resolution: MetricResolution, slotMs: number): Promise<BlockWriter> {
    const name = `${resolution} ${slotMs}`
    const found = writers.get(name)
    if (found !== undefined) return found
    const id = catalog.newId()
    const writer = await createBlockWriter(fs, paths.block(id), { id, resolution, slotMs })
    writers.set(name, writer)
    return writer
  }

  return {
    /** Points are in order of time. */
    async add(resolution: MetricResolution, key: string, points: readonly KeptPoint[]): Promise<void> {
      const widthMs = metricSlotMs(resolution, retention)
      for (let from = 0; from < points.length;) {
        const slotMs = slotStart(points[from]?.startMs ?? 0, widthMs)
        let to = from + 1
        while (to < points.length && (points[to]?.startMs ?? 0) < slotMs + widthMs) to += 1
        const writer = await writerOf(resolution, slotMs)
        await writer.add({ key, points: points.slice(from, to) })
        from = to
      }
    },
    async finish(): Promise<BlockEntry[]> {
      const entries: BlockEntry[] = []
      for (const writer of writers.values()) entries.push(await writer.finish())
      await fs.syncDir(paths.blocks)
      return entries
    },
    async abandon(): Promise<void> {
      for (const writer of writers.values()) await writer.abandon().catch(() => undefined)
    },
  }
}
