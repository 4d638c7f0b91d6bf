import type { Block } from './segment-index.ts'

/** Decoded sidecars up to so many bytes on disk are kept, the ones that were asked for last. */
const INDEX_CACHE_BYTES_MAX = 64 << 20

export interface IndexCache {
  /** The blocks of a segment; `read` is called once, however many ask at a time. */
  get(id: number, read: () => Promise<{ blocks: readonly Block[]; bytes: number }>): Promise<readonly Block[]>
  drop(id: number): void
}

export function createIndexCache(bytesMax = INDEX_CACHE_BYTES_MAX): IndexCache {
  /** Asked for last stands last. */
  const known = new Map<number, { readonly blocks: Promise<readonly Block[]>; bytes: number }>()
  let bytes = 0

  function drop(id: number): void {
    bytes -= known.get(id)?.bytes ?? 0
    known.delete(id)
  }

  return {
    get(id, read) {
      const found = known.get(id)
      if (found !== undefined) {
        known.delete(id)
        known.set(id, found)
        return found.blocks
      }
      const reading = read()
      const entry = { blocks: reading.then(({ blocks }) => blocks), bytes: 0 }
      known.set(id, entry)
      reading.then(
        (done) => {
          if (known.get(id) !== entry) return
          entry.bytes = done.bytes
          bytes += done.bytes
          for (const oldest of known.keys()) {
            if (bytes <= bytesMax || oldest === id) break
            drop(oldest)
          }
        },
        () => {
          if (known.get(id) === entry) drop(id)
        },
      )
      return entry.blocks
    },
    drop,
  }
}
