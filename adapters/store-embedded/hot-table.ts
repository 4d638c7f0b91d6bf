import { ServiceError } from '../../core/errors.ts'
import { SOURCE_FIELDS } from './columns.ts'
import type { JoinedColumns, Source } from './columns.ts'
import type { Sql } from './duckdb.ts'
import { createHotTexts } from './hot-texts.ts'
import type { HotTexts } from './hot-texts.ts'
import type { CountedRecord, Policies } from './partitions.ts'
import type { Cells, ColumnType, TableWriter } from './table-writer.ts'

/** Stands for "absent" in the hot table, where a NULL would be slow to write. */
const NO_OFFSET = -(2 ** 53)

/** A flush costs some ms, however few rows it has. Whoever reads waits for the flush of so many at most: 20 ms. */
const UNFLUSHED_ROWS_MAX = 32_768

const ROW_COLUMNS = {
  pos: 'bigint',
  time: 'bigint',
  ingested: 'bigint',
  seq: 'bigint',
  idx: 'integer',
  src: 'integer',
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
  ...Object.fromEntries([...SOURCE_FIELDS, 'level'].map((name) => [name, 'varchar'])),
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
  add(columns: JoinedColumns, firstPosition: number, onRow: (row: CountedRecord) => void): void
  /** Costs next to nothing when nothing was added. */
  flush(): void
  /** SELECT of the records up to `position` that the condition holds for, with the columns of a segment. */
  relation(position: number, condition?: string): string
  /** SELECT of the records that any of these disjoint conditions holds for, one after the other. */
  rowsWhere(conditions: readonly string[]): string
  /** SELECT of the `time` of the records that the condition holds for. */
  timesWhere(condition: string): string
  readonly addWords: HotTexts['addWords']
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
  const texts = createHotTexts()
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
    sources.flush()
    rowWriter.flush()
    unflushed = 0
  }

  function add(...[columns, firstPosition, onRow]: Parameters<HotTable['add']>) {
    const { rows, levels, sources: from } = columns
    const classAt = createClassReader(columns, policies)
    const sourceAt = createSourceReader(columns, sources)
    const own = { pos: new Float64Array(rows), src: new Uint32Array(rows), class: new Uint32Array(rows) }
    for (let row = 0; row < rows; row++) {
      const classIndex = (own.class[row] = classAt(row))
      const position = (own.pos[row] = firstPosition + row)
      own.src[row] = sourceAt(row)
      isPlain &&= columns.plain[row] === 1
      onRow({
        classIndex,
        position,
        timeMs: columns.time[row] ?? 0,
        ingestedMs: columns.ingested[row] ?? 0,
        level: levels[columns.level[row] ?? 0] ?? '',
        service: from[columns.source[row] ?? 0]?.service ?? '',
      })
    }
    rowWriter.add(rows, rowCells(columns, own))
    texts.add(columns, own.class)
    unflushed += rows
    if (unflushed >= UNFLUSHED_ROWS_MAX) flush()
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
    addWords: (wanted, builder) => texts.addWords(wanted, builder),
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
  { sources, levels, source, level }: JoinedColumns,
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

/** The number of a row's source and level in the second table. */
function createSourceReader(
  { sources, levels, source, level }: JoinedColumns,
  table: ReturnType<typeof createSourceTable>,
): (row: number) => number {
  const known: (number | undefined)[] = []
  return (row) => {
    const key = (source[row] ?? 0) * levels.length + (level[row] ?? 0)
    const before = known[key]
    const from = sources[source[row] ?? 0]
    if (before !== undefined || from === undefined) return before ?? 0
    return (known[key] = table.indexOf(from, levels[level[row] ?? 0] ?? ''))
  }
}

type OwnCells = Readonly<Record<'pos' | 'src' | 'class', Float64Array | Uint32Array>>

function rowCells(columns: JoinedColumns, own: OwnCells): Cells[] {
  const { texts } = columns
  const cells: Readonly<Record<keyof typeof ROW_COLUMNS, Cells | Float64Array | Uint32Array>> = {
    ...own,
    time: columns.time,
    ingested: columns.ingested,
    seq: columns.seq,
    idx: columns.index,
    message: { type: 'varchar', texts: texts.message },
    raw_offset: columns.offset.map((offset) => (Number.isNaN(offset) ? NO_OFFSET : offset)),
    trace: { type: 'varchar', texts: texts.trace },
    pattern: { type: 'varchar', texts: texts.pattern },
    raw_status: columns.status,
    raw_latency: columns.latency,
    raw_bytes: columns.bytes,
    attrs: { type: 'varchar', texts: texts.attrs },
    raw_plain: columns.plain,
  }
  return Object.entries(ROW_COLUMNS).map(([name, type]) => {
    const given = cells[name as keyof typeof ROW_COLUMNS]
    return 'type' in given ? given : ({ type, values: given } as Cells)
  })
}

function createSourceTable(writer: TableWriter) {
  const known = new Map<string, number>()
  let dirty = false

  function add(texts: readonly string[]): number {
    const index = known.size
    writer.add(1, [{ type: 'integer', values: Uint32Array.of(index) }, ...texts.map(oneCell)])
    dirty = true
    return index
  }

  return {
    indexOf(source: Source, level: string): number {
      const texts = [...SOURCE_FIELDS.map((name) => source[name]), level]
      const key = JSON.stringify(texts)
      const index = known.get(key) ?? add(texts)
      known.set(key, index)
      return index
    },
    flush() {
      if (dirty) writer.flush()
      dirty = false
    },
    close: () => writer.close(),
  }
}

function oneCell(text: string): Cells {
  const bytes = Buffer.from(text)
  return { type: 'varchar', texts: { bytes, lengths: Uint32Array.of(bytes.length) } }
}
