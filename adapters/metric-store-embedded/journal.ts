import { basename, join } from 'node:path'
import type { BatchKeys } from '../../core/metrics/batch-keys.ts'
import type { Fs, Logger } from '../../core/ports.ts'
import { openFramedFile, scanFrames, type FramedFile } from '../store-embedded/framed-file.ts'
import type { Catalog, Paths } from './catalog.ts'
import { replayEntry } from './journal-entry.ts'
import { createSlices } from './slices.ts'
import { createTable, type Table } from './table.ts'

interface Disk {
  readonly fs: Fs
  readonly paths: Paths
  readonly catalog: Catalog
  readonly log: Logger
}

/** What the journals hold that no block does, oldest first; the keys of its batches go into `keys`. */
export async function replayJournals(
  { fs, paths, catalog, log }: Disk,
  keys: BatchKeys,
): Promise<readonly Table[]> {
  const gens = (await fs.list(paths.journals)).map(Number).sort((one, other) => one - other)
  const tables: Table[] = []
  for (const gen of gens) {
    const path = paths.journal(gen)
    if (gen <= catalog.state.sealedGen) await fs.remove(path)
    else tables.push(await replay(gen, { fs, paths, catalog, log }, keys))
  }
  return tables
}

/** A torn end was never acknowledged; bad bytes before good ones were: the file is kept beside, what is good counts. */
async function replay(gen: number, { fs, paths, catalog, log }: Disk, keys: BatchKeys): Promise<Table> {
  const path = paths.journal(gen)
  const bytes = await fs.readFile(path)
  const { payloads, damagedBytes } = scanFrames(bytes)
  const table = createTable(gen)
  const pause = createSlices()
  for (const payload of payloads) {
    await pause()
    const { key, atMs } = replayEntry(payload, table)
    keys.add(key, atMs)
  }
  if (damagedBytes > 0) {
    const aside = `journal-${basename(path)}`
    log.error({ file: path, aside, damagedBytes }, 'a journal of metrics is damaged')
    await fs.replaceFile(join(paths.aside, aside), bytes)
    await catalog.change((state) =>
      state.damaged.includes(aside) ? state : { ...state, damaged: [...state.damaged, aside] },
    )
  }
  return table
}

/** A new journal for a generation. */
export function openJournal({ fs, paths }: Disk, gen: number): Promise<FramedFile> {
  return openFramedFile(fs, paths.journal(gen), paths.journals)
}
