import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBDataChunk, DuckDBMaterializedResult } from '@duckdb/node-api'
import bindings from '@duckdb/node-bindings'
import { createTableWriter } from './table-writer.ts'
import type { TableWriter } from './table-writer.ts'
import { createWidth } from './width.ts'

const INT_HIGH = 2 ** 32
/** A text in a chunk: its length, and where it is, or, when it has at most so many bytes, itself. */
const TEXT_BYTES = 16
const TEXT_INLINE_MAX = 12
const TEXT_INLINE_AT = 4
const TEXT_POINTER_AT = 8
/** A text or list in a chunk as 32-bit words; a list is where it starts and how long it is, each of 64 bits. */
const CELL_WORDS = 4
const LIST_LENGTH_WORD = 2

export type Cell = string | number

/** A whole result, read a chunk (at most 2,048 rows) at a time. Select integers as DOUBLE: a BIGINT would come as a bigint. */
export interface SqlResult {
  readonly rows: number
  /** Each chunk as columns. */
  chunks(): Iterable<{ readonly rows: number; readonly columns: readonly (readonly Cell[])[] }>
  /** Texts of the first `rowsMax` rows of a VARCHAR column, none of them NULL. */
  texts(column: number, rowsMax: number): Texts
  /** Rows of (DOUBLE, VARCHAR, DOUBLE[]), nothing of them NULL. */
  numberLists(): NumberLists
}

/** Of each row its number, its text, and where in `numbers` its list is. Typed arrays: an object for each would cost more than all the rest. */
export interface NumberLists {
  readonly starts: Float64Array
  readonly texts: readonly string[]
  readonly froms: Uint32Array
  readonly lengths: Uint32Array
  readonly numbers: Float64Array
}

/** Texts one behind the other as UTF-8. They stay in the engine's memory until they are copied: a string of each would cost more than all the rest. */
export interface Texts {
  readonly rows: number
  readonly bytes: number
  /** One of them is empty. */
  readonly hasEmpty: boolean
  copyTo(target: Uint8Array): void
}

/** DuckDB in memory. Its streaming interface hides errors, so results are always whole: callers bound them. */
export interface Sql {
  /** Runs one statement on a connection of its own, as a rule in one thread; the signal interrupts it. */
  run(statement: string, signal?: AbortSignal): Promise<SqlResult>
  /** The same in all threads, for whom somebody waits. */
  runWide(statement: string, signal?: AbortSignal): Promise<SqlResult>
  writer(table: string): Promise<TableWriter>
  close(): void
}

export interface SqlOptions {
  readonly memoryMbMax: number
  readonly threads: number
  readonly tempDir: string
}

export async function openDuckDb({ memoryMbMax, threads, tempDir }: SqlOptions): Promise<Sql> {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${memoryMbMax}MiB`,
    threads: '1',
    temp_directory: tempDir,
    preserve_insertion_order: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const writers = await instance.connect()
  await writers.run('SET GLOBAL parquet_metadata_cache = true') // Segments never change.
  // What the engine's allocator no longer needs goes back to the system also when no statement runs.
  await writers.run('SET GLOBAL allocator_background_threads = true')
  const width = createWidth((wide) => writers.run(`SET GLOBAL threads = ${wide ? threads : 1}`))

  async function run(statement: string, signal: AbortSignal | undefined): Promise<SqlResult> {
    const connection = await instance.connect()
    try {
      return resultOf(await runInterruptibly(connection, statement, signal))
    } finally {
      connection.closeSync()
    }
  }

  return {
    run: (statement, signal) => width.narrow(() => run(statement, signal)),
    runWide: (statement, signal) => width.wide(() => run(statement, signal)),
    writer: async (table) => createTableWriter(await writers.createAppender(table)),
    close() {
      writers.closeSync()
      instance.closeSync()
    },
  }
}

async function runInterruptibly(
  connection: DuckDBConnection,
  statement: string,
  signal: AbortSignal | undefined,
): Promise<DuckDBMaterializedResult> {
  signal?.throwIfAborted()
  const interrupt = () => connection.interrupt()
  signal?.addEventListener('abort', interrupt)
  try {
    return await connection.run(statement)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', interrupt)
  }
}

function resultOf(result: DuckDBMaterializedResult): SqlResult {
  return {
    rows: result.rowCount,
    texts: (column, rowsMax) => textsOf(result, column, rowsMax),
    numberLists: () => numberListsOf(result),
    *chunks() {
      for (let at = 0; at < result.chunkCount; at++) {
        const chunk = result.getChunk(at)
        yield { rows: chunk.rowCount, columns: chunk.getColumns() as Cell[][] }
      }
    },
  }
}

/** Bytes that lie side by side in the engine's memory; `at`: where in `texts` they are or their pointer is. */
interface Piece {
  readonly texts: Uint8Array
  readonly at: number
  readonly inline: boolean
  bytes: number
}

function textsOf(result: DuckDBMaterializedResult, column: number, rowsMax: number): Texts {
  const chunks: DuckDBDataChunk[] = [] // Kept as long as their memory is needed.
  const pieces: Piece[] = []
  let [rows, hasEmpty] = [0, false]
  for (let nth = 0; nth < result.chunkCount && rows < rowsMax; nth++) {
    const chunk = result.getChunk(nth)
    chunks.push(chunk)
    const wanted = Math.min(chunk.rowCount, rowsMax - rows)
    hasEmpty = addPieces(chunk, column, wanted, pieces) || hasEmpty
    rows += wanted
  }
  return {
    rows,
    bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0),
    hasEmpty,
    copyTo(target) {
      let to = 0
      for (const piece of pieces) {
        target.set(bytesOf(piece), to)
        to += piece.bytes
      }
      chunks.length = 0
    },
  }
}

/** Says whether one of the texts is empty. */
function addPieces(chunk: DuckDBDataChunk, column: number, rows: number, pieces: Piece[]): boolean {
  const vector = bindings.data_chunk_get_vector(chunk.chunk, column)
  const texts = bindings.vector_get_data(vector, rows * TEXT_BYTES)
  const view = new DataView(texts.buffer, texts.byteOffset, texts.byteLength)
  let hasEmpty = false
  let last: Piece | undefined
  let lastEnd = -1
  for (let row = 0; row < rows; row++) {
    const start = row * TEXT_BYTES
    const bytes = view.getUint32(start, true)
    const inline = bytes <= TEXT_INLINE_MAX
    const at = start + (inline ? TEXT_INLINE_AT : TEXT_POINTER_AT)
    // No address is beyond 2^48.
    const from = inline ? -1 : view.getUint32(at, true) + view.getUint32(at + 4, true) * INT_HIGH
    hasEmpty ||= bytes === 0
    if (last !== undefined && from === lastEnd && !inline) last.bytes += bytes
    else pieces.push((last = { texts, at, inline, bytes }))
    lastEnd = inline ? NaN : from + bytes
  }
  return hasEmpty
}

function bytesOf({ texts, at, inline, bytes }: Piece): Uint8Array {
  if (inline) return texts.subarray(at, at + bytes)
  return bindings.get_data_from_pointer(texts.buffer as ArrayBuffer, texts.byteOffset + at, bytes)
}

function numberListsOf(result: DuckDBMaterializedResult): NumberLists {
  const rows = result.rowCount
  const [starts, texts] = [new Float64Array(rows), [] as string[]]
  const [froms, lengths] = [new Uint32Array(rows), new Uint32Array(rows)]
  const parts: Float64Array[] = []
  const chunks: DuckDBDataChunk[] = [] // Kept until their memory is copied.
  const readTexts = createTextReader()
  let [row, size] = [0, 0]
  for (let nth = 0; nth < result.chunkCount; nth++) {
    const chunk = result.getChunk(nth)
    chunks.push(chunk)
    starts.set(doublesOf(bindings.data_chunk_get_vector(chunk.chunk, 0), chunk.rowCount), row)
    readTexts(chunk, 1, texts)
    const vector = bindings.data_chunk_get_vector(chunk.chunk, 2)
    const places = wordsOf(vector, chunk.rowCount)
    for (let at = 0; at < places.length; at += CELL_WORDS, row++) {
      froms[row] = size + (places[at] ?? 0)
      lengths[row] = places[at + LIST_LENGTH_WORD] ?? 0
    }
    const part = doublesOf(bindings.list_vector_get_child(vector), bindings.list_vector_get_size(vector))
    parts.push(part)
    size += part.length
  }
  const numbers = joinedNumbers(parts, size)
  chunks.length = 0
  return { starts, texts, froms, lengths, numbers }
}

function joinedNumbers(parts: readonly Float64Array[], size: number): Float64Array {
  const numbers = new Float64Array(size)
  let at = 0
  for (const part of parts) {
    numbers.set(part, at)
    at += part.length
  }
  return numbers
}

type Vector = Parameters<typeof bindings.vector_get_data>[0]

function doublesOf(vector: Vector, count: number): Float64Array {
  const bytes = bindings.vector_get_data(vector, count * Float64Array.BYTES_PER_ELEMENT)
  return new Float64Array(bytes.buffer, bytes.byteOffset, count)
}

/** Texts or lists, as they are in the chunk. */
function wordsOf(vector: Vector, count: number): Uint32Array {
  const bytes = bindings.vector_get_data(vector, count * TEXT_BYTES)
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count * CELL_WORDS)
}

/** Reads texts that mostly repeat: a short one, which stands in the chunk itself, is made a string once. */
function createTextReader() {
  const known = new Map<number, { readonly words: Uint32Array; readonly text: string }>()
  return (chunk: DuckDBDataChunk, column: number, texts: string[]): void => {
    const all = wordsOf(bindings.data_chunk_get_vector(chunk.chunk, column), chunk.rowCount)
    const vector = chunk.getColumnVector(column)
    for (let row = 0, at = 0; row < chunk.rowCount; row++, at += CELL_WORDS) {
      let hash = 0
      for (let word = at; word < at + CELL_WORDS; word++) hash = (Math.imul(hash, 31) + (all[word] ?? 0)) | 0
      const found = known.get(hash)
      if (found !== undefined && isAt(found.words, all, at)) {
        texts.push(found.text)
        continue
      }
      const text = String(vector.getItem(row))
      if ((all[at] ?? 0) <= TEXT_INLINE_MAX) known.set(hash, { words: all.slice(at, at + CELL_WORDS), text })
      texts.push(text)
    }
  }
}

function isAt(words: Uint32Array, all: Uint32Array, at: number): boolean {
  for (let word = 0; word < CELL_WORDS; word++) if (words[word] !== all[at + word]) return false
  return true
}
