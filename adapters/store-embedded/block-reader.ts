import { setImmediate as yieldNow } from 'node:timers/promises'
import type { TimeRange } from '../../core/ports.ts'
import { blockMinutes } from './block-minutes.ts'
import type { MinuteGroup } from './block-minutes.ts'
import type { Cell, Sql } from './duckdb.ts'
import { MINUTE } from './roll-up-sql.ts'
import { SERVICES_LISTED_MAX, encodeSegmentIndex } from './segment-index.ts'
import type { BlockFacts } from './segment-index.ts'
import { sqlText } from './text-sql.ts'
import { createWordIndexBuilder } from './word-index.ts'
import type { WordIndexBuilder } from './word-index.ts'

/** What is read in one string. Two strings of some MB would be as quick, but nothing else could run meanwhile. */
const ROWS_PER_TEXT = 512
/** A control character that programs do not write; when one does, its texts are read one by one, which is slower. */
const SEPARATOR = '\x16'
const TEXTS = ['message', 'attrs', 'pattern', 'trace'] as const

/** A segment's blocks as the bytes of its sidecar, and what all of them say together. */
export interface IndexedBlocks extends Omit<BlockFacts, 'plain' | 'minutes'> {
  readonly bytes: Uint8Array
}

/** What is said of a block, of some of its records, or of a segment. */
type Held = Omit<BlockFacts, 'minutes'>

/** The times of a block. */
export interface BlockTimes extends TimeRange {
  /** The same as a condition on `time`. */
  readonly condition: string
}

/** Adds the records of a time to an index from somewhere else than the file, and gives how many there are. */
export type WordSource = (range: TimeRange, builder: WordIndexBuilder) => Promise<number>

/** Reads a Parquet file of records block by block; their words, too, unless `words` has them. */
export async function indexBlocks(
  sql: Sql,
  path: string,
  times: readonly BlockTimes[],
  {
    words,
    signal,
  }: { readonly words?: WordSource | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<IndexedBlocks> {
  const builder = createWordIndexBuilder() // One for all: it keeps some MB.
  const blocks: (BlockFacts & { words: Uint8Array })[] = []
  for (const { condition, fromMs, toMs } of times) {
    const relation = `read_parquet(${sqlText(path)}, file_row_number = true) WHERE ${condition}`
    const facts = await factsOf(sql, relation, signal)
    const records = await (words?.({ fromMs, toMs }, builder) ?? addWords(sql, relation, builder, signal))
    if (records !== facts.records) throw new Error('a block of a segment was read by half')
    blocks.push({ ...facts, words: builder.finish() })
  }
  const { plain: _ofEachBlock, ...facts } = together(blocks)
  return { ...facts, bytes: encodeSegmentIndex(blocks) }
}

async function factsOf(sql: Sql, relation: string, signal?: AbortSignal): Promise<BlockFacts> {
  const result = await sql.run(
    `SELECT level, service, ${MINUTE}::DOUBLE, count(*)::DOUBLE, min(time)::DOUBLE, max(time)::DOUBLE, bool_and(plain)::INTEGER
      FROM ${relation} GROUP BY ALL`,
    signal,
  )
  const held: Held[] = []
  const groups: MinuteGroup[] = []
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) {
      const [level = '', service = ''] = columns.slice(0, 2).map((column) => String(column[row]))
      const [minuteMs = NaN, records = NaN, minMs = NaN, maxMs = NaN, plain] = columns
        .slice(2)
        .map((column) => Number(column[row]))
      groups.push({ minuteMs, level, service, records })
      held.push({ records, minMs, maxMs, levels: [level], services: [service], plain: plain === 1 })
    }
  }
  return { ...together(held), minutes: blockMinutes(groups) }
}

function together(parts: readonly Held[]): Held {
  const services = parts.some((part) => part.services === null)
    ? null
    : [...new Set(parts.flatMap((part) => part.services ?? []))]
  return {
    records: parts.reduce((sum, { records }) => sum + records, 0),
    minMs: parts.reduce((min, { minMs }) => Math.min(min, minMs), Infinity),
    maxMs: parts.reduce((max, { maxMs }) => Math.max(max, maxMs), -Infinity),
    levels: [...new Set(parts.flatMap(({ levels }) => levels))],
    services: services !== null && services.length > SERVICES_LISTED_MAX ? null : services,
    plain: parts.every(({ plain }) => plain),
  }
}

/**
 * Adds all records' texts to the index; gives how many there were. A text costs 0.4 µs to bring over from the engine, however short
 * it is, so many come in one and are cut here.
 */
async function addWords(
  sql: Sql,
  relation: string,
  builder: WordIndexBuilder,
  signal?: AbortSignal,
): Promise<number> {
  const row = TEXTS.join(` || '${SEPARATOR}' || `)
  const result = await sql.run(
    `SELECT string_agg(${row}, '${SEPARATOR}'), count(*)::DOUBLE, (file_row_number // ${ROWS_PER_TEXT})::DOUBLE
      FROM ${relation} GROUP BY file_row_number // ${ROWS_PER_TEXT}`,
    signal,
  )
  let records = 0
  for (const { rows, columns } of result.chunks()) {
    for (let at = 0; at < rows; at++) {
      const count = Number(columns[1]?.[at])
      const texts = String(columns[0]?.[at]).split(SEPARATOR)
      if (texts.length === count * TEXTS.length) addTexts(texts, builder)
      else
        await addOneByOne(
          sql,
          `${relation} AND file_row_number // ${ROWS_PER_TEXT} = ${columns[2]?.[at]}`,
          builder,
        )
      records += count
      await yieldNow()
      signal?.throwIfAborted()
    }
  }
  return records
}

function addTexts(texts: readonly string[], builder: WordIndexBuilder): void {
  for (let at = 0; at < texts.length; at += TEXTS.length)
    builder.add(texts[at] ?? '', texts[at + 1] ?? '', texts[at + 2] ?? '', texts[at + 3] ?? '')
}

async function addOneByOne(sql: Sql, relation: string, builder: WordIndexBuilder): Promise<void> {
  const result = await sql.run(`SELECT ${TEXTS.join(', ')} FROM ${relation}`)
  const text = (columns: readonly (readonly Cell[])[], column: number, row: number) =>
    String(columns[column]?.[row] ?? '')
  for (const { rows, columns } of result.chunks())
    for (let row = 0; row < rows; row++)
      builder.add(text(columns, 0, row), text(columns, 1, row), text(columns, 2, row), text(columns, 3, row))
}
