import type { Fold, SeriesFold } from '../../core/metrics/fold.ts'
import type { KeptPoint } from '../../core/metrics/kept.ts'
import { metricSlotMs, type Portion } from '../../core/metrics/resolutions.ts'
import type { MetricRetention, Series } from '../../core/metrics/types.ts'
import { seriesOfKey } from '../../core/metrics/wire.ts'
import type { ReadFile, TimeRange } from '../../core/ports.ts'
import { readGroup, readKeys } from './block-format.ts'
import type { Footer, Group, GroupEntry, GroupWants } from './block-format.ts'
import type { BlockEntry } from './block-writer.ts'
import type { Shelf } from './shelf.ts'
import { createSlices } from '../../core/slices.ts'
import { pointAt, type Table } from './table.ts'

/** What there is to read, as it was at one moment. */
export interface Stock {
  readonly tables: readonly Table[]
  readonly blocks: readonly BlockEntry[]
  readonly shelf: Shelf
  readonly retention: MetricRetention
}

/** What all keys of series of a name begin with, see `seriesKey`. */
function keyStart(name: string): string {
  return `[${JSON.stringify(name)},`
}

/** Blocks that have something of a portion. */
function blocksOf({ blocks, retention }: Stock, { resolution, range }: Portion): readonly BlockEntry[] {
  const slotMs = metricSlotMs(resolution, retention)
  return blocks.filter(
    (block) =>
      block.resolution === resolution && block.slotMs < range.toMs && block.slotMs + slotMs > range.fromMs,
  )
}

/** From the start of the first portion to the end of the last one: they have no holes. */
function wholeRange(portions: readonly Portion[]): TimeRange {
  return { fromMs: portions[0]?.range.fromMs ?? 0, toMs: portions.at(-1)?.range.toMs ?? 0 }
}

/** Puts every point of the portions that a fold selects into it. `name` is the name that it selects. */
export async function foldStock(
  stock: Stock,
  { fold, name, portions }: { fold: Fold; name: string; portions: readonly Portion[] },
  signal: AbortSignal,
): Promise<void> {
  const pause = createSlices(signal)
  const start = keyStart(name)
  const selected = (key: string) => fold.series(key, () => seriesOfKey(key))
  for (const table of stock.tables) await foldTable(table, { start, selected, portions, pause })
  for (const portion of portions) {
    for (const block of blocksOf(stock, portion)) {
      await stock.shelf.read(block, async (file, { groups }) => {
        for (const entry of groups.filter((group) => isAt(group, start) && touches(group, portion.range))) {
          await pause()
          const folds: (SeriesFold | null)[] = []
          let sketches = false
          const wants = (key: string) => {
            const one = key.startsWith(start) ? selected(key) : null
            folds.push(one)
            if (one !== null) sketches ||= fold.needsSketch(seriesOfKey(key).kind)
            return one !== null
          }
          const group = await readGroup(file, entry, {
            wants,
            wantsSketches: () => sketches,
            wantsNumber: (number) => fold.needsNumber(number),
          })
          if (group !== null) await foldGroup(group, { folds, range: portion.range, pause })
        }
      })
    }
  }
}

interface TableAsk {
  readonly start: string
  readonly selected: (key: string) => SeriesFold | null
  readonly portions: readonly Portion[]
  readonly pause: () => Promise<void> | undefined
}

/** Rows that are looked at between two looks at the clock. */
const ROWS_AT_ONCE = 4_096

async function foldTable(table: Table, { start, selected, portions, pause }: TableAsk): Promise<void> {
  const { rows } = table
  const folds = table.keys.map((key) => (key.startsWith(start) ? selected(key) : null))
  if (folds.every((one) => one === null)) return
  const { fromMs, toMs } = wholeRange(portions)
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    await pause()
    for (let row = from; row < Math.min(rows.length, from + ROWS_AT_ONCE); row += 1) {
      const one = folds[rows.series[row] ?? 0]
      const startMs = rows.numbers.startMs[row] ?? 0
      if (one && startMs >= fromMs && startMs < toMs) one.add(pointAt(rows, row), true)
    }
  }
}

interface GroupAsk {
  /** Of each series of the group. */
  readonly folds: readonly (SeriesFold | null)[]
  readonly range: TimeRange
  readonly pause: () => Promise<void> | undefined
}

async function foldGroup({ ends, columns, sketch }: Group, { folds, range, pause }: GroupAsk): Promise<void> {
  const { startMs, stepMs, count, sum, min, max, last, lastMs } = columns
  /** A fold keeps nothing of a point but its sketch: one is enough for all. */
  const point: { -readonly [Name in keyof KeptPoint]: KeptPoint[Name] } = {
    startMs: 0, stepMs: 0, count: 0, sum: 0, min: 0, max: 0, last: 0, lastMs: 0, sketch: null,
  } // prettier-ignore
  for (const [index, one] of folds.entries()) {
    if (one === null) continue
    await pause()
    for (let at = ends[index - 1] ?? 0; at < (ends[index] ?? 0); at += 1) {
      const time = startMs[at] ?? 0
      if (time < range.fromMs || time >= range.toMs) continue
      point.startMs = time
      point.stepMs = stepMs[at] ?? 0
      point.count = count[at] ?? 0
      point.sum = sum[at] ?? 0
      point.min = min[at] ?? 0
      point.max = max[at] ?? 0
      point.last = last[at] ?? 0
      point.lastMs = lastMs[at] ?? 0
      point.sketch = sketch(at)
      one.add(point, true)
    }
  }
}

/** Whether a group has keys that begin with `start`, or may have them. */
function isAt({ firstKey, lastKey }: GroupEntry, start: string): boolean {
  return lastKey >= start && (firstKey < start || firstKey.startsWith(start))
}

function touches({ firstMs, lastMs }: GroupEntry, { fromMs, toMs }: TimeRange): boolean {
  return firstMs < toMs && lastMs >= fromMs
}

/** The different series with a point in the portions whose name is `name` (null: any) and that `selects` selects. */
export async function seriesOfStock(
  stock: Stock,
  ask: { name: string | null; selects: (series: Series) => boolean; portions: readonly Portion[] },
  signal: AbortSignal,
): Promise<Series[]> {
  const { name, selects, portions } = ask
  const pause = createSlices(signal)
  const start = name === null ? '' : keyStart(name)
  const found = new Map<string, Series | null>()
  const meet = (key: string) => {
    if (!key.startsWith(start) || found.has(key)) return
    const series = seriesOfKey(key)
    found.set(key, selects(series) ? series : null)
  }
  for (const table of stock.tables) for (const key of keysIn(table, wholeRange(portions))) meet(key)
  for (const portion of portions) {
    for (const block of blocksOf(stock, portion)) {
      await stock.shelf.read(block, (file, footer) =>
        meetKeys(file, footer, { start, range: portion.range, meet, pause }),
      )
    }
  }
  return [...found.values()].filter((series) => series !== null)
}

function keysIn({ keys, rows }: Table, { fromMs, toMs }: TimeRange): readonly string[] {
  const isIn = new Uint8Array(keys.length)
  for (let row = 0; row < rows.length; row += 1) {
    const startMs = rows.numbers.startMs[row] ?? 0
    if (startMs >= fromMs && startMs < toMs) isIn[rows.series[row] ?? 0] = 1
  }
  return keys.filter((_, number) => isIn[number] === 1)
}

interface KeysAsk {
  readonly start: string
  readonly range: TimeRange
  readonly meet: (key: string) => void
  readonly pause: () => Promise<void> | undefined
}

const TIMES_ONLY: GroupWants = { wants: () => true, wantsSketches: () => false, wantsNumber: () => false }

async function meetKeys(file: ReadFile, { groups }: Footer, ask: KeysAsk): Promise<void> {
  const { start, range, meet, pause } = ask
  for (const entry of groups) {
    if (!touches(entry, range) || (start !== '' && !isAt(entry, start))) continue
    await pause()
    if (entry.firstMs >= range.fromMs && entry.lastMs < range.toMs) {
      for (const key of await readKeys(file, entry)) meet(key)
      continue
    }
    const group = await readGroup(file, entry, TIMES_ONLY)
    for (const [index, key] of group?.keys.entries() ?? []) {
      const times = group?.columns.startMs.subarray(group.ends[index - 1] ?? 0, group.ends[index]) ?? []
      if (times.some((time) => time >= range.fromMs && time < range.toMs)) meet(key)
    }
  }
}
