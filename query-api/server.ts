import type { Part } from '../core/lifecycle.ts'
import type { Fs } from '../core/ports.ts'
import { createAccess } from './access/access.ts'
import { loadAdminToken } from './access/admin-token.ts'
import { buildApp } from './app.ts'
import type { Services } from './services.ts'

export interface ServerOptions extends Omit<Services, 'access'> {
  readonly fs: Fs
  readonly adminTokenPath: string
  readonly randomBytes: (size: number) => Buffer
  /** Tells the person who started the program where it listens and how to sign in. */
  readonly announce: (line: string) => void
}

/** The query API as a part of the program: listens when started, drains when stopped. */
export async function openServer(options: ServerOptions): Promise<Part> {
  const { fs, adminTokenPath, announce, clock, config, randomBytes, site, version } = options
  const adminToken = await loadAdminToken({ fs, path: adminTokenPath, randomBytes })
  const access = createAccess({ tokens: config.access.tokens, adminToken, clock, randomBytes })
  const app = await buildApp({ ...options, access })
  return {
    name: 'query-api',
    async start() {
      const url = await app.listen(config.http)
      announce(`noctule ${version.version}, site ${site}, listening on ${url}`)
      if (options.answers)
        announce(`sign in (once, within ten minutes): ${url}/#code=${access.newSignInCode()}`)
    },
    async stop() {
      app.drain()
      await app.close()
    },
  }
}
