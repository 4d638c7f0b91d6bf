import { watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'

/** Each is one of the host's inotify watches (8,192 a user on many); folders beyond it are only swept. */
const FOLDERS_MAX = 1_000

/** Tells at once which names in some folders changed. Only a hint: what it misses, the sweep finds. */
export interface FolderWatch {
  /** Watches exactly these folders from now on. */
  watchOnly(folders: Iterable<string>): void
  close(): void
}

export function createFolderWatch({
  onChange,
  log,
}: {
  readonly onChange: (path: string) => void
  readonly log: Logger
}): FolderWatch {
  const watchers = new Map<string, FSWatcher>()
  let failed = false

  function start(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name !== null) onChange(join(folder, name))
      })
      watcher.on('error', () => stop(folder))
      watchers.set(folder, watcher)
    } catch (error) {
      if (!failed) log.info({ folder, error: messageOf(error) }, 'folder cannot be watched: it is only swept')
      failed = true
    }
  }

  function stop(folder: string): void {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }

  return {
    watchOnly(folders) {
      const wanted = new Set(folders)
      for (const folder of watchers.keys()) if (!wanted.has(folder)) stop(folder)
      for (const folder of wanted) {
        if (watchers.size >= FOLDERS_MAX) return
        if (!watchers.has(folder)) start(folder)
      }
    },
    close() {
      for (const folder of watchers.keys()) stop(folder)
    },
  }
}
