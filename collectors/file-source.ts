import type { BigIntStats } from 'node:fs'
import { stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config, FilesConfig } from '../core/config.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { BatchSource } from '../core/wire.ts'
import type { Batcher } from './batcher.ts'
import { createFileGlobs } from './file-globs.ts'
import { readFollowed, startAgain, type Followed } from './file-turn.ts'
import { fileKey, holdsWhatWasRead, type FilePosition } from './file-identity.ts'
import { createFileStarts, filesIn, type NewFile, type Start } from './file-starts.ts'
import { codeOf, createFileProblems } from './file-problems.ts'
import { createFolderWatch } from './folder-watch.ts'
import { createLookLoop } from './look-loop.ts'
import { createOpenFiles } from './open-files.ts'
import { createReadQueue } from './read-queue.ts'
import type { Source, SourceProblem } from './source.ts'
import type { Positions } from './spool/types.ts'
import { newTail, resumeTail } from './tail.ts'

/** Patterns are expanded again this often, and never for more than a tenth of the time. */
const EXPAND_MS = 1_000
const EXPAND_SHARE = 10
/** A file that was renamed or deleted and got nothing for this long will get no more: its unfinished last line is given as it is. */
const AWAY_QUIET_MS = 5_000
/** A renamed file whose name no pattern matches is followed until it was quiet for this long. */
const AWAY_FORGET_MS = 600_000
const READS_MAX = 4
const STATS_MAX = 64
const OPEN_MAX = 1_024

/**
 * Follows the files of `collector.files`.
 *
 * Guarantee: a line that was written and ended is numbered exactly once, also when its file is renamed, deleted while it is open here, or
 * copied and truncated after it was read, and when the collector ends at any point: the file is the queue. What was truncated or deleted before it could be read is
 * told as a drop.
 */
export interface FileSource extends Source {
  /** Looks at everything once and reads it to its end: what `start` repeats. */
  sweep(): Promise<void>
  status(): FileSourceStatus
}

export interface FileSourceStatus {
  readonly files: number
  readonly open: number
  /** Bytes that are written and not read. */
  readonly behindBytes: number
  readonly problems: readonly SourceProblem[]
}

export interface FileSourceOptions {
  readonly config: Pick<Config['collector'], 'files' | 'lineBytesMax' | 'batch'>
  readonly positions: Positions
  readonly batcher: Batcher
  readonly clock: Clock
  readonly log: Logger
  /** Handles that are kept open. */
  readonly openMax?: number
}

/** When something was looked at, on the monotonic and on the wall clock. */
interface Moment {
  readonly ms: number
  readonly atMs: number
}

export function createFileSource(options: FileSourceOptions): FileSource {
  const { config, batcher, clock, log, openMax = OPEN_MAX } = options
  const globs = createFileGlobs(config.files)
  const starts = createFileStarts({ positions: options.positions, clock })
  const handles = createOpenFiles(openMax)
  const queue = createReadQueue(READS_MAX, readTurn)
  const loop = createLookLoop({ lookAtAll, lookAt: lookAtChanged, clock, log })
  const watch = createFolderWatch({ onChange: (path) => loop.changed(path), log })
  const problems = createFileProblems(log)
  const stopping = new AbortController()
  const byKey = new Map<string, Followed>()
  const byPath = new Map<string, Followed>()
  const waiting = new Set<string>() // listed paths whose files are not followed yet: possible copies
  const met: Followed[] = [] // read once everything was looked at: copies are known by what their originals were read to
  let paths: ReadonlyMap<string, FilesConfig> = new Map()
  let expanded: { readonly startMs: number; readonly nextMs: number } | null = null
  let orphansMet = false
  let discoveredMs: number | null = null // no file that was there before is unknown

  const reading = { config, batcher, clock, signal: stopping.signal }

  async function expand(): Promise<void> {
    const startMs = clock.monotonicMs()
    if (expanded !== null && startMs < expanded.nextMs) return
    paths = await globs.expand()
    const tookMs = clock.monotonicMs() - startMs
    expanded = { startMs, nextMs: startMs + Math.max(EXPAND_MS, tookMs * EXPAND_SHARE) }
    const away = new Set(
      [...byKey.values()].filter(({ path }) => path === null).map(({ source }) => source.path),
    )
    problems.keep((path) => paths.has(path) || away.has(path))
    problems.patterns(globs.problems())
    for (const path of waiting) if (!paths.has(path)) waiting.delete(path)
    watch.watchOnly([...globs.folders(), ...[...paths.keys()].map(dirname)])
  }

  async function lookAtAll(): Promise<void> {
    const replaced = [...byKey.values()].filter((file) => file.replaced)
    if (replaced.length > 0) expanded = null
    await expand()
    await look(new Set([...paths.keys(), ...byPath.keys()]))
    if (!orphansMet) await meetOrphans()
    orphansMet = true
    for (const file of replaced) restart(file)
    for (const file of met.splice(0)) queue.add(file)
    for (const file of byKey.values()) {
      if (file.path === null)
        await lookAtAway(file).catch((error: unknown) => problem(file.source.path, error))
    }
    if (waiting.size === 0) discoveredMs = expanded?.startMs ?? null
    const drops = starts.losses({ now: false })
    if (drops.length > 0) batcher.note({ drops })
  }

  /** A changed path that no pattern matches is nobody's. */
  async function lookAtChanged(changed: ReadonlySet<string>): Promise<void> {
    const ours = [...changed].filter((path) => byPath.has(path) || configOf(path) !== undefined)
    await look(ours)
    for (const file of met.splice(0)) queue.add(file)
    for (const path of ours) {
      const file = byPath.get(path)
      if (file !== undefined) queue.add(file)
    }
  }

  const configOf = (path: string) => paths.get(path) ?? globs.match(path)

  async function look(wanted: Iterable<string>): Promise<void> {
    const rest = [...wanted]
    while (rest.length > 0) {
      const some = rest.splice(-STATS_MAX)
      const moment = { ms: clock.monotonicMs(), atMs: clock.nowMs() }
      const found = await Promise.all(some.map(statOf))
      for (const [index, path] of some.entries()) {
        const stats = found[index]
        if (stats === undefined || stats instanceof Error) lookFailed(path, stats)
        else if (!stats.isFile()) problem(path, 'it is not a regular file')
        else {
          const looked = lookAt(path, stats, moment)
          await looked.catch((error: unknown) => problem(path, error))
        }
      }
    }
  }

  async function lookAt(path: string, stats: BigIntStats, { ms, atMs }: Moment): Promise<void> {
    const key = fileKey(stats)
    const there = byPath.get(path)
    if (there !== undefined && there.key !== key) goneFrom(there)
    const file = byKey.get(key)
    if (file === undefined) return meet(path, stats, there?.tail.endedAtMs ?? 0)
    if (file.path === null) {
      if (queue.has(file)) return
      if (!(await isStill(file, path))) {
        await lose(file)
        return meet(path, stats, 0)
      }
      file.path = path
      byPath.set(path, file)
      handles.pin(key, false)
    }
    if (file.path !== path) return // Another name of the same file.
    const size = Number(stats.size)
    if (queue.has(file)) return
    file.largest = Math.max(file.largest, size)
    if (size !== file.tail.lookedTo || stats.mtimeNs !== file.mtimeNs) return queue.add(file)
    file.caughtUpMs = ms
    file.tail.ended(atMs)
  }

  function lookFailed(path: string, error: Error | undefined): void {
    const file = byPath.get(path)
    if (file !== undefined && codeOf(error) === 'ENOENT') goneFrom(file)
    else problem(path, error)
  }

  /** The path of a followed file leads elsewhere or nowhere now. What is still in it is read through the open handle. */
  function goneFrom(file: Followed): void {
    if (file.path !== null) byPath.delete(file.path)
    file.path = null
    file.changedMs = clock.monotonicMs()
    handles.pin(file.key, true)
    queue.add(file)
  }

  async function lookAtAway(file: Followed): Promise<void> {
    const lookedMs = clock.monotonicMs()
    const handle = await reach(file)
    if (handle === null) return lose(file)
    try {
      const stats = await handle.stat({ bigint: true })
      if (queue.has(file)) return
      if (Number(stats.size) !== file.tail.lookedTo) return queue.add(file)
      file.caughtUpMs = lookedMs
      const quietMs = lookedMs - file.changedMs
      if (quietMs < AWAY_QUIET_MS) return
      file.finishing = file.tail.lookedTo > file.tail.offset
      if (file.finishing) return queue.add(file)
      if (stats.nlink === 0n || quietMs >= AWAY_FORGET_MS) await forget(file)
    } finally {
      handles.release(file.key)
    }
  }

  /** The handle of a file whose path is gone; one that was closed meanwhile is looked for where rotation leaves it. */
  async function reach(file: Followed): Promise<FileHandle | null> {
    const { key, source } = file
    if (handles.isOpen(key)) return handles.acquire(key, null)
    const path = (await filesIn(dirname(source.path))).get(key)
    if (path === undefined || !(await isStill(file, path))) return null
    const handle = await handles.acquire(key, path)
    handles.pin(key, true)
    return handle
  }

  /** Whether the file of that number at `path` is `file`: while no handle was open, the number may have been given to another one. */
  async function isStill(file: Followed, path: string): Promise<boolean> {
    if (handles.isOpen(file.key)) return true
    const handle = await handles.acquire(file.key, path)
    if (handle === null) return false
    try {
      return await holdsWhatWasRead(handle, file.tail.position)
    } finally {
      handles.release(file.key)
    }
  }

  async function lose(file: Followed): Promise<void> {
    const unread = file.largest - file.tail.offset
    starts.gone(file.tail.position, {
      reason: 'deleted before it was read',
      bytes: unread > 0 ? unread : null,
    })
    await forget(file)
  }

  async function forget(file: Followed): Promise<void> {
    byKey.delete(file.key)
    batcher.note({ changes: { [file.key]: null } })
    await handles.close(file.key)
  }

  // Meeting: files that are not followed yet.

  async function meet(path: string, stats: BigIntStats, notBeforeMs: number): Promise<void> {
    const config = configOf(path)
    const key = fileKey(stats)
    if (config === undefined) return
    try {
      const handle = await handles.acquire(key, path)
      waiting.add(path)
      if (handle === null) return // Replaced since; the next look sees by what.
      try {
        const { size } = await handle.stat()
        const file = { path, key, dev: `${stats.dev}`, ino: `${stats.ino}`, size, handle, notBeforeMs }
        const start = await starts.startOf(file, (path) => byPath.get(path)?.tail.position)
        if (start.from !== 'wait') await follow(file, start, config)
      } finally {
        handles.release(key)
      }
    } catch (error) {
      waiting.delete(path) // One file that cannot be read does not make the others unknown; the problem is told.
      problem(path, error)
    }
  }

  async function follow(
    { path, key, dev, ino, handle }: Omit<NewFile, 'size' | 'notBeforeMs' | 'path'> & { path: string | null },
    start: Exclude<Start, { from: 'wait' }>,
    config: FilesConfig,
  ): Promise<void> {
    const known = start.from === 'known' ? start.position : null
    const name = known?.path ?? path ?? ''
    const tail =
      start.from === 'known'
        ? await resumeTail(handle, start.position)
        : newTail({ path: name, dev, ino, endedAtMs: start.endedAtMs })
    const file: Followed = {
      key,
      source: sourceOf(name, config),
      tail,
      path,
      largest: tail.offset,
      mtimeNs: -1n,
      changedMs: clock.monotonicMs(),
      caughtUpMs: null,
      finishing: false,
      replaced: false,
    }
    byKey.set(key, file)
    met.push(file)
    if (path === null) handles.pin(key, true)
    else byPath.set(path, file)
    waiting.delete(path ?? '')
    if (start.from === 'known' && start.changes !== undefined) batcher.note({ changes: start.changes })
    log.debug({ path, name, offset: tail.offset }, 'following file')
  }

  /** Files of the earlier run that are at no configured path now: renamed or deleted while nobody looked. */
  async function meetOrphans(): Promise<void> {
    const folders = new Map<string, ReadonlyMap<string, string>>()
    for (const position of starts.orphans()) {
      const folder = dirname(position.path)
      const files = folders.get(folder) ?? (await filesIn(folder))
      folders.set(folder, files)
      const path = files.get(fileKey(position))
      try {
        await meetOrphan(position, path)
      } catch (error) {
        problem(path ?? position.path, error) // Its position stays: it may be readable later.
      }
    }
  }

  async function meetOrphan(position: FilePosition, path: string | undefined): Promise<void> {
    const key = fileKey(position)
    const config = configOf(position.path)
    if (config === undefined && path !== undefined) return // Not configured any more; it may be again.
    const handle = path === undefined ? null : await handles.acquire(key, path)
    starts.claim(key)
    try {
      if (handle !== null && config !== undefined && (await holdsWhatWasRead(handle, position))) {
        const { dev, ino } = position
        return await follow({ path: null, key, dev, ino, handle }, { from: 'known', position }, config)
      }
    } finally {
      if (handle !== null) handles.release(key)
    }
    if (config !== undefined) starts.gone(position, { reason: 'deleted before it was read', bytes: null })
    batcher.note({ changes: { [key]: null } })
  }

  // Reading.

  async function readTurn(file: Followed): Promise<boolean> {
    if (byKey.get(file.key) !== file) return false
    try {
      const handle = await (file.path === null ? reach(file) : handles.acquire(file.key, file.path))
      if (handle === null) return false // Another file is there; the next look sees that.
      try {
        const outcome = file.replaced ? 'end' : await readFollowed(file, handle, reading)
        if (outcome === 'replaced') replaced(file)
        if (outcome === 'end' && file.path !== null) problems.recovered(file.path)
        return outcome === 'more'
      } finally {
        handles.release(file.key)
      }
    } catch (error) {
      if (!stopping.signal.aborted) problem(file.path ?? file.source.path, error)
      return false
    }
  }

  function replaced(file: Followed): void {
    const unread = Math.max(0, file.largest - file.tail.offset)
    starts.gone(file.tail.position, { reason: 'truncated before it was read', bytes: unread })
    log.info({ path: file.source.path, unreadBytes: unread }, 'file was truncated: reading it from its start')
    file.replaced = true
    loop.hurry()
  }

  function restart(file: Followed): void {
    if (byKey.get(file.key) !== file) return
    startAgain(file, batcher)
    met.push(file)
  }

  function problem(path: string, cause: unknown): void {
    problems.found(path, cause, expanded?.startMs ?? 0)
  }

  return {
    start() {
      loop.start()
      return Promise.resolve()
    },
    async stop() {
      stopping.abort()
      queue.stop()
      await loop.stop()
      await queue.idle()
      watch.close()
      const drops = starts.losses({ now: true })
      if (drops.length > 0) batcher.note({ drops })
      await handles.closeAll()
    },
    async sweep() {
      do {
        expanded = null
        await lookAtAll()
        await queue.idle()
      } while ([...byKey.values()].some((file) => file.replaced))
    },
    readThroughMs() {
      if (discoveredMs === null) return null
      let throughMs = discoveredMs
      for (const { caughtUpMs } of byKey.values()) {
        if (caughtUpMs === null) return null
        throughMs = Math.min(throughMs, caughtUpMs)
      }
      return throughMs
    },
    status() {
      let behindBytes = 0
      for (const { largest, tail } of byKey.values()) behindBytes += Math.max(0, largest - tail.lookedTo)
      return {
        files: byKey.size,
        open: handles.size,
        behindBytes,
        problems: problems.list(),
      }
    },
  }
}

function sourceOf(path: string, { service, tier, labels }: FilesConfig): BatchSource {
  return {
    path,
    ...(service === undefined ? {} : { service }),
    ...(tier === undefined ? {} : { tier }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  }
}

function statOf(path: string): Promise<BigIntStats | Error> {
  return stat(path, { bigint: true }).catch((error: unknown) => error as Error)
}
