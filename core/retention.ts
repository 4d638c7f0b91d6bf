import { matchesGlob } from 'node:path'
import type { LogRecord } from './record.ts'

/** How long and how much of one kind of records is kept. */
export interface RetentionClass {
  readonly name: string
  /** A record is gone at most so long after min(its time, its ingest), and is kept for three quarters of it at least. 4 s or more. */
  readonly maxAgeMs: number
  /** The oldest partitions of the class go when it is larger; null: no cap of its own. */
  readonly bytesMax: number | null
  /** A record belongs to the first class that it matches; absent parts match everything. Paths are globs, as `node:path` matches them. */
  readonly match: {
    readonly sites?: readonly string[] | undefined
    readonly services?: readonly string[] | undefined
    readonly levels?: readonly string[] | undefined
    readonly paths?: readonly string[] | undefined
  }
}

/** Classes in the order in which they are tried; the last one takes everything. */
export interface Retention {
  readonly classes: readonly RetentionClass[]
  /** All classes together, on disk; null: no cap. */
  readonly bytesMax: number | null
}

/** Keeps everything for ever. */
export const KEEP_ALL: Retention = {
  classes: [{ name: 'all', maxAgeMs: Infinity, bytesMax: null, match: {} }],
  bytesMax: null,
}

export type Retained = Pick<LogRecord, 'site' | 'service' | 'level' | 'path'>

const MINUTE_MS = 60_000
const SLOT_MS_MIN = 1_000
/** Widths that people can name; a slot is the widest that is at most a quarter of maxAge. */
const SLOTS_MS = [SLOT_MS_MIN, ...[1, 5, 15, 60, 180, 360, 720, 1_440].map((minutes) => minutes * MINUTE_MS)]
const SLOT_SHARE_MAX = 1 / 4
/** More than a large site has log files; when there are more, they are looked at again. */
const PATHS_KNOWN_MAX = 10_000

/**
 * Width of a class's time slots in ms: at most a quarter of its maxAge, so that dropping whole slots is precise enough.
 * Below 4 s, which the configuration refuses, it is one second.
 */
export function slotMsOf({ maxAgeMs }: Pick<RetentionClass, 'maxAgeMs'>): number {
  return SLOTS_MS.findLast((slotMs) => slotMs <= maxAgeMs * SLOT_SHARE_MAX) ?? SLOT_MS_MIN
}

/** When a record counts as made: a time from the future buys nothing. */
function agedFromMs({ timeMs, ingestedMs }: Pick<LogRecord, 'timeMs' | 'ingestedMs'>): number {
  return Math.min(timeMs, ingestedMs)
}

/** Start of the slot that a record lies in. */
export function slotOf(record: Pick<LogRecord, 'timeMs' | 'ingestedMs'>, slotMs: number): number {
  return Math.floor(agedFromMs(record) / slotMs) * slotMs
}

/** When everything of a slot is gone at the latest. */
export function purgeAtMs(slotStartMs: number, { maxAgeMs }: Pick<RetentionClass, 'maxAgeMs'>): number {
  return slotStartMs + maxAgeMs
}

/** Does its slot have to be gone already? */
export function isExpired(
  record: Pick<LogRecord, 'timeMs' | 'ingestedMs'>,
  retentionClass: Pick<RetentionClass, 'maxAgeMs'>,
  nowMs: number,
): boolean {
  return purgeAtMs(slotOf(record, slotMsOf(retentionClass)), retentionClass) <= nowMs
}

/** Gives the index of the class that a record belongs to. It remembers which paths match, so make it once. */
export function createClassifier({ classes }: Retention): (record: Retained) => number {
  const last = classes.length - 1
  const tests = classes.map(({ match }) => createMatch(match))
  return (record) => {
    const found = tests.findIndex((matches) => matches(record))
    return found < 0 ? last : found
  }
}

function createMatch({
  sites,
  services,
  levels,
  paths,
}: RetentionClass['match']): (record: Retained) => boolean {
  const isPath = paths === undefined ? null : createGlobs(paths)
  return (record) => {
    if (levels !== undefined && !levels.includes(record.level)) return false
    if (services !== undefined && !services.includes(record.service)) return false
    if (sites !== undefined && !sites.includes(record.site)) return false
    return isPath === null || isPath(record.path)
  }
}

/** Matching a glob takes some µs, which is too long for every record. */
function createGlobs(globs: readonly string[]): (path: string) => boolean {
  const known = new Map<string, boolean>()
  return (path) => {
    const before = known.get(path)
    if (before !== undefined) return before
    const found = globs.some((glob) => path === glob || matchesGlob(path, glob))
    if (known.size >= PATHS_KNOWN_MAX) known.clear()
    known.set(path, found)
    return found
  }
}
