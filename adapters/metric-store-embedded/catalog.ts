import { join } from 'node:path'
import { ServiceError } from '../../core/errors.ts'
import type { BatchKeysDocument } from '../../core/metrics/batch-keys.ts'
import type { MetricResolution } from '../../core/metrics/types.ts'
import type { Fs, TimeRange } from '../../core/ports.ts'
import { encodeFile, readIfThere, scanFrames } from '../store-embedded/framed-file.ts'
import type { BlockEntry } from './block-writer.ts'

/**
 * What is durable, in one directory:
 *
 *     journal/<gen>     batches of one generation, until they are sealed
 *     blocks/<id>       sealed points; a file counts only if the catalog names it
 *     catalog           the blocks, the last sealed generation, and which batches it and those before it held
 *     aside/            damaged files, kept for a person
 *
 * Writing the catalog is the commit of a seal, merge or purge. Generations up to the sealed one need no journal.
 */
export interface CatalogState {
  readonly sealedGen: number
  readonly nextId: number
  readonly keys: BatchKeysDocument
  readonly blocks: readonly BlockEntry[]
  /** Names of files in aside/. */
  readonly damaged: readonly string[]
  /** What they held, until it would be gone anyway. */
  readonly lost: readonly LostPart[]
}

/** Points of one width, all or some of which are lost. */
export interface LostPart extends TimeRange {
  readonly resolution: MetricResolution
}

export interface Paths {
  readonly journals: string
  readonly blocks: string
  readonly aside: string
  readonly catalog: string
  journal(gen: number): string
  block(id: number): string
}

export function pathsOf(dir: string): Paths {
  const journals = join(dir, 'journal')
  const blocks = join(dir, 'blocks')
  return {
    journals,
    blocks,
    aside: join(dir, 'aside'),
    catalog: join(dir, 'catalog'),
    journal: (gen) => join(journals, `${gen}`),
    block: (id) => join(blocks, `${id}`),
  }
}

export interface Catalog {
  readonly state: CatalogState
  /** An id that no file of this run has. */
  newId(): number
  /**
   * Durable when it resolves; one after the other. When it rejects, the state is as before. `changed` is called as the state changes, so
   * that nobody sees one without the other.
   */
  change(next: (state: CatalogState) => CatalogState, changed?: () => void): Promise<void>
}

const EMPTY: CatalogState = { sealedGen: 0, nextId: 1, keys: [], blocks: [], damaged: [], lost: [] }

/** Throws DATA_CORRUPT: without it nobody knows which files count. */
export async function openCatalog(fs: Fs, path: string): Promise<Catalog> {
  const bytes = await readIfThere(fs, path)
  let state = bytes.length === 0 ? EMPTY : parse(bytes, path)
  let nextId = state.nextId
  let turn: Promise<unknown> = Promise.resolve()

  async function write(
    before: Promise<unknown>,
    next: (state: CatalogState) => CatalogState,
    changed: (() => void) | undefined,
  ): Promise<void> {
    await before
    const after = { ...next(state), nextId }
    await fs.replaceFile(path, encodeFile([Buffer.from(JSON.stringify(after))]))
    state = after
    changed?.()
  }

  return {
    get state() {
      return state
    },
    newId: () => nextId++,
    change(next, changed) {
      const change = write(turn, next, changed)
      turn = change.catch(() => undefined)
      return change
    },
  }
}

function parse(bytes: Buffer, path: string): CatalogState {
  const [payload] = scanFrames(bytes).payloads
  if (payload !== undefined) return { ...EMPTY, ...(JSON.parse(payload.toString()) as Partial<CatalogState>) }
  const message = `the catalog of metrics fails its checksum: move its folder away to start with an empty one`
  throw new ServiceError('DATA_CORRUPT', message, { path })
}
