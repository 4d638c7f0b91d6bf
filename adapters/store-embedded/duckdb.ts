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

export type Cell = string | number

/** A whole result, read a chunk (at most 2,048 rows) at a time. Select integers as DOUBLE: a BIGINT would come as a bigint. */
export interface SqlResult {
  readonly rows: number
  /** Each chunk as columns. */
  chunks(): Iterable<{ readonly rows: number; readonly columns: readonly (readonly Cell[])[] }>
  /** Texts of the first `rowsMax` rows of a VARCHAR column, none of them NULL. */
  texts(column: number, rowsMax: number): Texts
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
        const bytes = bytesOf(piece)
        target.set(bytes, to)
        // Given back at once: garbage collection would count it as this thread's memory, and set in for it.
        if (!piece.inline) bytes.buffer.transfer(0)
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

function bytesOf({ texts, at, inline, bytes }: Piece): Uint8Array<ArrayBuffer> {
  const buffer = texts.buffer as ArrayBuffer
  if (inline) return new Uint8Array(buffer, texts.byteOffset + at, bytes)
  return bindings.get_data_from_pointer(buffer, texts.byteOffset + at, bytes) as Uint8Array<ArrayBuffer>
}
