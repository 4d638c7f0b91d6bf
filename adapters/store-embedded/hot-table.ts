import { mergeColumns, SOURCE_FIELDS } from './columns.ts'
import type { Columns, Source } from './columns.ts'
import type { ColumnSource, ColumnType, Sql, TableWriter } from './duckdb.ts'
import { sqlText } from './plan-sql.ts'

/** Stands for "absent" in the hot table, where a NULL would be slow to write. */
const NO_OFFSET = -(2 ** 53)

/** Rows that wait to be written together: the engine's chunks are that long, and a chunk costs as much with one row as when it is full. */
const WAITING_ROWS_MAX = 2_048

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
} as const satisfies Readonly<Record<string, ColumnType>>

const SOURCE_COLUMNS = {
  src: 'integer',
  ...Object.fromEntries(SOURCE_FIELDS.map((name) => [name, 'varchar'])),
}

/** The columns of a segment, in this order; `pos` is the arrival position, (stream, seq, idx) the event id. */
const SEGMENT_COLUMNS = `pos, time, stream, seq, idx, ingested, message, level, service, version, host, site, tier, path,
  nullif(raw_offset, ${NO_OFFSET}) AS "offset", trace, pattern, CASE WHEN NOT isnan(raw_status) THEN raw_status END AS status,
  CASE WHEN NOT isnan(raw_latency) THEN raw_latency END AS latency,
  CASE WHEN NOT isnan(raw_bytes) THEN raw_bytes END AS bytes, attrs`

/** Records of one generation that is not sealed yet. What most records share stands once, in a second table. */
export interface HotTable {
  /** Adds records at the positions from `firstPosition` on; readable after `flush`. */
  add(columns: Columns, firstPosition: number): void
  flush(): void
  /** SELECT of the records up to `position`, with the columns of a segment. */
  relation(position: number): string
  /** No more records are added. */
  finish(): void
  /** Writes all records, oldest first, to a Parquet file. */
  writeTo(path: string): Promise<void>
  drop(): Promise<void>
}

export async function createHotTable(sql: Sql, gen: number): Promise<HotTable> {
  const rows = `hot_${gen}`
  const shared = `hot_source_${gen}`
  await sql.run(`CREATE OR REPLACE TABLE ${rows} (${declared(ROW_COLUMNS)})`)
  await sql.run(`CREATE OR REPLACE TABLE ${shared} (${declared(SOURCE_COLUMNS)})`)
  const rowWriter = await sql.writer(rows)
  const sources = createSourceTable(await sql.writer(shared))
  let waiting: Columns[] = []
  let positions: number[] = []

  function write() {
    if (positions.length === 0) return
    const columns = mergeColumns(waiting)
    const sourceOf = columns.sources.map((source) => sources.indexOf(source))
    rowWriter.add(columns.rows, rowSources(columns, sourceOf, positions))
    waiting = []
    positions = []
  }

  return {
    add(columns, firstPosition) {
      waiting.push(columns)
      for (let row = 0; row < columns.rows; row++) positions.push(firstPosition + row)
      if (positions.length >= WAITING_ROWS_MAX) write()
    },
    flush() {
      write()
      sources.flush()
      rowWriter.flush()
    },
    relation: (position) =>
      `SELECT ${SEGMENT_COLUMNS} FROM (SELECT * FROM ${rows} WHERE pos <= ${position}) JOIN ${shared} USING (src)`,
    finish() {
      write()
      rowWriter.close()
      sources.close()
    },
    async writeTo(path) {
      // Sorted before the join: sorting the wide rows costs four times as much.
      await sql.run(`COPY (SELECT ${SEGMENT_COLUMNS} FROM (SELECT * FROM ${rows} ORDER BY time, pos) JOIN ${shared} USING (src))
        TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE 65536)`)
    },
    async drop() {
      await sql.run(`DROP TABLE ${rows}`)
      await sql.run(`DROP TABLE ${shared}`)
    },
  }
}

function declared(columns: Readonly<Record<string, string>>): string {
  return Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(', ')
}

function rowSources(
  columns: Columns,
  sourceOf: readonly number[],
  positions: readonly number[],
): ColumnSource[] {
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
