import { indexBlocks } from './block-reader.ts'
import type { BlockTimes, WordSource } from './block-reader.ts'
import type { SegmentEntry, SegmentFacts } from './catalog.ts'
import type { Sql, SqlResult } from './duckdb.ts'
import type { Journal } from './journal.ts'
import { choosePromoted, exactlyPromoted, withPromoted } from './promoted.ts'
import { ROLL_UP_KINDS, rollUpSql } from './roll-up-sql.ts'
import { sqlText } from './text-sql.ts'

/** As many records as a row group: its times are then as narrow as if all records were sorted. */
const SLICE_RECORDS = 16_384
/** Slices of one block: 32,768 records. Smaller ones would have more index than they save. */
const BLOCK_SLICES = 2
/** A column with more different values in a row group has no dictionary: making one that is thrown away cost a quarter of the CPU. */
const DICTIONARY_VALUES_MAX = 2_000
/** A roll-up with more rows than this share of the records would hardly be quicker to read than the records. */
const ROLL_UP_SHARE_MAX = 1 / 4

/** Records that are to become a segment. */
export interface SegmentSource {
  /** SELECT of the `time` of each. */
  readonly times: string
  /** SELECT of those that any of the conditions on `time` or `pos` holds for, one after the other, with the columns of a hot table. */
  rowsWhere(conditions: readonly string[]): string
  /** Their words, when they are at hand; else they are read from the new file. */
  readonly addWords?: WordSource
}

export interface WriteOptions {
  /** Of zstd. */
  readonly level: number
  /** Records that are written in any order; small slices cost more statements' work, large ones make wide row groups. */
  readonly slices: 'small' | 'block'
  readonly signal?: AbortSignal | undefined
}

export interface WriterParts {
  readonly sql: Sql
  readonly journal: Journal
}

type Expected = Omit<SegmentFacts, 'id' | 'levels' | 'services' | 'rollups' | 'promoted' | 'minMs' | 'maxMs'>

/**
 * Writes the drafts of a new segment, reads them back, and says what is in them. Records are cut into slices by time; within a
 * slice they stay as they came: sorting them would cost half as much again, and 18 % of disk, as neighbours from one source compress
 * better. Leaves nothing behind when it fails.
 */
export async function writeSegment(
  { sql, journal }: WriterParts,
  source: SegmentSource,
  expected: Expected,
  options: WriteOptions,
): Promise<SegmentFacts> {
  const id = journal.newSegment()
  const path = journal.draft(id, 'parquet')
  try {
    const cuts = await cutsOf(sql, source.times, expected.records, options.signal)
    const chosen = await choosePromoted(
      sql,
      (condition) => source.rowsWhere([condition]),
      expected.records,
      options.signal,
    )
    const rows = source.rowsWhere(slicesOf(options.slices === 'small' ? cuts.small : cuts.blocks))
    await sql.run(
      `COPY (${withPromoted(rows, chosen)}) TO ${parquetFile(path, options.level)}`,
      options.signal,
    )
    const promoted = await exactlyPromoted(sql, path, chosen, options.signal)
    const { bytes, ...facts } = await indexBlocks(sql, path, blocksOf(cuts.blocks), {
      words: source.addWords,
      signal: options.signal,
    })
    if (facts.records !== expected.records)
      throw new Error(`a segment has ${facts.records} records instead of ${expected.records}`)
    await journal.writeDraft(id, 'index', bytes)
    const rollups = await writeRollUps({ sql, journal }, id, facts.records, path)
    return { ...expected, ...facts, id, rollups, promoted }
  } catch (error) {
    await journal.discard(id)
    throw error
  }
}

/** Makes a sidecar or roll-up again from the records of a segment. */
export async function rebuildFile(
  { sql, journal }: WriterParts,
  segment: SegmentEntry,
  file: 'index' | 'rollup',
): Promise<void> {
  const { id, records } = segment
  const path = journal.path(id, 'parquet')
  await journal.discard(id)
  if (file === 'rollup') {
    const rollups = await writeRollUps({ sql, journal }, id, records, path)
    return journal.rebuild(segment, 'rollup', rollups)
  }
  const { blocks } = await cutsOf(sql, `SELECT time FROM read_parquet(${sqlText(path)})`, records)
  const { bytes, ...found } = await indexBlocks(sql, path, blocksOf(blocks))
  if (found.records !== records)
    throw new Error(`a segment has ${found.records} records instead of ${records}`)
  await journal.writeDraft(id, 'index', bytes)
  await journal.rebuild(segment, 'index', segment.rollups)
}

/** Writes the roll-ups of a segment as a draft, and gives the kinds that are in it; without any there is no file. */
async function writeRollUps(
  { sql, journal }: WriterParts,
  id: number,
  records: number,
  path: string,
): Promise<readonly string[]> {
  const table = `roll_up_${id}`
  await sql.run(`CREATE OR REPLACE TABLE ${table} AS ${rollUpSql(`read_parquet(${sqlText(path)})`)}`)
  try {
    const counted = await sql.run(`SELECT kind, count(*)::DOUBLE FROM ${table} GROUP BY kind`)
    const rowsOf = new Map(rowsIn(counted).map(([kind, rows]) => [String(kind), Number(rows)]))
    const kinds = ROLL_UP_KINDS.filter((kind) => (rowsOf.get(kind) ?? 0) <= records * ROLL_UP_SHARE_MAX)
    if (!kinds.some((kind) => rowsOf.has(kind))) return []
    const listed = kinds.map(sqlText).join(', ')
    await sql.run(`COPY (SELECT * FROM ${table} WHERE kind IN (${listed}) ORDER BY kind, minute)
      TO ${parquetFile(journal.draft(id, 'rollup'))}`)
    return kinds
  } finally {
    await sql.run(`DROP TABLE ${table}`)
  }
}

/** zstd's levels 1 to 6 cost about 1.1, 1.2 and 1.9 µs a record in all, for 2 to 10 % of disk. */
const SEAL_LEVEL = 3
/** What is compacted stays. */
const COMPACTION_LEVEL = 6
export const LEVELS = { seal: SEAL_LEVEL, compaction: COMPACTION_LEVEL } as const

function parquetFile(path: string, level: number = SEAL_LEVEL): string {
  return `${sqlText(path)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${level}, PARQUET_VERSION v2,
    ROW_GROUP_SIZE ${SLICE_RECORDS}, DICTIONARY_SIZE_LIMIT ${DICTIONARY_VALUES_MAX}, WRITE_BLOOM_FILTER false)`
}

interface Cuts {
  readonly small: readonly number[]
  readonly blocks: readonly number[]
}

/** Where slices and blocks start: at the time of every so many-th record. */
async function cutsOf(sql: Sql, times: string, records: number, signal?: AbortSignal): Promise<Cuts> {
  const starts = Array.from({ length: Math.ceil(records / SLICE_RECORDS) - 1 }, (_, at) => at + 1)
  const shares = starts.map((nth) => (nth * SLICE_RECORDS) / records)
  const asked = ['min(time)', ...shares.map((share) => `quantile_disc(time, ${share})`)]
  const result = await sql.run(
    `SELECT ${asked.map((value) => `${value}::DOUBLE`).join(', ')} FROM (${times})`,
    signal,
  )
  const cuts = (rowsIn(result)[0] ?? []).map(Number)
  return { small: [...new Set(cuts)], blocks: [...new Set(cuts.filter((_, at) => at % BLOCK_SLICES === 0))] }
}

/** Conditions on `time` that are disjoint and leave nothing out. Records of one ms are never parted. */
function slicesOf(cuts: readonly number[]): readonly string[] {
  if (cuts.length <= 1) return ['true']
  return cuts.map((fromMs, at) => {
    const toMs = cuts[at + 1]
    const parts = [at === 0 ? [] : `time >= ${fromMs}`, toMs === undefined ? [] : `time < ${toMs}`].flat()
    return parts.join(' AND ')
  })
}

function blocksOf(cuts: readonly number[]): readonly BlockTimes[] {
  return slicesOf(cuts).map((condition, at) => ({
    condition,
    fromMs: at === 0 ? -Infinity : (cuts[at] ?? -Infinity),
    toMs: cuts[at + 1] ?? Infinity,
  }))
}

function rowsIn(result: SqlResult): (string | number | undefined)[][] {
  return [...result.chunks()].flatMap(({ rows, columns }) =>
    Array.from({ length: rows }, (_, row) => columns.map((column) => column[row])),
  )
}
