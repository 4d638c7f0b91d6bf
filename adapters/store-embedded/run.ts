import { setImmediate as yieldNow } from 'node:timers/promises'
import { ServiceError, asServiceError } from '../../core/errors.ts'
import type { Sql, SqlResult } from './duckdb.ts'
import type { Part } from './parts.ts'
import { createRowReader } from './rows.ts'
import type { FoundRow } from './rows.ts'
import type { Shelf, Source } from './shelf.ts'
import { createSlots } from './slots.ts'

/** Each runs on a thread of libuv's pool (4), which file writes need as well. */
const STATEMENTS_MAX = 2

/** Runs statements of queries, a few at once. */
export interface Run {
  /** Throws STORE_UNAVAILABLE when one of them is damaged, after it was put aside. */
  verify(sources: readonly Source[]): Promise<void>
  /** A failure is examined: a damaged segment is put aside, so that the next query works. */
  over(parts: readonly Part[], statement: string, signal: AbortSignal): Promise<SqlResult>
}

export function createRun(sql: Sql, shelf: Shelf): Run {
  const slots = createSlots(STATEMENTS_MAX)

  async function run(statement: string, signal: AbortSignal): Promise<SqlResult> {
    const giveBack = await slots.take(signal)
    try {
      return await sql.runWide(statement, signal)
    } finally {
      giveBack()
    }
  }

  return {
    verify: (sources) => shelf.verify(sources),
    async over(parts, statement, signal) {
      const sources = [...new Set(parts.map(({ source }) => source))]
      await shelf.verify(sources)
      try {
        return await run(statement, signal)
      } catch (error) {
        if (signal.aborted || asServiceError(error) !== undefined) throw error
        await shelf.suspect(sources)
        throw new ServiceError('STORE_UNAVAILABLE', 'a scan failed', { sources: sources.length }, error)
      }
    },
  }
}

/** The rows of a `selectList`. Lets others run between chunks. */
export async function* readRows(result: SqlResult, signal: AbortSignal): AsyncGenerator<FoundRow> {
  const readRow = createRowReader()
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) yield readRow(columns, row)
    await yieldNow()
    signal.throwIfAborted()
  }
}
