import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { LOCK_FILE, inUse } from '../../core/fs.ts'
import type { AppendFile, Fs, ReadFile } from '../../core/ports.ts'

/** The power is gone: every call on this Fs fails from now on. */
export class PowerLoss extends Error {
  override readonly name = 'PowerLoss'
}

export type FsOperation =
  'create' | 'write' | 'truncate' | 'sync' | 'syncDir' | 'rename' | 'remove' | 'mkdir' | 'lock'

/**
 * An Fs in memory that knows what a power cut leaves behind: bytes up to the last `sync` of their file, names as of the last
 * `syncDir` of their folder. Making a folder is durable at once, as it is on disk.
 */
export interface PowerLossFs extends Fs {
  /** Operations that changed something, so far; each is a boundary at which `crashAt` can cut. */
  readonly operations: number
  /** Room on the device: a write takes what fits and then fails with ENOSPC. */
  diskBytesMax: number
  /** Asked before every operation that changes something; an Error makes it fail without effect. */
  fault: ((operation: FsOperation, path: string) => Error | undefined) | undefined
  /** Cuts the power at the n-th operation: it happens or not (by `random`), its caller and all later ones get PowerLoss. */
  crashAt(operation: number): void
  /**
   * What the next boot finds; this Fs is dead from now on. Without `random` everything that was not synced is gone; with it,
   * a part of it may be there: some of the names, a prefix of the bytes, or all bytes with a hole of zeros.
   */
  crash(random?: () => number): PowerLossFs
  /** What the next process finds after kill -9: every byte written, no lock held. This Fs is dead from now on. */
  kill(): PowerLossFs
  /** Rots bytes of a file in place. */
  damage(path: string, offset: number, bytes?: number): void
}

interface PowerLossOptions {
  readonly diskBytesMax?: number
  /**
   * Decides whether the operation at which the power is cut still happens (default: it does not), and for how many turns of the
   * event loop a sync takes (default: none), so that work piles up behind it as it does behind a disk.
   */
  readonly random?: (() => number) | undefined
}

const SYNC_TURNS_MAX = 40

/** Content is `data[0..size]`; a power cut leaves `data[0..stable]` and then `cut`, the durable end that a truncation took off. */
interface Inode {
  data: Buffer
  size: number
  stable: number
  cut: Buffer
}

interface NameChange {
  readonly folder: string
  readonly apply: (names: Map<string, Inode>) => void
}

interface Disk {
  readonly folders: Set<string>
  readonly names: Map<string, Inode>
  readonly durableNames: Map<string, Inode>
  /** Changes of names that no syncDir has made durable, oldest first. */
  pending: NameChange[]
  readonly locks: Set<string>
  readonly random: (() => number) | undefined
  diskBytesMax: number
  fault: PowerLossFs['fault']
  operations: number
  crashAt: number
  dead: boolean
}

/** An empty disk. */
export function createPowerLossFs(options: PowerLossOptions = {}): PowerLossFs {
  return mount(emptyDisk(options))
}

function emptyDisk({ diskBytesMax = Infinity, random }: PowerLossOptions): Disk {
  return {
    folders: new Set(['/', '.']),
    names: new Map(),
    durableNames: new Map(),
    pending: [],
    locks: new Set(),
    random,
    diskBytesMax,
    fault: undefined,
    operations: 0,
    crashAt: Infinity,
    dead: false,
  }
}

function mount(disk: Disk): PowerLossFs {
  return {
    ...reading(disk),
    ...changing(disk),
    get operations() {
      return disk.operations
    },
    get diskBytesMax() {
      return disk.diskBytesMax
    },
    set diskBytesMax(bytes) {
      disk.diskBytesMax = bytes
    },
    get fault() {
      return disk.fault
    },
    set fault(fault) {
      disk.fault = fault
    },
    crashAt(operation) {
      disk.crashAt = operation
    },
    crash: (random) => mount(reboot(disk, random)),
    kill: () => mount(restart(disk)),
    damage(path, offset, bytes = 1) {
      const { data } = inodeAt(disk, path)
      for (let at = offset; at < offset + bytes; at += 1) data[at] = (data[at] ?? 0) ^ 0x5a
    },
  }
}

function reading(disk: Disk): Pick<Fs, 'list' | 'size' | 'readFile' | 'openRead'> {
  return {
    async list(path) {
      await alive(disk)
      const inside = [...disk.names.keys(), ...disk.folders].filter(
        (name) => name !== path && dirname(name) === path,
      )
      return inside.map((name) => name.slice(dirname(name).length).replace(/^\//, '')).sort()
    },
    async size(path) {
      await alive(disk)
      return disk.names.get(path)?.size ?? null
    },
    async readFile(path) {
      await alive(disk)
      return contentOf(inodeAt(disk, path))
    },
    async openRead(path) {
      await alive(disk)
      return readerOf(disk, inodeAt(disk, path))
    },
  }
}

function readerOf(disk: Disk, inode: Inode): ReadFile {
  return {
    async read(offset, length) {
      await alive(disk)
      return Buffer.from(inode.data.subarray(offset, Math.min(offset + length, inode.size)))
    },
    async size() {
      await alive(disk)
      return inode.size
    },
    async close() {},
  }
}

function changing(disk: Disk): Omit<Fs, 'list' | 'size' | 'readFile' | 'openRead'> {
  return {
    mkdir: (path) => change(disk, 'mkdir', path, () => addFolders(disk, path)),
    openAppend: async (path) => appenderOf(disk, path, await createIfMissing(disk, path)),
    replaceFile: (path, bytes) => replace(disk, path, bytes),
    truncate: (path, size) => change(disk, 'truncate', path, () => cutTo(inodeAt(disk, path), size)),
    rename: (from, to) => change(disk, 'rename', from, () => renameNow(disk, from, to)),
    remove: (path) => change(disk, 'remove', path, () => removeNow(disk, path)),
    syncFile: (path) => change(disk, 'sync', path, () => makeStable(inodeAt(disk, path))),
    syncDir: (path) => change(disk, 'syncDir', path, () => syncNames(disk, path)),
    lock: (path) => change(disk, 'lock', path, () => lockNow(disk, path)),
  }
}

/** Every operation that changes something goes through here: one boundary each. */
async function change<T>(disk: Disk, operation: FsOperation, path: string, act: () => T): Promise<T> {
  await alive(disk)
  if (operation === 'sync' && disk.random !== undefined) {
    for (let turns = below(SYNC_TURNS_MAX, disk.random); turns > 0; turns -= 1) await setImmediate()
    await alive(disk)
  }
  const error = disk.fault?.(operation, path)
  if (error !== undefined) throw error
  disk.operations += 1
  if (disk.operations < disk.crashAt) return act()
  disk.dead = true
  if (disk.random !== undefined && disk.random() < 0.5) act()
  throw new PowerLoss('the power went away')
}

async function alive(disk: Disk): Promise<void> {
  await Promise.resolve()
  if (disk.dead) throw new PowerLoss('the power is off')
}

async function createIfMissing(disk: Disk, path: string): Promise<Inode> {
  await alive(disk)
  return disk.names.get(path) ?? change(disk, 'create', path, () => create(disk, path))
}

function create(disk: Disk, path: string): Inode {
  const folder = dirname(path)
  if (!disk.folders.has(folder)) throw systemError('ENOENT', `no such folder: ${folder}`)
  const inode = { data: Buffer.alloc(0), size: 0, stable: 0, cut: Buffer.alloc(0) }
  changeNames(disk, folder, (names) => names.set(path, inode))
  return inode
}

function appenderOf(disk: Disk, path: string, inode: Inode): AppendFile {
  return {
    get size() {
      return inode.size
    },
    write: (bytes) => change(disk, 'write', path, () => append(disk, inode, bytes)),
    sync: () => change(disk, 'sync', path, () => makeStable(inode)),
    async close() {},
  }
}

async function replace(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    if (disk.names.has(temporary)) removeNow(disk, temporary)
    const inode = await change(disk, 'create', temporary, () => create(disk, temporary))
    await change(disk, 'write', temporary, () => append(disk, inode, bytes))
    await change(disk, 'sync', temporary, () => makeStable(inode))
    await change(disk, 'rename', temporary, () => renameNow(disk, temporary, path))
  } catch (error) {
    if (!disk.dead) removeNow(disk, temporary)
    throw error
  }
  await change(disk, 'syncDir', dirname(path), () => syncNames(disk, dirname(path)))
}

function append(disk: Disk, inode: Inode, bytes: Uint8Array): void {
  const room = disk.diskBytesMax === Infinity ? Infinity : disk.diskBytesMax - usedBytes(disk)
  const taken = bytes.subarray(0, Math.max(0, Math.min(room, bytes.length)))
  const size = inode.size + taken.length
  if (size > inode.data.length) {
    const grown = Buffer.alloc(Math.max(size, 2 * inode.data.length))
    inode.data.copy(grown, 0, 0, inode.size)
    inode.data = grown
  }
  inode.data.set(taken, inode.size)
  inode.size = size
  if (taken.length < bytes.length) throw systemError('ENOSPC', 'no space left on device')
}

function usedBytes(disk: Disk): number {
  return [...disk.names.values()].reduce((total, inode) => total + inode.size, 0)
}

function cutTo(inode: Inode, size: number): void {
  if (size < inode.stable) {
    inode.cut = Buffer.concat([inode.data.subarray(size, inode.stable), inode.cut])
    // What is written there next must not change what a power cut leaves.
    inode.data = Buffer.from(inode.data)
    inode.stable = size
  }
  inode.size = Math.min(size, inode.size)
}

function makeStable(inode: Inode): void {
  inode.stable = inode.size
  inode.cut = Buffer.alloc(0)
}

function renameNow(disk: Disk, from: string, to: string): void {
  const inode = inodeAt(disk, from)
  if (dirname(from) === dirname(to)) {
    changeNames(disk, dirname(to), (names) => {
      names.delete(from)
      names.set(to, inode)
    })
    return
  }
  changeNames(disk, dirname(to), (names) => names.set(to, inode))
  changeNames(disk, dirname(from), (names) => names.delete(from))
}

function removeNow(disk: Disk, path: string): void {
  if (disk.names.has(path)) changeNames(disk, dirname(path), (names) => names.delete(path))
}

function changeNames(disk: Disk, folder: string, apply: NameChange['apply']): void {
  apply(disk.names)
  disk.pending.push({ folder, apply })
}

function syncNames(disk: Disk, folder: string): void {
  for (const { apply } of disk.pending.filter((change) => change.folder === folder)) apply(disk.durableNames)
  disk.pending = disk.pending.filter((change) => change.folder !== folder)
}

function addFolders(disk: Disk, path: string): void {
  for (let at = path; !disk.folders.has(at); at = dirname(at)) disk.folders.add(at)
}

function lockNow(disk: Disk, path: string): { release(): Promise<void> } {
  if (disk.locks.has(path)) throw inUse(path)
  addFolders(disk, path)
  if (!disk.names.has(join(path, LOCK_FILE))) create(disk, join(path, LOCK_FILE))
  disk.locks.add(path)
  return {
    async release() {
      disk.locks.delete(path)
    },
  }
}

/** The names a boot finds, each with its content; a random number of the un-synced changes of a folder got through, in order. */
function afterPowerLoss(disk: Disk, random: (() => number) | undefined): Map<string, Inode> {
  const names = new Map(disk.durableNames)
  for (const folder of disk.folders) {
    if (random === undefined) break
    const changes = disk.pending.filter((change) => change.folder === folder)
    for (const { apply } of changes.slice(0, below(changes.length + 1, random))) apply(names)
  }
  for (const [name, inode] of names) {
    const data = survivingBytes(inode, random)
    names.set(name, { data, size: data.length, stable: data.length, cut: Buffer.alloc(0) })
  }
  return names
}

function survivingBytes(inode: Inode, random: (() => number) | undefined): Buffer {
  const kept = Buffer.concat([inode.data.subarray(0, inode.stable), inode.cut])
  if (random === undefined) return kept
  if (inode.cut.length > 0) return random() < 0.5 ? kept : contentOf(inode)
  const loose = inode.size - inode.stable
  if (random() < 0.6) return Buffer.from(inode.data.subarray(0, inode.stable + below(loose + 1, random)))
  const holed = contentOf(inode)
  const from = inode.stable + below(loose + 1, random)
  return holed.fill(0, from, from + below(inode.size - from + 1, random))
}

function reboot(disk: Disk, random: (() => number) | undefined): Disk {
  disk.dead = true
  const names = afterPowerLoss(disk, random)
  const options = { diskBytesMax: disk.diskBytesMax, random: random ?? disk.random }
  return { ...emptyDisk(options), folders: new Set(disk.folders), names, durableNames: new Map(names) }
}

/** The next process sees the same disk, with the same things not yet synced. */
function restart(disk: Disk): Disk {
  disk.dead = true
  return { ...disk, locks: new Set(), fault: undefined, operations: 0, crashAt: Infinity, dead: false }
}

function inodeAt(disk: Disk, path: string): Inode {
  const inode = disk.names.get(path)
  if (inode === undefined) throw systemError('ENOENT', `no such file: ${path}`)
  return inode
}

function contentOf(inode: Inode): Buffer {
  return Buffer.from(inode.data.subarray(0, inode.size))
}

function below(limit: number, random: () => number): number {
  return Math.floor(random() * limit)
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
