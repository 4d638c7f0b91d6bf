import { constants } from 'node:fs'
import { access, glob } from 'node:fs/promises'
import { basename, dirname, join, matchesGlob, resolve } from 'node:path'
import type { FilesConfig } from '../core/config.ts'
import { messageOf } from '../core/errors.ts'
import type { SourceProblem } from './source.ts'

/** More files are not followed; the pattern is then reported. */
const FILES_MAX = 20_000
/** What rotation leaves compressed was read before that. */
const COMPRESSED = /\.(gz|bz2|xz|zst|lz4|zip)$/
const MAGIC = /[*?{}[\]()!+@]/

/** The configured files. A path belongs to the first entry of `collector.files` that matches it. */
export interface FileGlobs {
  expand(): Promise<ReadonlyMap<string, FilesConfig>>
  /** What `expand` would say of one path. */
  match(path: string): FilesConfig | undefined
  /** The fixed first parts of the patterns. */
  folders(): readonly string[]
  /** Patterns that gave nothing, or not everything, at the last `expand`. */
  problems(): readonly SourceProblem[]
}

interface Group {
  readonly config: FilesConfig
  readonly patterns: readonly string[]
  readonly excluded: (path: string) => boolean
}

export function createFileGlobs(files: readonly FilesConfig[]): FileGlobs {
  const groups: readonly Group[] = files.map((config) => ({
    config,
    patterns: config.paths.map((path) => resolve(path)),
    excluded: excluder(config.exclude),
  }))
  const patterns = groups.flatMap((group) => group.patterns)
  let reasons = new Map<string, string>()

  async function expandPattern(pattern: string, group: Group, into: Map<string, FilesConfig>): Promise<void> {
    let matched = false
    for await (const path of glob(pattern)) {
      if (group.excluded(path)) continue
      matched = true
      if (into.size < FILES_MAX || into.has(path)) into.set(path, into.get(path) ?? group.config)
      else reasons.set(pattern, `matches more than ${FILES_MAX} files: the others are not followed`)
    }
    if (!matched) reasons.set(pattern, await whyNothing(fixedFolder(pattern)))
  }

  return {
    async expand() {
      reasons = new Map()
      const found = new Map<string, FilesConfig>()
      for (const group of groups) {
        for (const pattern of group.patterns) await expandPattern(pattern, group, found)
      }
      return found
    },
    match(path) {
      return groups.find(
        ({ patterns, excluded }) =>
          patterns.some((pattern) => path === pattern || matchesGlob(path, pattern)) && !excluded(path),
      )?.config
    },
    folders: () => [...new Set(patterns.map(fixedFolder))],
    problems: () => [...reasons].map(([path, reason]) => ({ path, reason })),
  }
}

/** A pattern without a slash is held against the name alone, as in .gitignore. */
function excluder(patterns: readonly string[]): (path: string) => boolean {
  const byName = patterns.filter((pattern) => !pattern.includes('/'))
  const byPath = patterns
    .filter((pattern) => pattern.includes('/'))
    .map((pattern) => (pattern.startsWith('**') ? pattern : resolve(pattern)))
  return (path) =>
    COMPRESSED.test(path) ||
    byName.some((pattern) => matchesGlob(basename(path), pattern)) ||
    byPath.some((pattern) => matchesGlob(path, pattern))
}

/** The folder in which everything that a pattern can match lies. */
function fixedFolder(pattern: string): string {
  const parts = pattern.split('/')
  const first = parts.findIndex((part) => MAGIC.test(part))
  return first === -1 ? dirname(pattern) : join('/', ...parts.slice(0, first))
}

async function whyNothing(folder: string): Promise<string> {
  try {
    await access(folder, constants.R_OK | constants.X_OK)
    return 'matches no file'
  } catch (error) {
    return `its folder cannot be read: ${messageOf(error)}`
  }
}
