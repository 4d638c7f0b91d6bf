import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary folder with a log folder, a data folder and a configuration that follows `logs/*.log`. */
export interface Workspace extends Disposable {
  readonly dir: string
  readonly logs: string
  readonly dataDir: string
  readonly configFile: string
}

/** `config` is YAML text; `{logs}` in it stands for the log folder. */
export function createWorkspace(
  config = 'collector: { host: web-1, files: [{ paths: ["{logs}/*.log"] }] }\n',
): Workspace {
  const dir = mkdtempSync(join(tmpdir(), 'noctule-test-'))
  const logs = join(dir, 'logs')
  mkdirSync(logs)
  const configFile = join(dir, 'noctule.yaml')
  writeFileSync(configFile, config.replaceAll('{logs}', logs))
  return {
    dir,
    logs,
    dataDir: join(dir, 'data'),
    configFile,
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}
