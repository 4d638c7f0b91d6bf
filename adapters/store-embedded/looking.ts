import { ServiceError } from '../../core/errors.ts'
import type { TimeRange } from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import type { LogRecord } from '../../core/record.ts'
import { partsIn, timeConditions } from './listing.ts'
import { rowsWhere, scansOf } from './parts.ts'
import type { Picker, Scan } from './parts.ts'
import { fieldsOf, selectList } from './rows.ts'
import type { RowField } from './rows.ts'
import { readRows } from './run.ts'
import type { Run } from './run.ts'
import { createSlicer } from './slices.ts'

/** Records that are read at once to be looked at one by one: bounds the result of a statement. */
const LOOKED_AT_RECORDS_MAX = 1 << 19
/** Different values, or numbers, of records that were looked at one by one: they go back into SQL as text. */
export const HANDED_BACK_MAX = 100_000

interface Looking {
  readonly plan: QueryPlan
  readonly range: TimeRange
  readonly scans: readonly Scan[]
  /** Fields that are read beside those that decide the plan. */
  readonly fields: readonly RowField[]
  /** Which records SQL leaves open. */
  readonly pick: Picker
  /** A field that `pick` asks beside those of the plan. */
  readonly field?: string
}

/** The matches among the records that SQL leaves open. */
export async function* lookedAt(looking: Looking, run: Run, signal: AbortSignal): AsyncGenerator<LogRecord> {
  const { plan, range, scans, fields, pick, field } = looking
  const parts = scans.flatMap((scan) => (rowsWhere([scan], [], pick) === null ? [] : scan.parts))
  if (parts.length === 0) return
  const matches = compileMatcher(plan)
  const columns = selectList(new Set([...fieldsOf(plan.root), ...fields]))
  const slicer = createSlicer(parts, range, 'newest')
  for (
    let slice = slicer.next(LOOKED_AT_RECORDS_MAX);
    slice !== null;
    slice = slicer.next(LOOKED_AT_RECORDS_MAX)
  ) {
    const inSlice = partsIn(parts, slice)
    const rows = rowsWhere(scansOf(inSlice, plan, field), timeConditions(inSlice, slice), pick)
    if (rows === null) continue
    const page = await run.over(inSlice, `SELECT ${columns} FROM ${rows}`, signal)
    for await (const { record } of readRows(page, signal)) if (matches(record)) yield record
  }
}

export function tooMany(what: string): ServiceError {
  const message = `too many ${what} would have to be looked at one by one; ask for a shorter range`
  return new ServiceError('QUERY_TOO_BROAD', message, { max: HANDED_BACK_MAX })
}
