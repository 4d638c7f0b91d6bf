import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { emptyLedger } from '../../core/ledger/apply.ts'
import type { LedgerDocument } from '../../core/ledger/types.ts'
import type { Fs, StoreStats } from '../../core/ports.ts'
import { EMPTY_BYTES, encodeFile, openFramedFile, readIfThere, scanFrames } from './framed-file.ts'
import { decodeEntry, encodeEntry } from './wal-entry.ts'
import type { WalEntry } from './wal-entry.ts'

/**
 * What is durable, in one directory:
 *
 *     wal/<gen>.wal      batches and ledger notes of one generation, until it is sealed
 *     seg/<gen>.parquet  the records of a sealed generation
 *     catalog            an entry for every segment; writing it is the commit of a seal
 *     ledger             ledger state up to the end of generation `gen`, and the highest position given by then
 *     aside/             damaged files, kept for a person
 *
 * A generation in the catalog needs no WAL; any other one is rebuilt from it. What generations up to the ledger's own did to the
 * ledger is in it already. Every step may be interrupted and done again.
 */
const GEN_DIGITS = 12
const READ_BYTES = 1 << 20

export interface SegmentFacts {
  readonly gen: number
  readonly records: number
  readonly firstPosition: number
  readonly lastPosition: number
  readonly minMs: number
  readonly maxMs: number
  readonly levels: readonly string[]
  /** null: too many to list. */
  readonly services: readonly string[] | null
}

/** A segment as the catalog knows it. */
export interface SegmentEntry extends SegmentFacts {
  readonly bytes: number
  readonly crc32: number
}

export type SetAside = StoreStats['setAside'][number]

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

export interface Journal {
  readonly segments: readonly SegmentEntry[]
  readonly setAside: readonly SetAside[]
  /** As it was found. */
  readonly snapshot: LedgerSnapshot
  /** Oldest first. */
  readonly unsealed: readonly Unsealed[]
  readonly nextGen: number
  segmentPath(gen: number): string
  /** Where a segment is written before `commit` takes it. */
  draftPath(gen: number): string
  /** Opens the WAL of a generation behind its first `bytes`. */
  openWal(gen: number, bytes?: number): Promise<Wal>
  /** Makes a generation durable without its WAL: its draft, when it has records, becomes a segment. May be repeated. */
  commit(facts: SegmentFacts, snapshot: LedgerSnapshot): Promise<SegmentEntry | null>
  removeWal(gen: number): Promise<void>
  /** What is wrong with the segment's file, if anything; reads all of it. */
  problemOf(segment: SegmentEntry): Promise<string | undefined>
  /** Stops serving a damaged segment and puts its file beside. */
  putAside(segment: SegmentEntry, problem: string): Promise<void>
  close(): Promise<void>
}

type CatalogEntry =
  | ({ readonly type: 'segment' } & SegmentEntry)
  | ({ readonly type: 'aside'; readonly gen: number | null } & SetAside)

/** Opens the journal of a locked directory: cuts torn ends, puts damage beside, removes what interrupted seals left. */
export async function openJournal(fs: Fs, dir: string): Promise<Journal> {
  const paths = pathsOf(dir)
  for (const folder of [paths.wal, paths.seg, paths.aside]) await fs.mkdir(folder)
  const found = await readAll(fs, paths)
  const catalog = await openFramedFile(fs, paths.catalog, dir, found.catalogBytes)
  let segments = found.entries.flatMap((entry) => (entry.type === 'segment' ? entry : []))
  const setAside: SetAside[] = []

  function take(entry: CatalogEntry): void {
    if (entry.type === 'segment') segments = [...segments.filter(({ gen }) => gen !== entry.gen), entry]
    else {
      const { type: _type, gen, ...facts } = entry
      segments = segments.filter((segment) => segment.gen !== gen)
      setAside.push(facts)
    }
  }

  async function record(entry: CatalogEntry): Promise<void> {
    await catalog.append([Buffer.from(JSON.stringify(entry))])
    take(entry)
  }

  async function putAside(segment: SegmentEntry, problem: string): Promise<void> {
    const path = paths.segment(segment.gen)
    const { gen, records, minMs, maxMs } = segment
    if ((await fs.size(path)) !== null) await move(fs, path, paths)
    await record({ ...asideEntry(basename(path), problem), gen, records, fromMs: minMs, toMs: maxMs + 1 })
  }

  found.entries.forEach(take)
  for (const entry of found.damage) await record(entry)
  for (const segment of segments) {
    const bytes = await fs.size(paths.segment(segment.gen))
    if (bytes !== segment.bytes) await putAside(segment, bytes === null ? 'missing' : 'wrong length')
  }

  return {
    get segments() {
      return segments
    },
    setAside,
    snapshot: found.snapshot,
    unsealed: found.unsealed,
    nextGen: found.nextGen,
    segmentPath: paths.segment,
    draftPath: paths.draft,
    openWal: async (gen, bytes) => walOver(await openFramedFile(fs, paths.walFile(gen), paths.wal, bytes)),
    async commit(facts, snapshot) {
      const entry = facts.records === 0 ? null : { ...facts, ...(await publish(fs, paths, facts.gen)) }
      await saveLedger(fs, paths, snapshot)
      if (entry !== null) await record({ type: 'segment', ...entry })
      return entry
    },
    removeWal: (gen) => fs.remove(paths.walFile(gen)),
    problemOf: (segment) => problemOf(fs, paths.segment(segment.gen), segment),
    putAside,
    close: () => catalog.close(),
  }
}

type Paths = ReturnType<typeof pathsOf>

function pathsOf(dir: string) {
  const name = (gen: number) => String(gen).padStart(GEN_DIGITS, '0')
  return {
    dir,
    wal: join(dir, 'wal'),
    seg: join(dir, 'seg'),
    aside: join(dir, 'aside'),
    catalog: join(dir, 'catalog'),
    ledger: join(dir, 'ledger'),
    walFile: (gen: number) => join(dir, 'wal', `${name(gen)}.wal`),
    segment: (gen: number) => join(dir, 'seg', `${name(gen)}.parquet`),
    draft: (gen: number) => join(dir, 'seg', `${name(gen)}.parquet.tmp`),
  }
}

interface Found {
  readonly entries: readonly CatalogEntry[]
  readonly catalogBytes: number
  readonly snapshot: LedgerSnapshot
  readonly unsealed: readonly Unsealed[]
  readonly nextGen: number
  /** Noticed just now; not in the catalog yet. */
  readonly damage: readonly CatalogEntry[]
}

async function readAll(fs: Fs, paths: Paths): Promise<Found> {
  const damage: CatalogEntry[] = []
  const catalog = await readFrames(fs, paths.catalog, paths)
  const entries = catalog.payloads.map((payload) => JSON.parse(payload.toString('utf8')) as CatalogEntry)
  const ledger = await readFrames(fs, paths.ledger, paths)
  const [saved] = ledger.payloads
  const snapshot =
    saved === undefined
      ? { gen: 0, position: 0, ledger: emptyLedger() }
      : (JSON.parse(saved.toString('utf8')) as LedgerSnapshot)
  if (catalog.damaged) damage.push(asideEntry('catalog', 'segments are missing from it'))
  if (ledger.damaged || (saved === undefined && ledger.bytes > 0))
    damage.push(asideEntry('ledger', 'what was stored before is not known any more'))
  const catalogued = new Set(entries.flatMap(({ gen }) => gen ?? []))
  const walGens = gensOf(await fs.list(paths.wal), '.wal')
  const unsealed: Unsealed[] = []
  for (const gen of walGens) {
    if (catalogued.has(gen)) await fs.remove(paths.walFile(gen))
    else unsealed.push(await readWal(fs, paths, gen, damage))
  }
  await clearSegments(fs, paths, { catalogued, walGens: new Set(walGens), damage })
  const nextGen = Math.max(0, snapshot.gen, ...catalogued, ...walGens) + 1
  return { entries, catalogBytes: catalog.end, snapshot, unsealed, nextGen, damage }
}

async function readWal(fs: Fs, paths: Paths, gen: number, damage: CatalogEntry[]): Promise<Unsealed> {
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

/** A draft, or a segment that still has its WAL, is of a seal that was interrupted. Any other stray segment is put beside. */
async function clearSegments(
  fs: Fs,
  paths: Paths,
  known: { catalogued: Set<number>; walGens: Set<number>; damage: CatalogEntry[] },
): Promise<void> {
  const names = await fs.list(paths.seg)
  for (const gen of gensOf(names, '.parquet.tmp')) await fs.remove(paths.draft(gen))
  for (const gen of gensOf(names, '.parquet')) {
    if (known.catalogued.has(gen)) continue
    if (known.walGens.has(gen)) await fs.remove(paths.segment(gen))
    else {
      const path = paths.segment(gen)
      await move(fs, path, paths)
      known.damage.push(asideEntry(basename(path), 'it is not in the catalog'))
    }
  }
}

interface Frames {
  /** Length of the file as it was found. */
  readonly bytes: number
  readonly payloads: readonly Buffer[]
  readonly end: number
  readonly damaged: boolean
}

/** The good frames of a file. When it is damaged a copy is put beside and only the good frames stay. */
async function readFrames(fs: Fs, path: string, paths: Paths): Promise<Frames> {
  const bytes = await readIfThere(fs, path)
  const { payloads, end, damagedBytes } = scanFrames(bytes)
  if (damagedBytes === 0) return { bytes: bytes.length, payloads, end, damaged: false }
  await fs.replaceFile(await freeName(fs, paths.aside, basename(path)), bytes)
  const kept = encodeFile(payloads)
  await fs.replaceFile(path, kept)
  return { bytes: bytes.length, payloads, end: kept.length, damaged: true }
}

async function move(fs: Fs, path: string, paths: Paths): Promise<void> {
  await fs.rename(path, await freeName(fs, paths.aside, basename(path)))
  await fs.syncDir(paths.aside)
  await fs.syncDir(paths.seg)
}

/** Never replaces what was put beside earlier. */
async function freeName(fs: Fs, folder: string, name: string): Promise<string> {
  const taken = new Set(await fs.list(folder))
  let free = name
  for (let i = 1; taken.has(free); i++) free = `${name}.${i}`
  return join(folder, free)
}

function asideEntry(file: string, problem: string): Extract<CatalogEntry, { type: 'aside' }> {
  return { type: 'aside', gen: null, file, problem, fromMs: 0, toMs: 0, records: 0 }
}

function gensOf(names: readonly string[], suffix: string): number[] {
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => Number(name.slice(0, -suffix.length)))
    .filter((gen) => Number.isSafeInteger(gen) && gen > 0)
}

/** Draft → durable segment file under its own name. */
async function publish(fs: Fs, paths: Paths, gen: number): Promise<{ bytes: number; crc32: number }> {
  await fs.syncFile(paths.draft(gen))
  const sum = await checksum(fs, paths.draft(gen))
  await fs.rename(paths.draft(gen), paths.segment(gen))
  await fs.syncDir(paths.seg)
  return sum
}

async function saveLedger(fs: Fs, paths: Paths, snapshot: LedgerSnapshot): Promise<void> {
  await fs.replaceFile(paths.ledger, encodeFile([Buffer.from(JSON.stringify(snapshot))]))
}

async function problemOf(fs: Fs, path: string, { bytes, crc32 }: SegmentEntry): Promise<string | undefined> {
  if ((await fs.size(path)) === null) return 'missing'
  const found = await checksum(fs, path)
  if (found.bytes !== bytes) return 'wrong length'
  return found.crc32 === crc32 ? undefined : 'checksum is wrong'
}

async function checksum(fs: Fs, path: string): Promise<{ bytes: number; crc32: number }> {
  const file = await fs.openRead(path)
  try {
    let sum = 0
    let bytes = 0
    for (
      let part = await file.read(0, READ_BYTES);
      part.length > 0;
      part = await file.read(bytes, READ_BYTES)
    ) {
      sum = crc32(part, sum)
      bytes += part.length
    }
    return { bytes, crc32: sum }
  } finally {
    await file.close()
  }
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
