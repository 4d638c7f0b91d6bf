import { setImmediate as yieldNow } from 'node:timers/promises'
import type { TimeRange } from '../../core/ports.ts'
import { blockMinutes } from './block-minutes.ts'
import type { MinuteGroup } from './block-minutes.ts'
import type { Cell, Sql } from './duckdb.ts'
import { MINUTE } from './roll-up-sql.ts'
import { SERVICES_LISTED_MAX, encodeSegmentIndex } from './segment-index.ts'
import type { BlockFacts } from './segment-index.ts'
import { sqlText } from './text-sql.ts'
import { TALLIED, storeTallies } from './tallies.ts'
import type { TalliedField, Tally } from './tallies.ts'
import { createWordIndexBuilder } from './word-index.ts'
import type { WordIndexBuilder } from './word-index.ts'

/** What is read in one string. Two strings of some MB would be as quick, but nothing else could run meanwhile. */
const ROWS_PER_TEXT = 512
/** A control character that programs do not write; when one does, its texts are read one by one, which is slower. */
const SEPARATOR = '\x16'
const FIELDS: readonly TalliedField[] = [...new Set(TALLIED.flat())]
/** Selected before the fields: records, their first and last time, and whether they are plain. */
const NUMBERS = 4
const TEXTS = ['time', 'message', 'attrs', 'pattern', 'trace'] as const

/** A segment's blocks as the bytes of its sidecar, and what all of them say together. */
export interface IndexedBlocks extends Omit<BlockFacts, 'plain' | 'tallies' | 'minutes'> {
  readonly bytes: Uint8Array
}

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
    builder.begin(facts)
    const records = await (words?.({ fromMs, toMs }, builder) ?? addWords(sql, relation, builder, signal))
    if (records !== facts.records) throw new Error('a block of a segment was read by half')
    blocks.push({ ...facts, words: builder.finish() })
  }
  return {
    ...together(blocks),
    levels: [...new Set(blocks.flatMap(({ levels }) => levels))],
    services: servicesOf(blocks),
    bytes: encodeSegmentIndex(blocks),
  }
}

/** By one statement, which counts by each group of TALLIED, and by minute, level and service. */
async function factsOf(sql: Sql, relation: string, signal?: AbortSignal): Promise<BlockFacts> {
  const result = await sql.run(
    `SELECT ${TALLIED.map(([first]) => `grouping(${first})::DOUBLE`).join(', ')},
      count(*)::DOUBLE, min(time)::DOUBLE, max(time)::DOUBLE, bool_and(plain)::INTEGER, ${FIELDS.join(', ')}, minute::DOUBLE
      FROM (SELECT *, ${MINUTE} AS minute FROM ${relation})
      GROUP BY GROUPING SETS (${TALLIED.map((fields) => `(${fields.join(', ')})`).join(', ')}, (minute, level, service))`,
    signal,
  )
  const tallies = TALLIED.map((): Tally[] => [])
  const groups: MinuteGroup[] = []
  let plain = true
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) {
      const cells = columns.map((column) => column[row])
      const group = cells.findIndex((cell, at) => at < TALLIED.length && cell === 0)
      const [records = 0, minMs = 0, maxMs = 0, isPlain] = cells.slice(TALLIED.length).map(Number)
      const named = cells.slice(TALLIED.length + NUMBERS)
      const valueOf = (field: TalliedField) => String(named[FIELDS.indexOf(field)])
      const minuteMs = cells.at(-1)
      if (typeof minuteMs === 'number') {
        groups.push({ minuteMs, level: valueOf('level'), service: valueOf('service'), records })
        continue
      }
      const values = (TALLIED[group] ?? []).map(valueOf)
      tallies[group]?.push({ values, records, minMs, maxMs })
      plain &&= isPlain === 1
    }
  }
  const [first = []] = tallies
  const services = valuesIn(tallies, 'service')
  return {
    ...together(first),
    levels: valuesIn(tallies, 'level'),
    services: services.length > SERVICES_LISTED_MAX ? null : services,
    plain,
    tallies: tallies.map(storeTallies),
    minutes: blockMinutes(groups),
  }
}

/** The different values of a field. */
function valuesIn(tallies: readonly (readonly Tally[])[], field: TalliedField): readonly string[] {
  const group = TALLIED.findIndex((fields: readonly string[]) => fields.includes(field))
  const at = TALLIED[group]?.findIndex((name) => name === field) ?? -1
  return [...new Set(tallies[group]?.map(({ values }) => values[at] ?? ''))]
}

/** Records, and from when to when. */
function together(parts: readonly Pick<Tally, 'records' | 'minMs' | 'maxMs'>[]) {
  return {
    records: parts.reduce((sum, { records }) => sum + records, 0),
    minMs: parts.reduce((min, { minMs }) => Math.min(min, minMs), Infinity),
    maxMs: parts.reduce((max, { maxMs }) => Math.max(max, maxMs), -Infinity),
  }
}

function servicesOf(blocks: readonly BlockFacts[]): readonly string[] | null {
  if (blocks.some(({ services }) => services === null)) return null
  const services = [...new Set(blocks.flatMap(({ services }) => services ?? []))]
  return services.length > SERVICES_LISTED_MAX ? null : services
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
  for (let at = 0; at < texts.length; at += TEXTS.length) addRow(texts.slice(at, at + TEXTS.length), builder)
}

function addRow(
  [time, message = '', attrs = '', pattern = '', trace = '']: readonly Cell[],
  builder: WordIndexBuilder,
): void {
  builder.add(Number(time), String(message), String(attrs), String(pattern), String(trace))
}

async function addOneByOne(sql: Sql, relation: string, builder: WordIndexBuilder): Promise<void> {
  const result = await sql.run(
    `SELECT ${TEXTS.map((name) => `${name}::VARCHAR`).join(', ')} FROM ${relation}`,
  )
  for (const { rows, columns } of result.chunks())
    for (let row = 0; row < rows; row++)
      addRow(
        columns.map((column) => column[row] ?? ''),
        builder,
      )
}
