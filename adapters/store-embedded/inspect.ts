import { basename, join } from 'node:path'
import { ServiceError, messageOf } from '../../core/errors.ts'
import { systemClock } from '../../core/clock.ts'
import { nodeFs } from '../../core/fs.ts'
import type { Clock, Fs, PartitionStats, StoreStats } from '../../core/ports.ts'
import type { Retention } from '../../core/retention.ts'
import { EMPTY_CATALOG, decodeCatalogEntry, withEntry } from './catalog.ts'
import type { CatalogState, SegmentEntry } from './catalog.ts'
import { decodeColumns } from './columns.ts'
import { openDuckDb } from './duckdb.ts'
import type { Sql } from './duckdb.ts'
import { SEGMENT_FILES, numbersOf, pathsOf, problemOfFile, segmentOfName } from './files.ts'
import type { Paths } from './files.ts'
import { readIfThere, scanFrames } from './framed-file.ts'
import { createPolicies } from './partitions.ts'
import { decodeSegmentIndex } from './segment-index.ts'
import { partitionsOf } from './stats.ts'
import { sqlText } from './text-sql.ts'
import { decodeEntry } from './wal-entry.ts'

const MEMORY_MB_MAX = 128

export interface Finding {
  readonly file: string
  readonly problem: string
}

/** What was looked at, and what is wrong. */
export interface Verification {
  readonly files: number
  readonly bytes: number
  readonly records: number
  readonly segments: number
  readonly problems: readonly Finding[]
}

export interface StoredTotals {
  readonly records: number
  /** In the logs, not in a segment yet. */
  readonly unsealedRecords: number
  readonly bytes: number
  readonly partitions: readonly PartitionStats[]
  readonly purged: StoreStats['purged']
  readonly setAside: StoreStats['setAside']
}

/** A store's directory that no process uses, read without changing anything in it. */
export interface Inspection {
  /** Reads every file whole and holds it against what was written down of it. `onFile` is called for each. */
  verify(onFile: (file: string) => void, signal: AbortSignal): Promise<Verification>
  stats(): Promise<StoredTotals>
  close(): Promise<void>
}

interface InspectOptions {
  readonly dir: string
  readonly retention: Retention
  readonly fs?: Fs
  readonly clock?: Clock
}

/** Throws DATA_DIR_IN_USE while a process has it open, and NOT_FOUND when there is no store. */
export async function openInspection(options: InspectOptions): Promise<Inspection> {
  const { dir, retention, fs = nodeFs, clock = systemClock } = options
  const paths = pathsOf(dir)
  if ((await fs.size(paths.catalog)) === null && (await fs.list(paths.seg)).length === 0)
    throw new ServiceError('NOT_FOUND', `there is no store in ${dir}`, { directory: dir })
  const lock = await fs.lock(dir)
  return {
    verify: (onFile, signal) => verify({ fs, paths, onFile, signal }),
    async stats() {
      const { state } = await readCatalog(fs, paths)
      const wals = await readWals(fs, paths, state)
      const policies = createPolicies(retention)
      const kept = state.segments.filter((segment) => policies.purgeAtMs(segment) > clock.nowMs())
      const unsealedRecords = sum(wals.map(({ records }) => records))
      return {
        records: sum(kept.map(({ records }) => records)) + unsealedRecords,
        unsealedRecords,
        bytes: sum(state.segments.map(({ bytes }) => bytes)) + sum(wals.map(({ bytes }) => bytes)),
        partitions: partitionsOf(kept, policies),
        purged: state.purgedTotal,
        setAside: state.setAside,
      }
    },
    close: () => lock.release(),
  }
}

interface Verifying {
  readonly fs: Fs
  readonly paths: Paths
  readonly onFile: (file: string) => void
  readonly signal: AbortSignal
}

async function verify(parts: Verifying): Promise<Verification> {
  const { fs, paths, onFile, signal } = parts
  const { state, problems: inCatalog } = await readCatalog(fs, paths)
  const problems: Finding[] = [...inCatalog, ...(await ledgerProblems(fs, paths))]
  onFile('catalog')
  onFile('ledger')
  const wals = await readWals(fs, paths, state)
  for (const wal of wals) {
    onFile(wal.file)
    problems.push(...wal.problems)
  }
  const sql = await openDuckDb({ memoryMbMax: MEMORY_MB_MAX, threads: 1, tempDir: join(paths.dir, 'tmp') })
  try {
    for (const segment of state.segments) {
      signal.throwIfAborted()
      problems.push(...(await segmentProblems(parts, segment, sql)))
    }
  } finally {
    sql.close()
  }
  problems.push(...(await strays(fs, paths, state)))
  const files = state.segments
    .flatMap((segment) => Object.values(segment.files))
    .filter((sums) => sums !== null)
  return {
    files: 2 + wals.length + files.length,
    bytes: sum(files.map(({ bytes }) => bytes)) + sum(wals.map(({ bytes }) => bytes)),
    records: sum(state.segments.map(({ records }) => records)) + sum(wals.map(({ records }) => records)),
    segments: state.segments.length,
    problems,
  }
}

async function readCatalog(
  fs: Fs,
  paths: Paths,
): Promise<{ state: CatalogState; problems: readonly Finding[] }> {
  const { payloads, end, damagedBytes } = scanFrames(await readIfThere(fs, paths.catalog))
  const problems: Finding[] = []
  if (end === 0) problems.push({ file: 'catalog', problem: 'missing, or no catalog' })
  if (damagedBytes > 0) problems.push({ file: 'catalog', problem: `${damagedBytes} bytes of it are damaged` })
  return { state: payloads.map(decodeCatalogEntry).reduce(withEntry, EMPTY_CATALOG), problems }
}

async function ledgerProblems(fs: Fs, paths: Paths): Promise<readonly Finding[]> {
  const bytes = await readIfThere(fs, paths.ledger)
  if (bytes.length === 0) return [] // Nothing was sealed yet.
  const { payloads, damagedBytes } = scanFrames(bytes)
  if (damagedBytes === 0 && payloads.length === 1) return []
  return [{ file: 'ledger', problem: 'frames in it are damaged' }]
}

interface WalFacts {
  readonly file: string
  readonly bytes: number
  readonly records: number
  readonly problems: readonly Finding[]
}

/** The logs of generations that are not sealed. A torn end is none of a crash's faults: it was never acknowledged. */
async function readWals(fs: Fs, paths: Paths, { sealed }: CatalogState): Promise<readonly WalFacts[]> {
  const found: WalFacts[] = []
  for (const gen of numbersOf(await fs.list(paths.wal), '.wal')) {
    if (!sealed.includes(gen)) found.push(await readWal(fs, paths.walFile(gen)))
  }
  return found
}

async function readWal(fs: Fs, path: string): Promise<WalFacts> {
  const file = join('wal', basename(path))
  const bytes = await fs.readFile(path)
  const { payloads, damagedBytes } = scanFrames(bytes)
  const problems: Finding[] = []
  if (damagedBytes > 0) problems.push({ file, problem: `${damagedBytes} bytes of it are damaged` })
  let records = 0
  for (const payload of payloads) {
    const entry = decodeEntry(payload)
    if (entry.type !== 'batch') continue
    const rows = sum(entry.batch.chunks.map((chunk) => decodeColumns(chunk).rows))
    if (rows !== entry.batch.records)
      problems.push({ file, problem: `a batch has ${rows} records instead of ${entry.batch.records}` })
    records += rows
  }
  return { file, bytes: bytes.length, records, problems }
}

async function segmentProblems(
  { fs, paths, onFile }: Verifying,
  segment: SegmentEntry,
  sql: Sql,
): Promise<readonly Finding[]> {
  const problems: Finding[] = []
  for (const kind of SEGMENT_FILES) {
    const sums = segment.files[kind]
    if (sums === null) continue
    const named = paths.segment(segment.id, kind)
    const path = (await fs.size(named)) === null ? paths.draft(segment.id, kind) : named
    const file = join('seg', basename(named))
    onFile(file)
    const problem =
      (await problemOfFile(fs, path, sums)) ??
      (await countProblem({ fs, sql, path, kind }, segment).catch(messageOf))
    if (problem !== undefined) problems.push({ file, problem })
  }
  return problems
}

/** Does the file hold as many records as it should? */
async function countProblem(
  { fs, sql, path, kind }: { fs: Fs; sql: Sql; path: string; kind: (typeof SEGMENT_FILES)[number] },
  { records, rollups }: SegmentEntry,
): Promise<string | undefined> {
  if (kind === 'rollup' && !rollups.includes('counts')) return undefined
  const counted =
    kind === 'index'
      ? sum(decodeSegmentIndex(await fs.readFile(path)).map((block) => block.records))
      : await numberOf(
          sql,
          kind === 'parquet'
            ? `SELECT count(*)::DOUBLE FROM read_parquet(${sqlText(path)})`
            : `SELECT sum(n)::DOUBLE FROM read_parquet(${sqlText(path)}) WHERE kind = 'counts'`,
        )
  return counted === records ? undefined : `it has ${counted} records instead of ${records}`
}

async function numberOf(sql: Sql, statement: string): Promise<number> {
  const [chunk] = (await sql.run(statement)).chunks()
  return Number(chunk?.columns[0]?.[0])
}

/** Whole files of segments that the catalog does not know; drafts and what is being removed are none. */
async function strays(
  fs: Fs,
  paths: Paths,
  { segments, removed }: CatalogState,
): Promise<readonly Finding[]> {
  const known = new Set([...segments.map(({ id }) => id), ...removed])
  return (await fs.list(paths.seg)).flatMap((name) => {
    const found = segmentOfName(name)
    if (found === null || found.isDraft || known.has(found.id)) return []
    return { file: join('seg', name), problem: 'it is not in the catalog' }
  })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
