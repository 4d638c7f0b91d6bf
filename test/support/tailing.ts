import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBatcher } from '../../collectors/batcher.ts'
import { createFileSource, type FileSource } from '../../collectors/file-source.ts'
import { parseConfig, type Config } from '../../core/config.ts'
import type { Logger } from '../../core/ports.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { createMemorySpool, type MemorySpool } from './memory-spool.ts'

type CollectorConfig = Config['collector']

/** A file source over a temporary folder, driven by hand: nothing happens between two sweeps. */
export interface Tailing {
  readonly dir: string
  readonly clock: FakeClock
  readonly log: readonly { level: string; message: string; fields: Record<string, unknown> }[]
  readonly spool: MemorySpool
  readonly source: FileSource
  /** Looks at everything, reads it and numbers it. */
  sweep(): Promise<void>
  /** Why nothing is numbered; null: it is. */
  held(): string | null
  /** Texts numbered so far, in order. */
  texts(): string[]
  /** Starts anew from the durable positions; what was read and not numbered is forgotten. */
  restart(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface TailingOptions {
  readonly paths?: readonly string[]
  readonly exclude?: readonly string[]
  readonly config?: Partial<CollectorConfig>
  readonly openMax?: number
}

export async function startTailing({
  paths = ['**/*.log*'],
  exclude = [],
  ...options
}: TailingOptions = {}): Promise<Tailing> {
  const dir = await mkdtemp(join(tmpdir(), 'noctule-tail-'))
  const clock = createFakeClock()
  const told: { level: string; message: string; fields: Record<string, unknown> }[] = []
  const log = recordingLog(told)
  const files = [{ paths: paths.map((path) => join(dir, path)), exclude: [...exclude], labels: {} }]
  const config = { ...parseConfig(null, {}).collector, files, ...options.config }
  let spool = createMemorySpool()

  const build = () => {
    const bounds = config.batch
    const batcher = createBatcher({ spool, host: 'h1', bounds, clock, log, random: () => 0 })
    const { openMax } = options
    const limits = openMax === undefined ? {} : { openMax }
    const source = createFileSource({ config, positions: spool.positions(), batcher, clock, log, ...limits })
    return { batcher, source }
  }
  let parts = build()

  async function sweep(): Promise<void> {
    await parts.source.sweep()
    await parts.batcher.flush(AbortSignal.timeout(10_000))
  }

  return {
    dir,
    clock,
    log: told,
    get spool() {
      return spool
    },
    get source() {
      return parts.source
    },
    sweep,
    held: () => parts.batcher.stats().held,
    texts: () => spool.lines().map(({ text }) => text),
    async restart() {
      spool = spool.reopened()
      await parts.source.stop()
      parts = build()
    },
    async [Symbol.asyncDispose]() {
      await parts.source.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function recordingLog(told: { level: string; message: string; fields: Record<string, unknown> }[]): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    told.push({ level, message, fields: fields as Record<string, unknown> })
  }
  const log: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  }
  return log
}
