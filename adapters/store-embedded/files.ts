import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Fs } from '../../core/ports.ts'
import { encodeFile, readIfThere, scanFrames } from './framed-file.ts'

const NAME_DIGITS = 12
const READ_BYTES = 1 << 20
/** A file that is being written, or that no catalog entry stands for yet, ends in this. */
const DRAFT = '.tmp'

/** The files of a segment: its records, what is in its blocks (segment-index.ts), its roll-ups (roll-up-sql.ts). */
const SUFFIXES = { parquet: '.parquet', index: '.index', rollup: '.rollup.parquet' } as const
export type SegmentFile = keyof typeof SUFFIXES
export const SEGMENT_FILES = Object.keys(SUFFIXES) as readonly SegmentFile[]

export interface FileSum {
  readonly bytes: number
  readonly crc32: number
}

export type Paths = ReturnType<typeof pathsOf>

/** Names of everything in a store's directory. */
export function pathsOf(dir: string) {
  const name = (id: number) => String(id).padStart(NAME_DIGITS, '0')
  const segment = (id: number, file: SegmentFile) => join(dir, 'seg', `${name(id)}${SUFFIXES[file]}`)
  return {
    dir,
    wal: join(dir, 'wal'),
    seg: join(dir, 'seg'),
    aside: join(dir, 'aside'),
    catalog: join(dir, 'catalog'),
    ledger: join(dir, 'ledger'),
    walFile: (gen: number) => join(dir, 'wal', `${name(gen)}.wal`),
    segment,
    draft: (id: number, file: SegmentFile) => `${segment(id, file)}${DRAFT}`,
  }
}

/** Numbers of the files in a folder that end in `suffix`, ascending. */
export function numbersOf(names: readonly string[], suffix: string): number[] {
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
    .filter((digits) => /^\d+$/.test(digits))
    .map(Number)
    .filter((number) => Number.isSafeInteger(number) && number > 0)
}

/** The segment that a file in `seg` belongs to; null for any other file. */
export function segmentOfName(
  name: string,
): { readonly id: number; readonly file: SegmentFile; readonly isDraft: boolean } | null {
  const isDraft = name.endsWith(DRAFT)
  const bare = isDraft ? name.slice(0, -DRAFT.length) : name
  for (const file of SEGMENT_FILES) {
    const [id] = numbersOf([bare], SUFFIXES[file])
    if (id !== undefined) return { id, file, isDraft }
  }
  return null
}

export async function checksum(fs: Fs, path: string): Promise<FileSum> {
  const file = await fs.openRead(path)
  try {
    let sum = 0
    let bytes = 0
    for (
      let part = await file.read(0, READ_BYTES);
      part.length > 0;
      part = await file.read(bytes, READ_BYTES)
    ) {
      sum = crc32(part, sum)
      bytes += part.length
    }
    return { bytes, crc32: sum }
  } finally {
    await file.close()
  }
}

/** What is wrong with a file, if anything; reads all of it. */
export async function problemOfFile(fs: Fs, path: string, sum: FileSum): Promise<string | undefined> {
  if ((await fs.size(path)) === null) return 'missing'
  const found = await checksum(fs, path)
  if (found.bytes !== sum.bytes) return 'wrong length'
  return found.crc32 === sum.crc32 ? undefined : 'checksum is wrong'
}

export interface Frames {
  /** Length of the file as it was found. */
  readonly bytes: number
  readonly payloads: readonly Buffer[]
  readonly end: number
  readonly damaged: boolean
}

/** The good frames of a file. When it is damaged a copy is put beside and only the good frames stay. */
export async function readFrames(fs: Fs, path: string, paths: Paths): Promise<Frames> {
  const bytes = await readIfThere(fs, path)
  const { payloads, end, damagedBytes } = scanFrames(bytes)
  if (damagedBytes === 0) return { bytes: bytes.length, payloads, end, damaged: false }
  await fs.replaceFile(await freeName(fs, paths.aside, basename(path)), bytes)
  const kept = encodeFile(payloads)
  await fs.replaceFile(path, kept)
  return { bytes: bytes.length, payloads, end: kept.length, damaged: true }
}

/** Puts a file of the segments' folder beside. */
export async function moveAside(fs: Fs, path: string, paths: Paths): Promise<void> {
  await fs.rename(path, await freeName(fs, paths.aside, basename(path)))
  await fs.syncDir(paths.aside)
  await fs.syncDir(paths.seg)
}

/** Never replaces what was put beside earlier. */
async function freeName(fs: Fs, folder: string, name: string): Promise<string> {
  const taken = new Set(await fs.list(folder))
  let free = name
  for (let i = 1; taken.has(free); i++) free = `${name}.${i}`
  return join(folder, free)
}
