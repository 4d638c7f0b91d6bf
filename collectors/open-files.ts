import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { fileKey } from './file-identity.ts'

/**
 * Handles of followed files, at most `openMax` of them: the one that was used the longest ago is closed first.
 * One that nobody could open again (its path is gone) is pinned.
 */
export interface OpenFiles {
  /** The handle of the file `key`, opened at `path` when needed; null when another file is there. Call `release` afterwards. */
  acquire(key: string, path: string | null): Promise<FileHandle | null>
  release(key: string): void
  pin(key: string, pinned: boolean): void
  isOpen(key: string): boolean
  close(key: string): Promise<void>
  closeAll(): Promise<void>
  readonly size: number
}

interface Entry {
  readonly handle: FileHandle
  users: number
  pinned: boolean
}

export function createOpenFiles(openMax: number): OpenFiles {
  const entries = new Map<string, Entry>() // used the longest ago first
  const opening = new Map<string, Promise<FileHandle | null>>()

  async function close(key: string): Promise<void> {
    const entry = entries.get(key)
    entries.delete(key)
    await entry?.handle.close()
  }

  async function closeOldest(): Promise<void> {
    for (const [key, { users, pinned }] of entries) {
      if (entries.size <= openMax) return
      if (users === 0 && !pinned) await close(key)
    }
  }

  function use(key: string, entry: Entry): FileHandle {
    entry.users++
    entries.delete(key)
    entries.set(key, entry)
    return entry.handle
  }

  /** Two that want the same file at once share the handle. */
  async function openOnce(key: string, path: string): Promise<FileHandle | null> {
    const pending = opening.get(key) ?? openFile(key, path)
    opening.set(key, pending)
    try {
      const handle = await pending
      return handle === null ? null : use(key, entries.get(key) ?? { handle, users: 0, pinned: false })
    } finally {
      opening.delete(key)
    }
  }

  return {
    async acquire(key, path) {
      const known = entries.get(key)
      if (known !== undefined) return use(key, known)
      if (path === null) return null
      const handle = await openOnce(key, path)
      await closeOldest()
      return handle
    },
    release(key) {
      const entry = entries.get(key)
      if (entry !== undefined) entry.users--
    },
    pin(key, pinned) {
      const entry = entries.get(key)
      if (entry !== undefined) entry.pinned = pinned
    },
    isOpen: (key) => entries.has(key),
    close,
    async closeAll() {
      await Promise.all([...entries.keys()].map(close))
    },
    get size() {
      return entries.size
    },
  }
}

async function openFile(key: string, path: string): Promise<FileHandle | null> {
  // A pipe that took the file's place must not block the open.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (fileKey(await handle.stat({ bigint: true })) === key) return handle
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  return null
}
