import { basename } from 'node:path'
import { emptyLedger } from '../../core/ledger/apply.ts'
import type { LedgerDocument } from '../../core/ledger/types.ts'
import type { Fs } from '../../core/ports.ts'
import type { Purged } from '../store-purged.ts'
import { EMPTY_CATALOG, decodeCatalogEntry, openCatalog, withEntry } from './catalog.ts'
import type { Catalog, CatalogEntry, CatalogState, SegmentEntry, SegmentFacts } from './catalog.ts'
import {
  SEGMENT_FILES,
  checksum,
  moveAside,
  numbersOf,
  pathsOf,
  problemOfFile,
  readFrames,
  segmentOfName,
} from './files.ts'
import type { FileSum, Paths, SegmentFile } from './files.ts'
import { EMPTY_BYTES, encodeFile, openFramedFile } from './framed-file.ts'
import { decodeEntry, encodeEntry } from './wal-entry.ts'
import type { WalEntry } from './wal-entry.ts'

/**
 * What is durable, in one directory:
 *
 *     wal/<gen>.wal            batches and ledger notes of one generation, until it is sealed
 *     seg/<id>.parquet         the records of a segment; beside it <id>.index and <id>.rollup.parquet
 *     seg/….tmp                a draft: it counts only if the catalog has its segment; then it only waits for its name
 *     catalog                  what became of generations and segments; writing it is the commit of a seal, compaction or purge
 *     ledger                   ledger state up to the end of generation `gen`, and the highest position given by then
 *     aside/                   damaged files, kept for a person
 *
 * A generation in the catalog needs no WAL; any other one is rebuilt from it. What generations up to the ledger's own did to the
 * ledger is in it already. A file loses its draft name only after the commit, so that a whole file which the catalog does not know
 * is never the rest of something interrupted. Every step may be interrupted and done again.
 */

/** Ledger state at the end of a generation, with everything of it applied. */
export interface LedgerSnapshot {
  readonly gen: number
  readonly position: number
  readonly ledger: LedgerDocument
}

/** A generation that is not sealed, with what its WAL holds. */
export interface Unsealed {
  readonly gen: number
  readonly entries: readonly WalEntry[]
  readonly walBytes: number
}

export interface Wal {
  readonly size: number
  /** Nothing was ever appended. */
  readonly isEmpty: boolean
  /** Durable when it resolves; when it rejects nothing is kept, and the next call can succeed. */
  append(entries: readonly WalEntry[]): Promise<void>
  close(): Promise<void>
}

/** A file that is put aside; when it was noticed is added as it goes into the catalog. */
type Damage = Omit<Extract<CatalogEntry, { type: 'aside' }>, 'atMs'>

export type PurgeEntry = Omit<Extract<CatalogEntry, { type: 'purged' }>, 'type'>

export interface Journal {
  readonly state: CatalogState
  /** As it was found. */
  readonly snapshot: LedgerSnapshot
  /** Oldest first. */
  readonly unsealed: readonly Unsealed[]
  readonly nextGen: number
  /** An id that was never given, not even to a draft that came to nothing. */
  newSegment(): number
  /** Where a file of a segment in the catalog is. */
  path(id: number, file: SegmentFile): string
  /** Where a file is written before the catalog knows its segment. */
  draft(id: number, file: SegmentFile): string
  writeDraft(id: number, file: SegmentFile, bytes: Uint8Array): Promise<void>
  /** Removes the drafts of a segment that came to nothing; what fails is done at the next start. */
  discard(id: number): Promise<void>
  /** Opens the WAL of a generation behind its first `bytes`. */
  openWal(gen: number, bytes?: number): Promise<Wal>
  /** Makes a generation durable without its WAL: its drafts become segments. May be repeated. */
  seal(
    gen: number,
    made: { readonly segments: readonly SegmentFacts[]; readonly expired: readonly Purged[] },
    snapshot: LedgerSnapshot,
  ): Promise<readonly SegmentEntry[]>
  removeWal(gen: number): Promise<void>
  /** A draft takes the place of these segments; null, and nothing happens, when one of them is not in the catalog any more. */
  compact(removed: readonly SegmentEntry[], made: SegmentFacts): Promise<SegmentEntry | null>
  /** In one step; segments that left meanwhile stay out of it. */
  purge(decide: (state: CatalogState) => readonly PurgeEntry[]): Promise<readonly PurgeEntry[]>
  /** Removes the files of segments that left the catalog. */
  removeFiles(ids: readonly number[]): Promise<void>
  /** What is wrong with a file of the segment, if anything; reads all of it. */
  problemOf(segment: SegmentEntry, file: SegmentFile): Promise<string | undefined>
  /** The draft of a sidecar or roll-up takes the place of the one there is. */
  rebuild(segment: SegmentEntry, file: 'index' | 'rollup', rollups: readonly string[]): Promise<void>
  /** Stops serving a damaged segment and puts its files beside. */
  putAside(segment: SegmentEntry, problem: string): Promise<void>
  close(): Promise<void>
}

/** Opens the journal of a locked directory: cuts torn ends, puts damage beside, removes what interrupted work left. */
export async function openJournal(fs: Fs, dir: string, nowMs: () => number): Promise<Journal> {
  const paths = pathsOf(dir)
  for (const folder of [paths.wal, paths.seg, paths.aside]) await fs.mkdir(folder)
  const found = await readAll(fs, paths)
  const file = { path: paths.catalog, folder: dir, bytes: found.catalogBytes }
  const catalog = await openCatalog(fs, file, found.state)
  const atMs = nowMs()
  if (found.damage.length > 0) await catalog.record(() => found.damage.map((entry) => ({ ...entry, atMs })))
  catalog.forget(found.gone)
  const files = createSegmentFiles(fs, paths, catalog, nowMs)
  await files.finishNames()
  let lastId = found.lastId
  return {
    get state() {
      return catalog.state
    },
    snapshot: found.snapshot,
    unsealed: found.unsealed,
    nextGen: found.nextGen,
    newSegment: () => (lastId += 1),
    openWal: async (gen, bytes) => walOver(await openFramedFile(fs, paths.walFile(gen), paths.wal, bytes)),
    async removeWal(gen) {
      await fs.remove(paths.walFile(gen))
      await fs.syncDir(paths.wal)
      catalog.forget({ gens: [gen] })
    },
    async seal(gen, { segments, expired }, snapshot) {
      const entries = await files.publish(segments)
      await fs.replaceFile(paths.ledger, encodeFile([Buffer.from(JSON.stringify(snapshot))]))
      const sealed: CatalogEntry = { type: 'sealed', gen, segments: entries, expired }
      await catalog.record(
        () => [sealed],
        () => files.name(entries),
      )
      return entries
    },
    async compact(removed, made) {
      const [segment] = await files.publish([made])
      if (segment === undefined) return null
      const ids = removed.map(({ id }) => id)
      const compacted: CatalogEntry = { type: 'compacted', removed: ids, segment }
      const done = await catalog.record(
        ({ segments }) => {
          const there = new Set(segments.map(({ id }) => id))
          return ids.every((id) => there.has(id)) ? [compacted] : null
        },
        () => files.name([segment]),
      )
      return done ? segment : null
    },
    async purge(decide) {
      let went: readonly PurgeEntry[] = []
      await catalog.record((state) => {
        went = decide(state)
        return went.length === 0 ? null : went.map((entry) => ({ type: 'purged', ...entry }))
      })
      return went
    },
    ...files.journal,
    close: () => catalog.close(),
  }
}

type SegmentFilesPart = Pick<
  Journal,
  'path' | 'draft' | 'writeDraft' | 'discard' | 'removeFiles' | 'problemOf' | 'rebuild' | 'putAside'
>

/** The files of segments, from draft to removal. */
function createSegmentFiles(fs: Fs, paths: Paths, catalog: Catalog, nowMs: () => number) {
  /** Files of segments in the catalog that could not be given their names; the next start does it. */
  const unnamed = new Set<string>()

  const path = (id: number, file: SegmentFile): string =>
    unnamed.has(paths.segment(id, file)) ? paths.draft(id, file) : paths.segment(id, file)

  async function sumOf(path: string): Promise<FileSum> {
    await fs.syncFile(path)
    return checksum(fs, path)
  }

  async function entryOf(facts: SegmentFacts): Promise<SegmentEntry> {
    const { id, rollups } = facts
    const parquet = await sumOf(paths.draft(id, 'parquet'))
    const index = await sumOf(paths.draft(id, 'index'))
    const rollup = rollups.length === 0 ? null : await sumOf(paths.draft(id, 'rollup'))
    return withSums({ ...facts, bytes: 0, files: { parquet, index, rollup } })
  }

  async function nameFile(id: number, file: SegmentFile): Promise<void> {
    await fs.rename(paths.draft(id, file), paths.segment(id, file))
  }

  async function putAside(segment: SegmentEntry, problem: string): Promise<void> {
    const { id, records, minMs, maxMs } = segment
    const parquet = path(id, 'parquet')
    for (const file of SEGMENT_FILES)
      if ((await fs.size(path(id, file))) !== null) await moveAside(fs, path(id, file), paths)
    await catalog.record(({ segments }) => {
      if (!segments.some((other) => other.id === id)) return null
      const aside = asideEntry(basename(parquet), problem)
      return [{ ...aside, segment: id, records, fromMs: minMs, toMs: maxMs + 1, atMs: nowMs() }]
    })
  }

  const journal: SegmentFilesPart = {
    path,
    draft: paths.draft,
    async writeDraft(id, file, bytes) {
      const written = await fs.openAppend(paths.draft(id, file))
      try {
        await written.write(bytes)
      } finally {
        await written.close()
      }
    },
    async discard(id) {
      for (const file of SEGMENT_FILES) await fs.remove(paths.draft(id, file)).catch(() => undefined)
    },
    async removeFiles(ids) {
      for (const id of ids) for (const file of SEGMENT_FILES) await fs.remove(path(id, file))
      await fs.syncDir(paths.seg)
      catalog.forget({ ids })
    },
    async problemOf({ id, files }, file) {
      const sum = files[file]
      return sum === null ? undefined : problemOfFile(fs, path(id, file), sum)
    },
    async rebuild(segment, file, rollups) {
      const { id } = segment
      const made = file === 'rollup' && rollups.length === 0 ? null : await sumOf(paths.draft(id, file))
      if (made === null) await fs.remove(path(id, file))
      else {
        await nameFile(id, file)
        unnamed.delete(paths.segment(id, file))
      }
      await fs.syncDir(paths.seg)
      await catalog.record(({ segments }) => {
        const now = segments.find((other) => other.id === id)
        if (now === undefined) return null
        const files = { ...now.files, [file]: made }
        return [{ type: 'rebuilt', segment: withSums({ ...now, rollups, files }) }]
      })
    },
    putAside,
  }

  return {
    journal,
    async publish(segments: readonly SegmentFacts[]): Promise<readonly SegmentEntry[]> {
      const entries: SegmentEntry[] = []
      for (const facts of segments) entries.push(await entryOf(facts))
      if (entries.length > 0) await fs.syncDir(paths.seg)
      return entries
    },
    /** After the commit: nothing may fail any more. */
    async name(segments: readonly SegmentEntry[]): Promise<void> {
      for (const { id, files } of segments) {
        for (const file of SEGMENT_FILES) {
          if (files[file] === null) continue
          await nameFile(id, file).catch(() => unnamed.add(paths.segment(id, file)))
        }
      }
    },
    /** At start: names what was committed and puts aside what is not there as it was written. */
    async finishNames(): Promise<void> {
      const names = new Set(await fs.list(paths.seg))
      for (const segment of catalog.state.segments) {
        for (const file of SEGMENT_FILES) {
          const isNamed = names.has(basename(paths.segment(segment.id, file)))
          const hasDraft = names.has(basename(paths.draft(segment.id, file)))
          if (hasDraft && !isNamed) await nameFile(segment.id, file)
          else if (hasDraft) await fs.remove(paths.draft(segment.id, file))
        }
        const bytes = await fs.size(paths.segment(segment.id, 'parquet'))
        if (bytes !== segment.files.parquet.bytes)
          await putAside(segment, bytes === null ? 'missing' : 'wrong length')
      }
    },
  }
}

function withSums(segment: SegmentEntry): SegmentEntry {
  const { parquet, index, rollup } = segment.files
  return { ...segment, bytes: parquet.bytes + index.bytes + (rollup?.bytes ?? 0) }
}

interface Found {
  readonly state: CatalogState
  readonly catalogBytes: number
  readonly snapshot: LedgerSnapshot
  readonly unsealed: readonly Unsealed[]
  readonly nextGen: number
  readonly lastId: number
  /** Noticed just now; not in the catalog yet. */
  readonly damage: readonly Damage[]
  /** What nobody has to remember any more. */
  readonly gone: { readonly gens: readonly number[]; readonly ids: readonly number[] }
}

async function readAll(fs: Fs, paths: Paths): Promise<Found> {
  const damage: Damage[] = []
  const catalog = await readFrames(fs, paths.catalog, paths)
  const state = catalog.payloads.map(decodeCatalogEntry).reduce(withEntry, EMPTY_CATALOG)
  if (catalog.damaged) damage.push(asideEntry('catalog', 'segments are missing from it'))
  const snapshot = await readLedger(fs, paths, damage)
  const walGens = numbersOf(await fs.list(paths.wal), '.wal')
  const sealed = new Set(state.sealed)
  const unsealed: Unsealed[] = []
  for (const gen of walGens) {
    if (sealed.has(gen)) await fs.remove(paths.walFile(gen))
    else unsealed.push(await readWal(fs, paths, gen, damage))
  }
  await fs.syncDir(paths.wal)
  const lastId = await clearSegments(fs, paths, state, damage)
  return {
    state,
    catalogBytes: catalog.end,
    snapshot,
    unsealed,
    nextGen: Math.max(0, snapshot.gen, state.lastGen, ...walGens) + 1,
    lastId,
    damage,
    gone: { gens: state.sealed, ids: state.removed },
  }
}

async function readLedger(fs: Fs, paths: Paths, damage: Damage[]): Promise<LedgerSnapshot> {
  const { payloads, damaged, bytes } = await readFrames(fs, paths.ledger, paths)
  const [saved] = payloads
  if (damaged || (saved === undefined && bytes > 0))
    damage.push(asideEntry('ledger', 'what was stored before is not known any more'))
  if (saved === undefined) return { gen: 0, position: 0, ledger: emptyLedger() }
  return JSON.parse(saved.toString('utf8')) as LedgerSnapshot
}

async function readWal(fs: Fs, paths: Paths, gen: number, damage: Damage[]): Promise<Unsealed> {
  const path = paths.walFile(gen)
  const { payloads, end, damaged } = await readFrames(fs, path, paths)
  const entries = payloads.map(decodeEntry)
  if (damaged)
    damage.push({ ...asideEntry(basename(path), 'frames in it are damaged'), ...missingIn(entries) })
  return { gen, entries, walBytes: end }
}

/** How many records the holes between positions stand for, and the times around them. */
function missingIn(entries: readonly WalEntry[]): { records: number; fromMs: number; toMs: number } {
  let records = 0
  let next: number | undefined
  const facts = entries.flatMap((entry) => (entry.type === 'batch' ? entry.batch.facts : []))
  for (const entry of entries) {
    if (entry.type !== 'batch') continue
    records += entry.firstPosition - (next ?? entry.firstPosition)
    next = entry.firstPosition + entry.batch.records
  }
  const fromMs = facts.reduce((min, batch) => Math.min(min, batch.fromMs), facts[0]?.fromMs ?? 0)
  return { records, fromMs, toMs: facts.reduce((max, batch) => Math.max(max, batch.toMs + 1), fromMs) }
}

/**
 * Removes drafts that no catalog entry stands for and the files of segments that left. Whole files of any other segment are put
 * beside: the catalog has lost them. Gives the highest id that was ever used, as far as can be seen.
 */
async function clearSegments(
  fs: Fs,
  paths: Paths,
  { segments, removed, lastId }: CatalogState,
  damage: Damage[],
): Promise<number> {
  const known = new Set(segments.map(({ id }) => id))
  const left = new Set(removed)
  let highest = Math.max(lastId, ...removed)
  for (const name of await fs.list(paths.seg)) {
    const found = segmentOfName(name)
    if (found === null) continue
    const { id, file, isDraft } = found
    highest = Math.max(highest, id)
    if (known.has(id)) continue
    const path = isDraft ? paths.draft(id, file) : paths.segment(id, file)
    if (isDraft || left.has(id)) await fs.remove(path)
    else {
      await moveAside(fs, path, paths)
      if (file === 'parquet') damage.push(asideEntry(basename(path), 'it is not in the catalog'))
    }
  }
  await fs.syncDir(paths.seg)
  return highest
}

function asideEntry(file: string, problem: string): Damage {
  return { type: 'aside', segment: null, file, problem, fromMs: 0, toMs: 0, records: 0 }
}

function walOver(file: Awaited<ReturnType<typeof openFramedFile>>): Wal {
  return {
    get size() {
      return file.size
    },
    get isEmpty() {
      return file.size <= EMPTY_BYTES
    },
    append: (entries) => file.append(entries.map(encodeEntry)),
    close: () => file.close(),
  }
}
