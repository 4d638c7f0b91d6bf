import { dirname } from 'node:path'
import { ServiceError } from '../../core/errors.ts'
import type { Fs } from '../../core/ports.ts'

/** 256 bits: nobody guesses it, so it needs no slow hash. */
const TOKEN_BYTES = 32
const TOKEN = /^[A-Za-z0-9_-]{43,}$/
/** Only the owner of the process may read it. */
const OWNER_ONLY = 0o600

/**
 * The token of the local administrator, from its file; made at the first start.
 * Throws BAD_CONFIG when the file holds something else: a short secret must not open the node.
 */
export async function loadAdminToken({
  fs,
  path,
  randomBytes,
}: {
  fs: Fs
  path: string
  randomBytes: (size: number) => Buffer
}): Promise<string> {
  if ((await fs.size(path)) === null) {
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    await fs.mkdir(dirname(path))
    await fs.replaceFile(path, Buffer.from(`${token}\n`), { mode: OWNER_ONLY })
    return token
  }
  const token = (await fs.readFile(path)).toString('utf8').trim()
  if (!TOKEN.test(token)) {
    throw new ServiceError(
      'BAD_CONFIG',
      'the admin token file does not hold a token; remove it and start again',
      {
        path,
      },
    )
  }
  return token
}
