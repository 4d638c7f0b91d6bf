import { mkdir, open, readFile, readdir, rename, rm, stat, truncate } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ServiceError } from './errors.ts'
import type { AppendFile, Fs, ReadFile } from './ports.ts'

/** Name of the lock file inside a locked folder. */
export const LOCK_FILE = 'LOCK'
const SQLITE_BUSY = 5

/** The machine's disk. `replaceFile` writes `<path>.tmp` first: one call at a time per path. */
export const nodeFs: Fs = {
  mkdir: makeFolder,
  list,
  size: async (path) => (await unlessMissing(stat(path)))?.size ?? null,
  readFile: (path) => readFile(path),
  openAppend,
  openRead,
  replaceFile,
  truncate: (path, size) => truncate(path, size),
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  syncFile: sync,
  syncDir: sync,
  lock,
}

/** The device, or our share of it, has no room left. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** Node's `code` of a system error (ENOENT, EIO, …), if it has one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function list(path: string): Promise<readonly string[]> {
  return ((await unlessMissing(readdir(path))) ?? []).sort()
}

/** New folders are durable at once, so that no caller has to think of their parents. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let at = resolve(path); at !== dirname(resolve(first)); at = dirname(at)) await sync(dirname(at))
}

async function openAppend(path: string): Promise<AppendFile> {
  const handle = await open(path, 'a')
  let { size } = await handle.stat()
  return {
    get size() {
      return size
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, at)
        at += bytesWritten
        size += bytesWritten
      }
    },
    // fdatasync also makes the new length durable; only time stamps are left out.
    sync: () => handle.datasync(),
    close: () => handle.close(),
  }
}

async function openRead(path: string): Promise<ReadFile> {
  const handle = await open(path, 'r')
  return {
    read: (offset, length) => readFully(handle, offset, length),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  }
}

async function readFully(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let at = 0
  while (at < length) {
    const { bytesRead } = await handle.read(buffer, at, length - at, offset + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return buffer.subarray(0, at)
}

async function replaceFile(path: string, bytes: Uint8Array, options?: { mode?: number }): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    const handle = await open(temporary, 'w', options?.mode)
    try {
      if (options?.mode !== undefined) await handle.chmod(options.mode) // A leftover keeps its own mode otherwise.
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await sync(dirname(path))
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** SQLite's exclusive lock is a lock of the kernel: it goes with the process, however that ends. */
async function lock(path: string): Promise<{ release(): Promise<void> }> {
  await makeFolder(path)
  const database = new DatabaseSync(join(path, LOCK_FILE))
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)
      throw inUse(path, error)
    throw error
  }
  return {
    async release() {
      if (database.isOpen) database.close()
    },
  }
}

/** What `lock` throws when another owner is there. */
export function inUse(directory: string, cause?: unknown): ServiceError {
  const message = `another process owns ${directory}: stop it, or configure another directory for this one`
  return new ServiceError('DATA_DIR_IN_USE', message, { directory }, cause)
}
