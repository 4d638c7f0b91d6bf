import { compileGrep } from '../../core/query/grep.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import { ServiceError } from '../../core/errors.ts'
import type {
  Arrival,
  ArrivalsPage,
  ArrivalsRequest,
  SearchAfter,
  SearchPage,
  SearchRequest,
  TimeRange,
} from '../../core/ports.ts'
import type { LogRecord } from '../../core/record.ts'
import { splitId } from './columns.ts'
import { recordsOf, rowsWhere, scansOf, selectParts } from './parts.ts'
import type { Part, Picker, Scan, Selection } from './parts.ts'
import { possible } from './plan-sql.ts'
import { selectList } from './rows.ts'
import type { FoundRow } from './rows.ts'
import { readRows } from './run.ts'
import type { Run } from './run.ts'
import type { Snapshot } from './shelf.ts'
import { createSlicer } from './slices.ts'
import type { Order } from './slices.ts'
import { sqlText } from './text-sql.ts'

/** Records that the first slice of a search is to hold per record asked for, … */
const SLICE_RECORDS_PER_RESULT = 16
/** … and when words left few blocks: then a word is rare, and one statement over them all is better than several. */
const SLICE_RECORDS_WHEN_RARE = 262_144
/** Words left few blocks: at most this share. */
const RARE_SHARE = 1 / 4
/** A slice that gave too little is followed by one that is so much larger. */
export const SLICE_GROWTH = 4
/** Records of one slice at most, roughly: an abort is noticed in between. */
export const SLICE_RECORDS_MAX = 4 << 20
/** Rows fetched at once; more follow while the matcher refuses some. */
const ROWS_MIN = 128
const ROWS_MAX = 8_192
/** Positions that the first statement of a tail looks at. */
const POSITIONS_MIN = 4_096

export const ORDERS: Readonly<Record<Order, string>> = {
  newest: 'time DESC, stream DESC, seq DESC, idx DESC',
  oldest: 'time, stream, seq, idx',
}

/** Newest first, or oldest first, until the page is full. */
export async function search(
  request: SearchRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<SearchPage> {
  const { plan, limit, order = 'newest' } = request
  const range = rangeBehind(request)
  const selection = await selectParts(held.sources, plan, range)
  const isWanted = deciderOf(request)
  const records: LogRecord[] = []
  let scanned = 0
  for (const { slice, parts } of slicesOf(selection, { range, order, limit })) {
    scanned += recordsOf(parts)
    const listing = { ...listingOf(request, slice, parts), rows: limit + 1 - records.length }
    for await (const row of candidatesOf(listing, run, signal)) {
      if (!isWanted(row)) continue
      if (records.length === limit) return { records, more: true, scanned }
      records.push(row.record)
    }
  }
  return { records, more: false, scanned }
}

/** In order of arrival: positions are dense, so ranges of them bound the work. */
export async function arrivals(
  { plan, after, limit }: ArrivalsRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<ArrivalsPage> {
  const found: Arrival[] = []
  const isWanted = deciderOf({ plan })
  let size = Math.max(POSITIONS_MIN, limit)
  for (
    let from = after;
    from < held.position;
    from += size, size = Math.min(size * SLICE_GROWTH, SLICE_RECORDS_MAX)
  ) {
    const sources = held.sources.filter(
      (source) => source.lastPosition > from && source.firstPosition <= from + size,
    )
    const { parts } = await selectParts(sources, plan)
    const where = [`pos > ${from}`, `pos <= ${from + size}`]
    const rows = rowsWhere(scansOf(parts, plan), where, possible)
    if (rows === null) continue
    const page = await run.over(parts, `SELECT ${selectList()} FROM ${rows} ORDER BY pos`, signal)
    for await (const row of readRows(page, signal)) {
      if (isWanted(row)) found.push({ position: row.position, record: row.record })
      if (found.length === limit) return { arrivals: found, position: row.position }
    }
  }
  return { arrivals: found, position: Math.max(after, held.position) }
}

/** The range, cut at the cursor. */
export function rangeBehind({ range, after, order = 'newest' }: SearchRequest): TimeRange {
  if (after === undefined) return range
  return order === 'newest'
    ? { ...range, toMs: Math.min(range.toMs, after.timeMs + 1) }
    : { ...range, fromMs: Math.max(range.fromMs, after.timeMs) }
}

/** Decides what SQL left open. */
function deciderOf({ plan, grep }: Pick<SearchRequest, 'plan' | 'grep'>): (row: FoundRow) => boolean {
  const matches = compileMatcher(plan)
  const hasText = grep === undefined ? () => true : compileGrep(grep)
  // The matcher agrees with SQL on plain records; asking it again costs little on the rows of a listing.
  return ({ record }) => matches(record) && hasText(record)
}

/** Slices of the past with the parts that reach into them, growing while they are asked for. */
function* slicesOf(
  { parts, excludedByWords }: Selection,
  { range, order, limit }: { range: TimeRange; order: Order; limit: number },
): Generator<{ slice: TimeRange; parts: readonly Part[] }> {
  const isRare = parts.length <= (parts.length + excludedByWords) * RARE_SHARE
  const slicer = createSlicer(parts, range, order)
  let records = isRare ? SLICE_RECORDS_WHEN_RARE : (limit + 1) * SLICE_RECORDS_PER_RESULT
  for (let slice = slicer.next(records); slice !== null; slice = slicer.next(records)) {
    const inSlice = partsIn(parts, slice)
    if (inSlice.length > 0) yield { slice, parts: inSlice }
    records = Math.min(records * SLICE_GROWTH, SLICE_RECORDS_MAX)
  }
}

export function partsIn(parts: readonly Part[], { fromMs, toMs }: TimeRange): readonly Part[] {
  return parts.filter(({ minMs, maxMs }) => maxMs >= fromMs && minMs < toMs)
}

/** The candidates of a slice, behind a cursor. */
export interface Listing {
  readonly parts: readonly Part[]
  readonly scans: readonly Scan[]
  readonly slice: TimeRange
  readonly order: Order
  readonly after: SearchAfter | undefined
}

export function listingOf(
  { plan, order = 'newest', after }: SearchRequest,
  slice: TimeRange,
  parts: readonly Part[],
): Listing {
  return { parts, scans: scansOf(parts, plan), slice, order, after }
}

/** `SELECT columns` of the records that may match; null when none can. */
export function listingSql(
  columns: string,
  { parts, scans, slice, order, after }: Listing,
  pick: Picker = possible,
): string | null {
  const where = [
    ...timeConditions(parts, slice),
    ...(after === undefined ? [] : [behindCondition(after, order)]),
  ]
  const rows = rowsWhere(scans, where, pick)
  return rows === null ? null : `SELECT ${columns} FROM ${rows}`
}

/** About `rows` are wanted of them. */
async function* candidatesOf(
  listing: Listing & { readonly rows: number },
  run: Run,
  signal: AbortSignal,
): AsyncGenerator<FoundRow> {
  let { after, rows } = listing
  for (;;) {
    rows = Math.min(Math.max(rows, ROWS_MIN), ROWS_MAX)
    const sql = listingSql(selectList(), { ...listing, after })
    if (sql === null) return
    const page = await run.over(
      listing.parts,
      `${sql} ORDER BY ${ORDERS[listing.order]} LIMIT ${rows}`,
      signal,
    )
    let last: LogRecord | undefined
    for await (const row of readRows(page, signal)) {
      last = row.record
      yield row
    }
    if (last === undefined || page.rows < rows) return
    after = { timeMs: last.timeMs, id: last.id }
    rows *= SLICE_GROWTH
  }
}

/** None when all of these parts lie in the range: reading the times of every record only to compare them costs a fifth of a count. */
export function timeConditions(parts: readonly Part[], { fromMs, toMs }: TimeRange): readonly string[] {
  const reachOut = parts.some(({ minMs, maxMs }) => minMs < fromMs || maxMs >= toMs)
  return reachOut ? [`time >= ${Math.ceil(fromMs)}`, `time < ${Math.ceil(toMs)}`] : []
}

function behindCondition({ timeMs, id }: SearchAfter, order: Order): string {
  const { stream, seq, index } = splitId(id)
  if (Number.isNaN(seq) || Number.isNaN(index)) throw new ServiceError('BAD_REQUEST', 'the cursor is wrong')
  const before = order === 'newest' ? '<' : '>'
  const sameTime = `stream ${before} ${sqlText(stream)} OR (stream = ${sqlText(stream)} AND (seq ${before} ${seq} OR (seq = ${seq} AND idx ${before} ${index})))`
  return `(time ${before} ${timeMs} OR (time = ${timeMs} AND (${sameTime})))`
}
