import { basename, join } from 'node:path'
import type { BatchKeys } from '../../core/metrics/batch-keys.ts'
import { METRIC_RESOLUTIONS } from '../../core/metrics/types.ts'
import type { Fs, Logger } from '../../core/ports.ts'
import { openFramedFile, scanFrames, type FramedFile } from '../store-embedded/framed-file.ts'
import type { Catalog, LostPart, Paths } from './catalog.ts'
import { replayEntry } from './journal-entry.ts'
import { createSlices } from '../../core/slices.ts'
import { createTable, type Table } from './table.ts'

interface Disk {
  readonly fs: Fs
  readonly paths: Paths
  readonly catalog: Catalog
  readonly log: Logger
  readonly nowMs: number
}

/** What the journals hold that no block does, oldest first; the keys of its batches go into `keys`. */
export async function replayJournals(disk: Disk, keys: BatchKeys): Promise<readonly Table[]> {
  const { fs, paths, catalog } = disk
  const gens = (await fs.list(paths.journals)).map(Number).sort((one, other) => one - other)
  const tables: Table[] = []
  for (const gen of gens) {
    const path = paths.journal(gen)
    if (gen <= catalog.state.sealedGen) await fs.remove(path)
    else tables.push(await replay(gen, disk, keys))
  }
  return tables
}

/** A torn end was never acknowledged; bad bytes before good ones were: the file is kept beside, what is good counts. */
async function replay(
  gen: number,
  { fs, paths, catalog, log, nowMs }: Disk,
  keys: BatchKeys,
): Promise<Table> {
  const path = paths.journal(gen)
  const bytes = await fs.readFile(path)
  const { payloads, damagedBytes } = scanFrames(bytes)
  const table = createTable(gen)
  const pause = createSlices()
  for (const payload of payloads) {
    await pause()
    const { key, atMs } = await replayEntry(payload, table)
    keys.add(key, atMs)
  }
  if (damagedBytes > 0) {
    const aside = `journal-${basename(path)}`
    log.error({ file: path, aside, damagedBytes }, 'a journal of metrics is damaged')
    await fs.replaceFile(join(paths.aside, aside), bytes)
    const lost = lostWith(table, nowMs)
    await catalog.change((state) =>
      state.damaged.includes(aside)
        ? state
        : { ...state, damaged: [...state.damaged, aside], lost: [...state.lost, ...lost] },
    )
  }
  return table
}

/** What a journal's bad bytes may have held, of all widths: times from the first to the last that is in it, or until now; if nothing is good, any. */
function lostWith({ rows: { length, numbers } }: Table, nowMs: number): readonly LostPart[] {
  const times = numbers.startMs.subarray(0, length)
  const fromMs = length === 0 ? 0 : times.reduce((least, time) => Math.min(least, time))
  const toMs = times.reduce((most, time) => Math.max(most, time), nowMs) + 1
  return METRIC_RESOLUTIONS.map((resolution) => ({ resolution, fromMs, toMs }))
}

/** A new journal for a generation. */
export function openJournal({ fs, paths }: Pick<Disk, 'fs' | 'paths'>, gen: number): Promise<FramedFile> {
  return openFramedFile(fs, paths.journal(gen), paths.journals)
}
