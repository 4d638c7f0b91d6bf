import {
  BIGINT,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBInstance,
  INTEGER,
  VARCHAR,
} from '@duckdb/node-api'
import type {
  DuckDBAppender,
  DuckDBConnection,
  DuckDBMaterializedResult,
  DuckDBVector,
} from '@duckdb/node-api'
import { createWidth } from './width.ts'

const ROWS_PER_CHUNK = 2048
const INT_HIGH = 2 ** 32
const TYPES = { bigint: BIGINT, integer: INTEGER, double: DOUBLE, varchar: VARCHAR }

export type ColumnType = keyof typeof TYPES
export type Cell = string | number

/** One column of the rows to be added. */
export type ColumnSource =
  | { readonly type: 'varchar'; readonly at: (row: number) => string }
  | { readonly type: 'bigint' | 'integer' | 'double'; readonly at: (row: number) => number }

export interface TableWriter {
  /** Adds rows; they can be read after `flush`. */
  add(rows: number, columns: readonly ColumnSource[]): void
  flush(): void
  close(): void
}

/** A whole result, read a chunk (at most 2,048 rows) at a time. Select integers as DOUBLE: a BIGINT would come as a bigint. */
export interface SqlResult {
  readonly rows: number
  /** Each chunk as columns. */
  chunks(): Iterable<{ readonly rows: number; readonly columns: readonly (readonly Cell[])[] }>
  /** A BLOB in the first row. */
  bytesAt(column: number): Uint8Array
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
    writer: async (table) => writerOver(await writers.createAppender(table)),
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
    bytesAt(column) {
      const value = result.getChunk(0).getColumnValues(column)[0]
      if (!(value instanceof DuckDBBlobValue)) throw new TypeError('the column is no BLOB')
      return value.bytes
    },
    *chunks() {
      for (let at = 0; at < result.chunkCount; at++) {
        const chunk = result.getChunk(at)
        yield { rows: chunk.rowCount, columns: chunk.getColumns() as Cell[][] }
      }
    },
  }
}

function writerOver(appender: DuckDBAppender): TableWriter {
  let reused: DuckDBDataChunk | undefined
  return {
    add(rows, columns) {
      const chunk = (reused ??= DuckDBDataChunk.create(columns.map(({ type }) => TYPES[type])))
      for (let from = 0; from < rows; from += ROWS_PER_CHUNK) {
        chunk.reset()
        chunk.rowCount = Math.min(ROWS_PER_CHUNK, rows - from)
        columns.forEach((column, index) => fill(chunk.getColumnVector(index), column, from, chunk.rowCount))
        appender.appendDataChunk(chunk)
      }
    },
    flush: () => appender.flushSync(),
    close: () => appender.closeSync(),
  }
}

/** Every cell has to be set: an unset string makes DuckDB read wild memory. Nulls are avoided: setting one is slow. */
function fill(vector: DuckDBVector, { type, at }: ColumnSource, from: number, rows: number): void {
  if (type === 'varchar') for (let row = 0; row < rows; row++) vector.setItem(row, at(from + row))
  else if (type === 'bigint') fillBigInts(vector, at, from, rows)
  else for (let row = 0; row < rows; row++) vector.setItem(row, at(from + row))
  vector.flush()
}

/** Writes the two halves of each integer: converting numbers to BigInts costs more. */
function fillBigInts(vector: DuckDBVector, at: (row: number) => number, from: number, rows: number): void {
  const items = new BigInt64Array(rows)
  const halves = new Uint32Array(items.buffer)
  for (let row = 0; row < rows; row++) {
    const value = at(from + row)
    halves[2 * row] = value >>> 0
    halves[2 * row + 1] = Math.floor(value / INT_HIGH)
  }
  for (let row = 0; row < rows; row++) vector.setItem(row, items[row] ?? 0n)
}
