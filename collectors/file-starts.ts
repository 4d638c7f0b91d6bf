import type { FileHandle } from 'node:fs/promises'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../core/ports.ts'
import type { Drop } from '../core/wire.ts'
import {
  HEAD_BYTES,
  fileKey,
  filePosition,
  holdsWhatWasRead,
  rotatedFrom,
  sameHead,
  type FilePosition,
} from './file-identity.ts'
import type { PositionChanges, Positions } from './spool/types.ts'

/** How long content that was truncated away or not found again may turn up as a rotated copy before it is called lost. */
const COPY_GRACE_MS = 3_000
/** A file that starts like another one and is named like its copy waits for this long for the truncation that proves it … */
const COPY_STILL_MS = 5_000
/** … and while it still grows, for this long. */
const COPY_WAIT_MS = 60_000
/** How long, and of how many files, content that went away is remembered. */
const FORMER_MS = 60_000
const FORMERS_MAX = 1_000
/** A folder with more names is not searched for a file that was renamed. */
const SEARCHED_MAX = 20_000

/** A file that is seen for the first time. */
export interface NewFile {
  readonly path: string
  readonly key: string
  readonly dev: string
  readonly ino: string
  readonly size: number
  readonly handle: FileHandle
  /** Wall clock when its predecessor at that path was last read to its end, 0 without one: nothing in it is older. */
  readonly notBeforeMs: number
}

/** `known`: go on from the position, which has to be kept by `changes` when it is another file's. `wait`: ask again at the next look. */
export type Start =
  | { readonly from: 'known'; readonly position: FilePosition; readonly changes?: PositionChanges }
  | { readonly from: 'start'; readonly endedAtMs: number }
  | { readonly from: 'wait' }

/** Decides where the reading of a new file starts, from what was read before, here or in an earlier run. */
export interface FileStarts {
  /** `live` gives the position of the file that is followed at a path. */
  startOf(file: NewFile, live: (path: string) => FilePosition | undefined): Promise<Start>
  /** What was read up to `position` is gone, with `bytes` unread bytes (null: nobody knows how many; 0: none). */
  gone(position: FilePosition, loss: { readonly reason: string; readonly bytes: number | null }): void
  /** Losses that no copy made good in time; with `now` also those that still could. */
  losses(options: { readonly now: boolean }): Drop[]
  /** Positions of the earlier run that no file has claimed yet. */
  orphans(): readonly FilePosition[]
  /** Takes an orphan out. */
  claim(key: string): void
}

interface Former {
  readonly position: FilePosition
  readonly goneMs: number
  loss: { readonly reason: string; readonly bytes: number | null } | null
}

export function createFileStarts({ positions, clock }: { positions: Positions; clock: Clock }): FileStarts {
  const known = new Map<string, FilePosition>()
  for (const [key, value] of Object.entries(positions)) {
    const position = filePosition(value)
    if (position !== null) known.set(key, position)
  }
  let formers: Former[] = [] // oldest first; a path may have several
  const untold: Drop[] = []
  const waiting = new Map<string, { readonly sinceMs: number; changedMs: number; size: number }>() // by key

  function tell({ position, loss }: Former): void {
    if (loss === null || loss.bytes === 0) return
    const toMs = clock.nowMs()
    const fromMs = Math.min(position.endedAtMs, toMs)
    untold.push({ reason: loss.reason, records: null, bytes: loss.bytes, fromMs, toMs, path: position.path })
  }

  function gone(position: FilePosition, loss: Former['loss']): void {
    formers.push({ position, goneMs: clock.monotonicMs(), loss })
    for (const former of formers.splice(0, formers.length - FORMERS_MAX)) tell(former)
  }

  async function copiedFormer(
    { size, handle }: NewFile,
    candidates: readonly Former[],
  ): Promise<Former | null> {
    for (const former of candidates) {
      const { position } = former
      if (position.offset === 0 || size < position.offset) continue
      if (await holdsWhatWasRead(handle, position)) return former
    }
    return null
  }

  /** The position that the earlier run left for this very file, if the file still holds what was read. */
  async function ownPosition({ key, path, size, handle }: NewFile): Promise<Start | null> {
    const own = known.get(key)
    if (own === undefined) return null
    known.delete(key)
    if (own.offset === 0) return null // It says nothing about the content.
    if (size >= own.offset && (await holdsWhatWasRead(handle, own))) return { from: 'known', position: own }
    gone(own, { reason: 'truncated before it was read', bytes: null })
    return { from: 'start', endedAtMs: own.path === path ? own.endedAtMs : 0 }
  }

  /** The same content at the same path under another number: devices are renumbered at boot, editors write files anew. */
  async function renumbered({ path, dev, ino, size, handle }: NewFile): Promise<Start | null> {
    for (const [key, position] of known) {
      if (position.path !== path || size < position.offset) continue
      const sure =
        position.ino === ino ||
        (position.headBytes === HEAD_BYTES && !(await filesIn(dirname(path))).has(key))
      if (!sure || !(await holdsWhatWasRead(handle, position))) continue
      known.delete(key)
      return movedTo({ ...position, dev, ino }, { [key]: null })
    }
    return null
  }

  /** A copy of content that is gone goes on where that was read to; one of content that is still there has to wait. */
  async function copied(
    file: NewFile,
    live: (path: string) => FilePosition | undefined,
  ): Promise<Start | null> {
    const { path, dev, ino, handle } = file
    for (const original of rotatedFrom(path)) {
      // Both at one moment: the original may be found truncated while this waits for the disk.
      const candidates = formers.filter(({ position }) => position.path === original)
      const there = live(original) ?? [...known.values()].find(({ path }) => path === original)
      const former = await copiedFormer(file, candidates)
      if (former !== null) {
        former.loss = null
        return movedTo({ ...former.position, dev, ino })
      }
      const alike = there !== undefined && there.headBytes > 0 && (await sameHead(handle, there))
      if (alike && mayWait(file)) return { from: 'wait' }
    }
    return null
  }

  function mayWait({ key, size }: NewFile): boolean {
    const nowMs = clock.monotonicMs()
    const wait = waiting.get(key) ?? { sinceMs: nowMs, changedMs: nowMs, size }
    waiting.set(key, wait)
    if (wait.size !== size) Object.assign(wait, { changedMs: nowMs, size })
    return nowMs - wait.changedMs < COPY_STILL_MS && nowMs - wait.sinceMs < COPY_WAIT_MS
  }

  return {
    async startOf(file, live) {
      const start = (await ownPosition(file)) ??
        (await renumbered(file)) ??
        (await copied(file, live)) ?? { from: 'start', endedAtMs: file.notBeforeMs }
      if (start.from !== 'wait') waiting.delete(file.key)
      return start
    },
    gone,
    losses({ now }) {
      const nowMs = clock.monotonicMs()
      for (const former of formers) {
        if (!now && nowMs - former.goneMs < COPY_GRACE_MS) continue
        tell(former)
        former.loss = null
      }
      formers = formers.filter(({ goneMs }) => nowMs - goneMs < FORMER_MS)
      for (const [key, { changedMs }] of waiting) if (nowMs - changedMs >= FORMER_MS) waiting.delete(key)
      return untold.splice(0)
    },
    orphans: () => [...known.values()],
    claim: (key) => void known.delete(key),
  }
}

function movedTo(position: FilePosition, changes: PositionChanges = {}): Start {
  return { from: 'known', position, changes: { ...changes, [fileKey(position)]: position } }
}

/** The files in a folder by key: where a rotation leaves what it renames. */
export async function filesIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder).catch(() => [])
  const files = new Map<string, string>()
  for (const name of names.slice(0, SEARCHED_MAX)) {
    const path = join(folder, name)
    const stats = await stat(path, { bigint: true }).catch(() => null)
    if (stats?.isFile() === true) files.set(fileKey(stats), path)
  }
  return files
}
