import type { Fs, StoreStats } from '../../core/ports.ts'
import { withPurged } from '../store-purged.ts'
import type { Purged } from '../store-purged.ts'
import type { FileSum, SegmentFile } from './files.ts'
import { encodeFile, openFramedFile, scanFrames } from './framed-file.ts'
import type { FramedFile } from './framed-file.ts'
import type { Partition } from './partitions.ts'

/** The catalog is written anew, as one entry, when it has grown to this and to so many times what that entry would be. */
const REWRITE_BYTES_MIN = 1 << 20
const REWRITE_FACTOR = 4

/** What is known of a segment when its files are written. */
export interface SegmentFacts extends Partition {
  /** Never given twice. */
  readonly id: number
  readonly records: number
  /** Positions between these may be in other segments. */
  readonly firstPosition: number
  readonly lastPosition: number
  readonly minMs: number
  readonly maxMs: number
  readonly levels: readonly string[]
  /** null: too many to list. */
  readonly services: readonly string[] | null
  /** Kinds of rows in its roll-up: those of a kind are all there or none. */
  readonly rollups: readonly string[]
  /** Attrs that have a column of their own (promoted.ts); older segments have none. */
  readonly promoted?: readonly string[]
}

/** A segment as the catalog knows it. */
export interface SegmentEntry extends SegmentFacts {
  /** Of all its files. */
  readonly bytes: number
  /** `rollup` is null when `rollups` is empty. */
  readonly files: Readonly<Record<Exclude<SegmentFile, 'rollup'>, FileSum> & { rollup: FileSum | null }>
}

export type SetAside = StoreStats['setAside'][number]

export type CatalogEntry =
  /** A generation became these segments: its WAL is not needed any more. */
  | {
      readonly type: 'sealed'
      readonly gen: number
      readonly segments: readonly SegmentEntry[]
      readonly expired: readonly Purged[]
    }
  /** These segments became one. */
  | { readonly type: 'compacted'; readonly removed: readonly number[]; readonly segment: SegmentEntry }
  /** Segments of one partition went; `partitions` is 0 when others of it are left. */
  | {
      readonly type: 'purged'
      readonly removed: readonly number[]
      readonly purged: Purged
      readonly partitions: 0 | 1
      readonly bytes: number
    }
  /** The sidecar or roll-up of a segment was made again. */
  | { readonly type: 'rebuilt'; readonly segment: SegmentEntry }
  | ({ readonly type: 'aside'; readonly segment: number | null } & SetAside)
  /** All that the entries before it say. */
  | ({ readonly type: 'state' } & CatalogState)

/** What the entries say together. */
export interface CatalogState {
  readonly segments: readonly SegmentEntry[]
  readonly lastId: number
  readonly lastGen: number
  /** Sealed generations whose WAL may still be there. */
  readonly sealed: readonly number[]
  /** Segments that left and whose files may still be there. */
  readonly removed: readonly number[]
  readonly setAside: readonly SetAside[]
  readonly purged: readonly Purged[]
  readonly purgedTotal: StoreStats['purged']
}

export const EMPTY_CATALOG: CatalogState = {
  segments: [],
  lastId: 0,
  lastGen: 0,
  sealed: [],
  removed: [],
  setAside: [],
  purged: [],
  purgedTotal: { partitions: 0, records: 0, bytes: 0 },
}

/** Throws when the payload is none of this version. */
export function decodeCatalogEntry(payload: Buffer): CatalogEntry {
  return JSON.parse(payload.toString('utf8')) as CatalogEntry
}

/** The state after one more entry. */
export function withEntry(state: CatalogState, entry: CatalogEntry): CatalogState {
  switch (entry.type) {
    case 'state': {
      const { type: _type, ...whole } = entry
      return whole
    }
    case 'sealed':
      return {
        ...withSegments(state, entry.segments),
        lastGen: Math.max(state.lastGen, entry.gen),
        sealed: [...state.sealed, entry.gen],
        purged: entry.expired.reduce(withPurged, state.purged),
      }
    case 'compacted':
      return withSegments(withoutSegments(state, entry.removed), [entry.segment])
    case 'purged':
      return {
        ...withoutSegments(state, entry.removed),
        purged: withPurged(state.purged, entry.purged),
        purgedTotal: {
          partitions: state.purgedTotal.partitions + entry.partitions,
          records: state.purgedTotal.records + entry.purged.records,
          bytes: state.purgedTotal.bytes + entry.bytes,
        },
      }
    case 'rebuilt': {
      const { segment } = entry
      const segments = state.segments.map((other) => (other.id === segment.id ? segment : other))
      return { ...state, segments }
    }
    case 'aside': {
      const { type: _type, segment, ...facts } = entry
      const segments = state.segments.filter(({ id }) => id !== segment)
      return { ...state, segments, setAside: [...state.setAside, facts] }
    }
  }
}

function withSegments(state: CatalogState, added: readonly SegmentEntry[]): CatalogState {
  return {
    ...state,
    segments: [...state.segments, ...added],
    lastId: added.reduce((last, { id }) => Math.max(last, id), state.lastId),
  }
}

function withoutSegments(state: CatalogState, ids: readonly number[]): CatalogState {
  const gone = new Set(ids)
  return {
    ...state,
    segments: state.segments.filter(({ id }) => !gone.has(id)),
    removed: [...state.removed, ...ids],
  }
}

/** Which segments there are, as a file of entries: what was written together holds together. */
export interface Catalog {
  readonly state: CatalogState
  /**
   * Writes the entries that `decide` gives for the state of that moment; durable when it resolves. Null: nothing is to be written.
   * One at a time, in the order of the calls; the next one waits for `finish` too, which must not fail.
   */
  record(
    decide: (state: CatalogState) => readonly CatalogEntry[] | null,
    finish?: () => Promise<void>,
  ): Promise<boolean>
  /** These are durably gone: nobody has to remember them. */
  forget(gone: { readonly gens?: readonly number[]; readonly ids?: readonly number[] }): void
  close(): Promise<void>
}

/** Opens the catalog file at `path`, in `folder`, behind its first `bytes`, which say `found`. */
export async function openCatalog(
  fs: Fs,
  { path, folder, bytes }: { path: string; folder: string; bytes: number },
  found: CatalogState,
): Promise<Catalog> {
  let file: FramedFile | undefined = await openFramedFile(fs, path, folder, bytes)
  let state = found
  let last: Promise<unknown> = Promise.resolve()
  let rewriteAt = REWRITE_BYTES_MIN

  /** Writes the file anew. When that fails either file may stand under its name: both say the same, and it is opened again. */
  async function rewriteIfLarge(): Promise<void> {
    if (file === undefined || file.size < rewriteAt) return
    const whole = encodeFile([encodeCatalogEntry({ type: 'state', ...state })])
    rewriteAt = Math.max(REWRITE_BYTES_MIN, whole.length * REWRITE_FACTOR)
    if (file.size < rewriteAt) return
    await file.close()
    file = undefined
    await fs.replaceFile(path, whole).catch(() => undefined)
  }

  async function open(): Promise<FramedFile> {
    if (file !== undefined) return file
    const { payloads, end } = scanFrames(await fs.readFile(path))
    if (payloads.length === 0) throw new Error('the catalog cannot be read')
    file = await openFramedFile(fs, path, folder, end)
    return file
  }

  async function write(...[decide, finish]: Parameters<Catalog['record']>): Promise<boolean> {
    const entries = decide(state)
    if (entries === null) return false
    await rewriteIfLarge()
    await (await open()).append(entries.map(encodeCatalogEntry))
    state = entries.reduce(withEntry, state)
    await finish?.()
    return true
  }

  return {
    get state() {
      return state
    },
    record(decide, finish) {
      const written = last.then(() => write(decide, finish))
      last = written.catch(() => undefined)
      return written
    },
    forget({ gens = [], ids = [] }) {
      const [goneGens, goneIds] = [new Set(gens), new Set(ids)]
      const sealed = state.sealed.filter((gen) => !goneGens.has(gen))
      state = { ...state, sealed, removed: state.removed.filter((id) => !goneIds.has(id)) }
    },
    async close() {
      await last
      await file?.close()
    },
  }
}

function encodeCatalogEntry(entry: CatalogEntry): Buffer {
  return Buffer.from(JSON.stringify(entry))
}
