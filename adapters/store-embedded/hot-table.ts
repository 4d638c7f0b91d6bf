import { ServiceError } from '../../core/errors.ts'
import { mergeColumns, SOURCE_FIELDS } from './columns.ts'
import type { Columns, Source } from './columns.ts'
import type { ColumnSource, ColumnType, Sql, TableWriter } from './duckdb.ts'
import type { CountedRecord, Policies } from './partitions.ts'

/** Stands for "absent" in the hot table, where a NULL would be slow to write. */
const NO_OFFSET = -(2 ** 53)

/** Rows that wait to be written together: the engine's chunks are that long, and a chunk costs as much with one row as when it is full. */
const WAITING_ROWS_MAX = 2_048
/** A flush of 1,000 rows costs 2.2 µs a row, one of 8,000 costs 1.2. Whoever reads waits for the flush of so many at most: 10 ms. */
const UNFLUSHED_ROWS_MAX = 8_192

const ROW_COLUMNS = {
  pos: 'bigint',
  time: 'bigint',
  ingested: 'bigint',
  seq: 'bigint',
  idx: 'integer',
  src: 'integer',
  level: 'varchar',
  message: 'varchar',
  raw_offset: 'bigint',
  trace: 'varchar',
  pattern: 'varchar',
  raw_status: 'double',
  raw_latency: 'double',
  raw_bytes: 'double',
  attrs: 'varchar',
  raw_plain: 'integer',
  class: 'integer',
} as const satisfies Readonly<Record<string, ColumnType>>

const SOURCE_COLUMNS = {
  src: 'integer',
  ...Object.fromEntries(SOURCE_FIELDS.map((name) => [name, 'varchar'])),
}

/** The columns of a segment, in this order; `pos` is the arrival position, (stream, seq, idx) the event id. */
const SEGMENT_COLUMNS = `pos, time, stream, seq, idx, ingested, message, level, service, version, host, site, tier, path,
  nullif(raw_offset, ${NO_OFFSET}) AS "offset", trace, pattern, CASE WHEN NOT isnan(raw_status) THEN raw_status END AS status,
  CASE WHEN NOT isnan(raw_latency) THEN raw_latency END AS latency,
  CASE WHEN NOT isnan(raw_bytes) THEN raw_bytes END AS bytes, attrs, raw_plain = 1 AS plain`

/** Records of one generation that is not sealed yet. What most records share stands once, in a second table. */
export interface HotTable {
  /** All of its records are plain (plain.ts). */
  readonly isPlain: boolean
  /** Adds records at the positions from `firstPosition` on, and gives each to `onRow`; readable after `flush`. Throws STORE_UNAVAILABLE, as all do here once something failed. */
  add(columns: Columns, firstPosition: number, onRow: (row: CountedRecord) => void): void
  /** Costs next to nothing when nothing was added. */
  flush(): void
  /** SELECT of the records up to `position` that the condition holds for, with the columns of a segment. */
  relation(position: number, condition?: string): string
  /** SELECT of the records that any of these disjoint conditions holds for, one after the other. */
  rowsWhere(conditions: readonly string[]): string
  /** SELECT of the `time` of the records that the condition holds for. */
  timesWhere(condition: string): string
  /** No more records are added. */
  finish(): void
  drop(): Promise<void>
}

/** The records of a class in a slot, as a condition on a hot table. */
export function inPartition(classIndex: number, slotMs: number, slotEndMs: number): string {
  return `class = ${classIndex} AND least(time, ingested) >= ${slotMs} AND least(time, ingested) < ${slotEndMs}`
}

/** Leaves out the records of a class from before a time. */
export function keptFrom(classIndex: number, fromMs: number): string {
  return `(class <> ${classIndex} OR least(time, ingested) >= ${fromMs})`
}

export async function createHotTable(sql: Sql, gen: number, policies: Policies): Promise<HotTable> {
  const rows = `hot_${gen}`
  const shared = `hot_source_${gen}`
  await sql.run(`CREATE OR REPLACE TABLE ${rows} (${declared(ROW_COLUMNS)})`)
  await sql.run(`CREATE OR REPLACE TABLE ${shared} (${declared(SOURCE_COLUMNS)})`)
  const rowWriter = await sql.writer(rows)
  const sources = createSourceTable(await sql.writer(shared))
  let waiting: Columns[] = []
  let waitingClasses: number[] = []
  let positions: number[] = []
  let unflushed = 0
  let isPlain = true
  let failure: ServiceError | undefined

  /** A table that lacks a record must not be read any more. */
  function whole(work: () => void): void {
    if (failure !== undefined) throw failure
    try {
      work()
    } catch (error) {
      failure = new ServiceError('STORE_UNAVAILABLE', 'a memory table failed', { gen }, error)
      throw failure
    }
  }

  function flush() {
    if (unflushed === 0) return
    write()
    sources.flush()
    rowWriter.flush()
    unflushed = 0
  }

  function add(...[columns, firstPosition, onRow]: Parameters<HotTable['add']>) {
    waiting.push(columns)
    const classAt = createClassReader(columns, policies)
    const { sources: from, levels } = columns
    for (let row = 0; row < columns.rows; row++) {
      const classIndex = classAt(row)
      const position = firstPosition + row
      positions.push(position)
      isPlain &&= columns.plain[row] === 1
      waitingClasses.push(classIndex)
      onRow({
        classIndex,
        position,
        timeMs: columns.time[row] ?? 0,
        ingestedMs: columns.ingested[row] ?? 0,
        level: levels[columns.level[row] ?? 0] ?? '',
        service: from[columns.source[row] ?? 0]?.service ?? '',
      })
    }
    unflushed += columns.rows
    if (positions.length >= WAITING_ROWS_MAX) write()
    if (unflushed >= UNFLUSHED_ROWS_MAX) flush()
  }

  function write() {
    if (positions.length === 0) return
    const columns = mergeColumns(waiting)
    const sourceOf = columns.sources.map((source) => sources.indexOf(source))
    rowWriter.add(columns.rows, rowSources(columns, { sourceOf, positions, classes: waitingClasses }))
    waiting = []
    waitingClasses = []
    positions = []
  }

  const joined = (selected: string) =>
    `SELECT ${SEGMENT_COLUMNS} FROM (${selected}) JOIN ${shared} USING (src)`
  const selectWhere = (condition: string) => `SELECT * FROM ${rows} WHERE ${condition}`
  return {
    get isPlain() {
      return isPlain
    },
    add: (...given) => whole(() => add(...given)),
    flush: () => whole(flush),
    relation: (position, condition = 'true') => joined(selectWhere(`pos <= ${position} AND ${condition}`)),
    rowsWhere: (conditions) => joined(conditions.map(selectWhere).join(' UNION ALL ')),
    timesWhere: (condition) => `SELECT time FROM ${rows} WHERE ${condition}`,
    finish: () =>
      whole(() => {
        flush()
        rowWriter.close()
        sources.close()
      }),
    async drop() {
      await sql.run(`DROP TABLE ${rows}`)
      await sql.run(`DROP TABLE ${shared}`)
    },
  }
}

/** The class follows from what few records of a chunk differ in. */
function createClassReader(
  { sources, levels, source, level }: Columns,
  { classes, classOf }: Policies,
): (row: number) => number {
  if (classes.length === 1) return () => 0
  const known: (number | undefined)[] = []
  return (row) => {
    const key = (source[row] ?? 0) * levels.length + (level[row] ?? 0)
    const from = sources[source[row] ?? 0]
    const before = known[key]
    if (before !== undefined || from === undefined) return before ?? 0
    return (known[key] = classOf({ ...from, level: levels[level[row] ?? 0] ?? '' }))
  }
}

function declared(columns: Readonly<Record<string, string>>): string {
  return Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(', ')
}

interface RowFacts {
  readonly sourceOf: readonly number[]
  readonly positions: readonly number[]
  readonly classes: readonly number[]
}

function rowSources(columns: Columns, { sourceOf, positions, classes }: RowFacts): ColumnSource[] {
  const { levels, level, source, offset } = columns
  const at: Readonly<Record<keyof typeof ROW_COLUMNS, (row: number) => number | string>> = {
    pos: (row) => positions[row] ?? NaN,
    time: from(columns.time),
    ingested: from(columns.ingested),
    seq: from(columns.seq),
    idx: from(columns.index),
    src: (row) => sourceOf[source[row] ?? 0] ?? 0,
    level: (row) => levels[level[row] ?? 0] ?? '',
    message: textFrom(columns.message),
    raw_offset: (row) => (Number.isNaN(offset[row]) ? NO_OFFSET : (offset[row] ?? NO_OFFSET)),
    trace: textFrom(columns.trace),
    pattern: textFrom(columns.pattern),
    raw_status: from(columns.status),
    raw_latency: from(columns.latency),
    raw_bytes: from(columns.bytes),
    attrs: textFrom(columns.attrs),
    raw_plain: from(columns.plain),
    class: (row) => classes[row] ?? 0,
  }
  return Object.entries(ROW_COLUMNS).map(
    ([name, type]) => ({ type, at: at[name as keyof typeof ROW_COLUMNS] }) as ColumnSource,
  )
}

function from(values: Float64Array | Uint32Array): (row: number) => number {
  return (row) => values[row] ?? NaN
}

function textFrom(values: readonly string[]): (row: number) => string {
  return (row) => values[row] ?? ''
}

function createSourceTable(writer: TableWriter) {
  const known = new Map<string, number>()
  let last: readonly [string, number] = ['', -1]
  let dirty = false

  function add(source: Source): number {
    const index = known.size
    const cells = SOURCE_FIELDS.map((name): ColumnSource => ({ type: 'varchar', at: () => source[name] }))
    writer.add(1, [{ type: 'integer', at: () => index }, ...cells])
    dirty = true
    return index
  }

  return {
    indexOf(source: Source): number {
      const key = JSON.stringify(SOURCE_FIELDS.map((name) => source[name]))
      if (last[0] === key) return last[1]
      const index = known.get(key) ?? add(source)
      known.set(key, index)
      last = [key, index]
      return index
    },
    flush() {
      if (dirty) writer.flush()
      dirty = false
    },
    close: () => writer.close(),
  }
}
