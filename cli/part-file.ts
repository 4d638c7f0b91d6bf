import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { ServiceError, messageOf } from '../core/errors.ts'
import { isDiskFull, nodeFs as fs } from '../core/fs.ts'

/** A file that gets its name only when all of it is there. Disposed of before that, what was written stays in `partPath`. */
export interface PartFile extends AsyncDisposable {
  readonly path: string
  /** Where it is until then: `<path>.part`. */
  readonly partPath: string
  write(data: Uint8Array | string): Promise<void>
  /** Makes it durable and gives it its name; a file that had the name before is replaced. */
  finish(): Promise<void>
}

/** Starts anew, also when a part of an earlier time is there. Throws BAD_REQUEST, when the disk is full DISK_FULL. */
export async function openPartFile(path: string): Promise<PartFile> {
  const partPath = `${path}.part`
  const writing = <T>(work: () => Promise<T>) => naming(partPath, work)
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new ServiceError('BAD_REQUEST', `cannot write ${path}: it is a folder`)
  const file = await writing(async () => {
    await fs.remove(partPath)
    return await fs.openAppend(partPath)
  })
  return {
    path,
    partPath,
    write: (data) => writing(() => file.write(typeof data === 'string' ? Buffer.from(data) : data)),
    finish: () =>
      writing(async () => {
        await file.sync()
        await fs.rename(partPath, path)
        await fs.syncDir(dirname(path))
      }),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = isDiskFull(error) ? 'DISK_FULL' : 'BAD_REQUEST'
    throw new ServiceError(code, `cannot write ${path}: ${messageOf(error)}`, {}, error)
  }
}
