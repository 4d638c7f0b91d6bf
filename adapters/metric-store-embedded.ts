import { messageOf, ServiceError } from '../core/errors.ts'
import { createBatchKeys, type BatchKeys } from '../core/metrics/batch-keys.ts'
import { compileSelection, isNameFor, listNames, listTags } from '../core/metrics/discovery.ts'
import { createFold } from '../core/metrics/fold.ts'
import { metricOldestMs, portionsOf, resolutionFor, type Portion } from '../core/metrics/resolutions.ts'
import { createSeriesLimit, type SeriesLimit } from '../core/metrics/series-limit.ts'
import type { MetricResolution, MetricRetention, MetricStoreStats } from '../core/metrics/types.ts'
import type { Clock, Fs, Logger, MetricStore, TimeRange } from '../core/ports.ts'
import { createAppender, type Generation } from './metric-store-embedded/appender.ts'
import { foldStock, seriesOfStock, type Stock } from './metric-store-embedded/asking.ts'
import { readKeys } from './metric-store-embedded/block-format.ts'
import { openCatalog, pathsOf, type Catalog, type Paths } from './metric-store-embedded/catalog.ts'
import { openJournal, replayJournals } from './metric-store-embedded/journal.ts'
import { createShelf, type Shelf } from './metric-store-embedded/shelf.ts'
import {
  createTable,
  TABLE_POINTS_MAX,
  TABLE_SKETCH_BYTES_MAX,
  type Table,
} from './metric-store-embedded/table.ts'
import { createUpkeep, type Upkeep } from './metric-store-embedded/upkeep.ts'

/** Points are sealed after so long, also when they are few. */
const SEAL_EVERY_MS = 600_000
const UPKEEP_EVERY_MS = 60_000
/** Tables that wait to be sealed; when there are more, appending waits. */
const FROZEN_TABLES_MAX = 1
const DAY_MS = 86_400_000

export interface EmbeddedMetricStoreOptions {
  /** Folder of its own. */
  readonly dir: string
  readonly retention: MetricRetention
  /** Series of a day. */
  readonly seriesMax: number
  readonly clock: Clock
  readonly fs: Fs
  readonly log: Logger
  /** Points that are kept in memory before they are sealed. */
  readonly tablePointsMax?: number
}

/** What everything stands on. */
interface Ground extends EmbeddedMetricStoreOptions {
  readonly paths: Paths
  readonly catalog: Catalog
  readonly shelf: Shelf
  readonly keys: BatchKeys
  readonly limit: SeriesLimit
  readonly upkeep: Upkeep
  readonly frozen: Table[]
  current: Generation
  sealedAtMs: number
  readonly counts: { refused: number; expired: number }
}

/** Keeps metrics in files of its own. Throws DATA_DIR_IN_USE, and DATA_CORRUPT for a catalog that cannot be read. */
export async function openEmbeddedMetricStore(options: EmbeddedMetricStoreOptions): Promise<MetricStore> {
  const { fs, dir } = options
  await fs.mkdir(dir)
  const lock = await fs.lock(dir)
  const closing = new AbortController()
  try {
    return createStore(await prepare(options, closing.signal), { closing, release: () => lock.release() })
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function prepare(options: EmbeddedMetricStoreOptions, signal: AbortSignal): Promise<Ground> {
  const { fs, dir, clock, log, seriesMax } = options
  const paths = pathsOf(dir)
  for (const folder of [paths.journals, paths.blocks, paths.aside]) await fs.mkdir(folder)
  const catalog = await openCatalog(fs, paths.catalog)
  await removeStrangers(fs, paths, catalog)
  const keys = createBatchKeys(catalog.state.keys)
  const shelf = createShelf({ fs, paths, catalog, log, retention: options.retention })
  const disk = { fs, paths, catalog, log }
  const frozen = [...(await replayJournals({ ...disk, nowMs: clock.nowMs() }, keys))]
  const limit = createSeriesLimit(seriesMax)
  await countSeries(limit, { catalog, shelf, frozen, nowMs: clock.nowMs() })
  const gen = (frozen.at(-1)?.gen ?? catalog.state.sealedGen) + 1
  const current = { table: createTable(gen), journal: await openJournal(disk, gen), seriesWritten: 0 }
  const upkeep = createUpkeep({ ...options, ...disk, keys, shelf, frozen, signal })
  const counts = { refused: 0, expired: 0 }
  const sealedAtMs = clock.monotonicMs()
  return { ...options, paths, catalog, shelf, keys, limit, upkeep, frozen, current, sealedAtMs, counts }
}

/** Files that no catalog names are of interrupted work, or were replaced. */
async function removeStrangers(fs: Fs, paths: Paths, { state }: Catalog): Promise<void> {
  const known = new Set(state.blocks.map(({ id }) => `${id}`))
  for (const name of await fs.list(paths.blocks)) {
    if (!known.has(name)) await fs.remove(paths.block(Number(name)))
  }
}

/** Counts today's series as far as the files tell: by the time of their points. */
async function countSeries(
  limit: SeriesLimit,
  ground: Pick<Ground, 'catalog' | 'shelf' | 'frozen'> & { nowMs: number },
): Promise<void> {
  const { catalog, shelf, frozen, nowMs } = ground
  const todayMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  for (const { keys } of frozen) for (const key of keys) limit.admits(key, nowMs)
  for (const block of catalog.state.blocks) {
    if (block.resolution !== 'hour' || block.slotMs < todayMs) continue
    await shelf.read(block, async (file, { groups }) => {
      for (const entry of groups) for (const key of await readKeys(file, entry)) limit.admits(key, nowMs)
    })
  }
}

function createStore(
  ground: Ground,
  { closing, release }: { closing: AbortController; release: () => Promise<void> },
): MetricStore {
  const { retention, clock, limit, upkeep, shelf, keys, counts, catalog } = ground
  const oldestOf = (resolution: MetricResolution) => metricOldestMs(resolution, retention, clock.nowMs())
  const oldestOfAll = () => ({ raw: oldestOf('raw'), minute: oldestOf('minute'), hour: oldestOf('hour') })
  const appender = createAppender({
    keys,
    nowMs: () => clock.nowMs(),
    generation: () => generationOf(ground),
    oldestMs: () => oldestOf('raw'),
    admits: (key) => limit.admits(key, clock.nowMs()),
    counts,
  })
  let working: Promise<void> = ground.frozen.length > 0 ? upkeep.run() : Promise.resolve()
  let waiting = false
  let cancelTimer = clock.after(UPKEEP_EVERY_MS, tick)

  /** When the one before still works, one more waits for it, and no third. */
  function tick(): void {
    cancelTimer = clock.after(UPKEEP_EVERY_MS, tick)
    if (waiting) return
    waiting = true
    working = working.then(workOff)
  }

  async function workOff(): Promise<void> {
    waiting = false
    if (closing.signal.aborted) return
    try {
      await appender.between(() => exchangeIfDue(ground))
    } catch (error) {
      ground.log.warn({ problem: messageOf(error) }, 'metrics cannot be sealed')
    }
    await upkeep.run()
  }

  function assertOpen(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (closing.signal.aborted) throw new ServiceError('SHUTTING_DOWN', 'the metric store is closed')
  }

  /** Without waiting: no point is seen in two places. */
  const stock = (): Stock => ({
    tables: [...ground.frozen, ground.current.table].map(asItIs),
    blocks: ground.catalog.state.blocks,
    shelf,
    retention,
  })

  return {
    async append(batch, signal) {
      assertOpen(signal)
      return appender.append(batch, signal)
    },
    async query(query, signal) {
      assertOpen(signal)
      const fold = createFold(query)
      const resolution = resolutionFor(query.stepMs)
      const { portions, oldestMs } = portionsOf(query.range, resolution, oldestOfAll())
      const read = stock()
      await shelf.using(() => foldStock(read, { fold, name: query.name, portions }, signal))
      return { ...(await fold.result(signal)), resolution, oldestMs, damaged: damagedOf(catalog, portions) }
    },
    async names({ prefix, range, limit: namesMax }, signal) {
      assertOpen(signal)
      const { portions } = portionsOf(range, 'hour', oldestOfAll())
      const ask = { name: null, selects: ({ name }: { name: string }) => isNameFor(name, prefix), portions }
      const read = stock()
      return listNames(await shelf.using(() => seriesOfStock(read, ask, signal)), namesMax)
    },
    async tags({ limit: valuesMax, ...selection }, signal) {
      assertOpen(signal)
      const { portions } = portionsOf(selection.range, 'hour', oldestOfAll())
      const ask = { name: selection.name, selects: compileSelection(selection), portions }
      const read = stock()
      return listTags(await shelf.using(() => seriesOfStock(read, ask, signal)), valuesMax)
    },
    async stats() {
      assertOpen()
      return statsOf(ground, stock())
    },
    async purge() {
      assertOpen()
      await upkeep.purge()
    },
    async close() {
      if (closing.signal.aborted) return
      closing.abort(new ServiceError('SHUTTING_DOWN', 'the metric store is closing'))
      cancelTimer()
      await appender.idle()
      await working
      await upkeep.idle()
      await ground.current.journal.close()
      await release()
    },
  }
}

/** Where points are missing from what was read. Asked for after reading, which may find a damage. */
function damagedOf({ state }: Catalog, portions: readonly Portion[]): readonly TimeRange[] {
  const found = portions.flatMap(({ resolution, range }) =>
    state.lost
      .filter((part) => part.resolution === resolution)
      .map((part) => ({
        fromMs: Math.max(part.fromMs, range.fromMs),
        toMs: Math.min(part.toMs, range.toMs),
      })),
  )
  return joined(found.filter(({ fromMs, toMs }) => fromMs < toMs))
}

/** In order of their starts; those that overlap or touch together. */
function joined(ranges: readonly TimeRange[]): readonly TimeRange[] {
  const runs: TimeRange[] = []
  for (const { fromMs, toMs } of ranges.toSorted((one, other) => one.fromMs - other.fromMs)) {
    const last = runs.at(-1)
    if (last === undefined || fromMs > last.toMs) runs.push({ fromMs, toMs })
    else runs[runs.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, toMs) }
  }
  return runs
}

/** A table as it is now: rows that are added later are not seen. */
function asItIs(table: Table): Table {
  return { ...table, rows: { ...table.rows } }
}

/** Where to write to. A full table is exchanged first; when sealing does not keep up, that is waited for. */
async function generationOf(ground: Ground): Promise<Generation> {
  const { current, frozen, upkeep, tablePointsMax = TABLE_POINTS_MAX } = ground
  const { rows, sketchBytes } = current.table
  if (rows.length < tablePointsMax && sketchBytes < TABLE_SKETCH_BYTES_MAX) return current
  if (frozen.length > FROZEN_TABLES_MAX) await upkeep.seal()
  await exchange(ground)
  void upkeep.run()
  return ground.current
}

async function exchangeIfDue(ground: Ground): Promise<void> {
  const isDue = ground.clock.monotonicMs() - ground.sealedAtMs >= SEAL_EVERY_MS
  if (isDue && ground.current.table.rows.length > 0) await exchange(ground)
}

async function exchange(ground: Ground): Promise<void> {
  const before = ground.current
  const gen = before.table.gen + 1
  const journal = await openJournal(ground, gen)
  ground.current = { table: createTable(gen), journal, seriesWritten: 0 }
  ground.frozen.push(before.table)
  ground.sealedAtMs = ground.clock.monotonicMs()
  await before.journal.close()
}

async function statsOf(ground: Ground, { tables, blocks }: Stock): Promise<MetricStoreStats> {
  const { fs, paths, limit, catalog, counts } = ground
  let bytesOnDisk = blocks.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { gen } of tables) bytesOnDisk += (await fs.size(paths.journal(gen))) ?? 0
  const statsOfWidth = (resolution: MetricResolution) => {
    const kept = blocks.filter((block) => block.resolution === resolution)
    const rows = resolution === 'raw' ? tables.map((table) => table.rows) : []
    const times = [
      ...kept.map(({ firstMs }) => firstMs),
      ...rows.map(({ numbers, length }) =>
        numbers.startMs.subarray(0, length).reduce((least, time) => Math.min(least, time), Infinity),
      ),
    ]
    const oldestMs = Math.min(Infinity, ...times)
    return {
      points: [...kept.map(({ points }) => points), ...rows.map(({ length }) => length)].reduce(
        (a, b) => a + b,
        0,
      ),
      oldestMs: oldestMs === Infinity ? null : oldestMs,
    }
  }
  return {
    series: limit.size,
    bytesOnDisk,
    resolutions: { raw: statsOfWidth('raw'), minute: statsOfWidth('minute'), hour: statsOfWidth('hour') },
    ...counts,
    damaged: catalog.state.damaged,
  }
}
