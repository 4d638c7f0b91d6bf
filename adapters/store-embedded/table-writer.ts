import { BIGINT, DOUBLE, DuckDBDataChunk, INTEGER, VARCHAR } from '@duckdb/node-api'
import type { DuckDBAppender } from '@duckdb/node-api'
import bindings from '@duckdb/node-bindings'

const ROWS_PER_CHUNK = 2048
const INT_LIMIT = 2 ** 32
const TYPES = { bigint: BIGINT, integer: INTEGER, double: DOUBLE, varchar: VARCHAR }

/** A cell of text is 16 bytes: length u32, then up to 12 bytes of text, or its first 4 bytes and the address of all of it. */
const CELL_WORDS = 4
const CELL_BYTES = 16
const TEXT_AT = 4
const SHORT_BYTES_MAX = 12
const PREFIX_BYTES = 4

export type ColumnType = keyof typeof TYPES

/** Texts as UTF-8, one behind the other. */
export interface JoinedTexts {
  readonly bytes: Uint8Array
  /** In bytes. */
  readonly lengths: Uint32Array
}

/** Cells of one column for some rows. */
export type Cells =
  | { readonly type: 'varchar'; readonly texts: JoinedTexts }
  | { readonly type: 'bigint' | 'integer' | 'double'; readonly values: Float64Array | Uint32Array }

export interface TableWriter {
  /** Adds rows, always with the same columns; they can be read after `flush`. */
  add(rows: number, columns: readonly Cells[]): void
  flush(): void
  close(): void
}

interface Range {
  /** First row of the cells. */
  readonly from: number
  readonly rows: number
  /** Row of the chunk it becomes. */
  readonly at: number
}

/** A column of the chunk that is being filled. */
interface Column {
  put(cells: Cells, range: Range): void
  /** Gives so many rows to the engine. */
  hand(rows: number): void
}

/** Rows are gathered in chunks as large as the engine has them: one costs as much with one row as when it is full. */
export function createTableWriter(appender: DuckDBAppender): TableWriter {
  let chunk: DuckDBDataChunk | undefined
  let columns: readonly Column[] = []
  let filled = 0

  function open(cells: readonly Cells[]): void {
    const made = DuckDBDataChunk.create(cells.map(({ type }) => TYPES[type]))
    columns = cells.map(({ type }, nth) =>
      createColumn(type, bindings.data_chunk_get_vector(made.chunk, nth)),
    )
    chunk = made
  }

  function append(): void {
    if (filled === 0 || chunk === undefined) return
    for (const column of columns) column.hand(filled)
    chunk.rowCount = filled
    appender.appendDataChunk(chunk)
    chunk.reset()
    filled = 0
  }

  return {
    add(rows, cells) {
      if (chunk === undefined) open(cells)
      for (let from = 0; from < rows;) {
        const range = { from, rows: Math.min(rows - from, ROWS_PER_CHUNK - filled), at: filled }
        columns.forEach((column, nth) => column.put(cells[nth] as Cells, range))
        filled += range.rows
        from += range.rows
        if (filled === ROWS_PER_CHUNK) append()
      }
    },
    flush() {
      append()
      appender.flushSync()
    },
    close() {
      append()
      appender.closeSync()
    },
  }
}

type Vector = Parameters<typeof bindings.vector_get_data>[0]

function createColumn(type: ColumnType, vector: Vector): Column {
  if (type === 'varchar') return createTextColumn(vector)
  if (type === 'bigint') return createBigIntColumn(vector)
  const cells = type === 'integer' ? new Int32Array(ROWS_PER_CHUNK) : new Float64Array(ROWS_PER_CHUNK)
  return {
    put(given, { from, rows, at }) {
      if (given.type !== 'varchar') cells.set(given.values.subarray(from, from + rows), at)
    },
    hand: (rows) => copyTo(vector, cells, rows * cells.BYTES_PER_ELEMENT),
  }
}

/** Writes the two halves of each integer: converting numbers to BigInts costs more. */
function createBigIntColumn(vector: Vector): Column {
  const halves = new Uint32Array(ROWS_PER_CHUNK * 2)
  return {
    put(given, { from, rows, at }) {
      if (given.type === 'varchar') return
      const { values } = given
      for (let row = 0; row < rows; row++) {
        const value = values[from + row] ?? 0
        halves[2 * (at + row)] = value >>> 0
        halves[2 * (at + row) + 1] = Math.floor(value / INT_LIMIT)
      }
    },
    hand: (rows) => copyTo(vector, halves, rows * BigInt64Array.BYTES_PER_ELEMENT),
  }
}

/**
 * Texts go over as one, and each cell is the place of its text in that: a call and an allocation for every text cost more than all the
 * rest of a row.
 */
function createTextColumn(vector: Vector): Column {
  const words = new Uint32Array(ROWS_PER_CHUNK * CELL_WORDS)
  const cells = new Uint8Array(words.buffer)

  /** Gives the engine a copy of the bytes, which it keeps until the chunk is reset; its address as two halves. */
  function addressOf(bytes: Uint8Array): readonly [number, number] {
    bindings.vector_assign_string_element_len(vector, 0, bytes)
    const cell = bindings.vector_get_data(vector, CELL_BYTES)
    const view = new DataView(cell.buffer, cell.byteOffset, cell.byteLength)
    return [view.getUint32(CELL_BYTES - 8, true), view.getUint32(CELL_BYTES - 4, true)]
  }

  function putShort(cell: number, bytes: Uint8Array, start: number, length: number): void {
    words.fill(0, cell * CELL_WORDS + 1, (cell + 1) * CELL_WORDS)
    const to = cell * CELL_BYTES + TEXT_AT
    for (let at = 0; at < length; at++) cells[to + at] = bytes[start + at] ?? 0
  }

  return {
    put(given, { from, rows, at }) {
      if (given.type !== 'varchar') return
      const { bytes, lengths } = given.texts
      let start = 0
      for (let row = 0; row < from; row++) start += lengths[row] ?? 0
      const base = start
      let end = base
      for (let row = from; row < from + rows; row++) end += lengths[row] ?? 0
      const [low, high] = end - base > SHORT_BYTES_MAX ? addressOf(bytes.subarray(base, end)) : [0, 0]
      for (let row = 0; row < rows; row++) {
        const length = lengths[from + row] ?? 0
        const word = (at + row) * CELL_WORDS
        words[word] = length
        if (length <= SHORT_BYTES_MAX) putShort(at + row, bytes, start, length)
        else {
          putShort(at + row, bytes, start, PREFIX_BYTES)
          const address = low + (start - base)
          words[word + 2] = address % INT_LIMIT
          words[word + 3] = high + (address >= INT_LIMIT ? 1 : 0)
        }
        start += length
      }
    },
    hand: (rows) => copyTo(vector, words, rows * CELL_BYTES),
  }
}

function copyTo(vector: Vector, cells: { readonly buffer: ArrayBuffer }, bytes: number): void {
  bindings.copy_data_to_vector(vector, 0, cells.buffer, 0, bytes)
}
