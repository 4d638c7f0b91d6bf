import type { AppendFile, Fs } from '../../core/ports.ts'

type Changing =
  'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncFile' | 'syncDir' | 'replaceFile' | 'openAppend'

/** An Fs over another one that fails when it is told to. */
export interface FaultyFs extends Fs {
  /** Operations that change something, so far. */
  readonly operations: number
  /** Asked before each of them; an Error makes it fail. */
  fault: ((operation: Changing, path: string) => Error | undefined) | undefined
  /** A write that fails leaves this share of its bytes. */
  tornShare: number
}

export function createFaultyFs(inner: Fs): FaultyFs {
  let operations = 0

  async function change<T>(operation: Changing, path: string, act: () => Promise<T>): Promise<T> {
    operations += 1
    const error = fs.fault?.(operation, path)
    if (error !== undefined) throw error
    return act()
  }

  async function write(file: AppendFile, path: string, bytes: Uint8Array): Promise<void> {
    try {
      await change('write', path, () => file.write(bytes))
    } catch (error) {
      await file.write(bytes.subarray(0, Math.floor(bytes.length * fs.tornShare)))
      throw error
    }
  }

  const fs: FaultyFs = {
    ...inner,
    fault: undefined,
    tornShare: 0,
    get operations() {
      return operations
    },
    openAppend: (path) =>
      change('openAppend', path, async () => {
        const file = await inner.openAppend(path)
        return {
          get size() {
            return file.size
          },
          write: (bytes) => write(file, path, bytes),
          sync: () => change('sync', path, () => file.sync()),
          close: () => file.close(),
        }
      }),
    replaceFile: (path, bytes, options) =>
      change('replaceFile', path, () => inner.replaceFile(path, bytes, options)),
    truncate: (path, size) => change('truncate', path, () => inner.truncate(path, size)),
    rename: (from, to) => change('rename', from, () => inner.rename(from, to)),
    remove: (path) => change('remove', path, () => inner.remove(path)),
    syncFile: (path) => change('syncFile', path, () => inner.syncFile(path)),
    syncDir: (path) => change('syncDir', path, () => inner.syncDir(path)),
  }
  return fs
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code })
}
