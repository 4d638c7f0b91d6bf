import { setImmediate as yieldNow } from 'node:timers/promises'
import { ServiceError, asServiceError } from '../../core/errors.ts'
import type {
  Arrival,
  ArrivalsPage,
  ArrivalsRequest,
  HistogramAnswer,
  HistogramRequest,
  SearchPage,
  SearchRequest,
  TimeRange,
} from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import type { LogRecord } from '../../core/record.ts'
import { createCounts } from '../store-counts.ts'
import type { Counts } from '../store-counts.ts'
import { splitId } from './columns.ts'
import type { Sql, SqlResult } from './duckdb.ts'
import { planToSql, sqlText } from './plan-sql.ts'
import { createRowReader, fieldsOf, selectList } from './rows.ts'
import { relationOf, relevant } from './shelf.ts'
import type { Shelf, Snapshot, Source } from './shelf.ts'
import { createSlots } from './slots.ts'

/** Each runs on a thread of libuv's pool (4), which file writes need as well. */
const STATEMENTS_MAX = 2
/** Segments in one statement at most: an abort is noticed in between, and one statement over many beats many statements. */
const GROUP_SOURCES_MAX = 32
/** Candidates fetched before the matcher decides: enough for a page when most of them match, … */
const CANDIDATES_PER_RECORD = 4
const CANDIDATES_MIN = 512
/** … and never so many that a wide page fills the memory; then each source is read through. */
const CANDIDATES_MAX = 8_192

const NEWEST_FIRST = 'time DESC, stream DESC, seq DESC, idx DESC'
const IN_ORDER_OF_ARRIVAL = 'pos'

export interface Queries {
  search(request: SearchRequest, signal: AbortSignal): Promise<SearchPage>
  histogram(request: HistogramRequest, signal: AbortSignal): Promise<HistogramAnswer>
  arrivals(request: ArrivalsRequest, signal: AbortSignal): Promise<ArrivalsPage>
}

/** What is looked for: the SQL condition holds for every match, and `matches`, unless it is null, decides. */
interface Wanted {
  readonly condition: string
  readonly matches: ((record: LogRecord) => boolean) | null
}

interface Order {
  readonly sql: string
  readonly compare: (left: Arrival, right: Arrival) => number
}

const newestFirst: Order = {
  sql: NEWEST_FIRST,
  compare: (left, right) =>
    right.record.timeMs - left.record.timeMs || (right.record.id > left.record.id ? 1 : -1),
}
const inOrderOfArrival: Order = {
  sql: IN_ORDER_OF_ARRIVAL,
  compare: (left, right) => left.position - right.position,
}

/** Answers queries over what is on the shelf, each from one moment. */
export function createQueries(sql: Sql, shelf: Shelf): Queries {
  const slots = createSlots(STATEMENTS_MAX)

  async function run(statement: string, signal: AbortSignal): Promise<SqlResult> {
    const giveBack = await slots.take(signal)
    try {
      return await sql.run(statement, signal)
    } finally {
      giveBack()
    }
  }

  /** Runs over a group of sources. A failure is examined: a damaged segment is put aside, so that the next query works. */
  async function runOver(
    group: readonly Source[],
    statement: (relation: string) => string,
    signal: AbortSignal,
  ): Promise<SqlResult> {
    await shelf.verify(group)
    try {
      return await run(statement(relationOf(group)), signal)
    } catch (error) {
      if (signal.aborted || asServiceError(error) !== undefined) throw error
      await shelf.suspect(group)
      throw new ServiceError('STORE_UNAVAILABLE', 'a scan failed', { sources: group.length }, error)
    }
  }

  /** The first `limit` matches of a group, in order. */
  async function collect(
    group: readonly Source[],
    wanted: Wanted,
    { order, limit }: { order: Order; limit: number },
    signal: AbortSignal,
  ): Promise<readonly Arrival[]> {
    const select = (relation: string) =>
      `SELECT ${selectList()} FROM ${relation} WHERE ${wanted.condition} ORDER BY ${order.sql}`
    const candidates = wanted.matches === null ? limit : candidatesFor(limit)
    const page = await runOver(group, (relation) => `${select(relation)} LIMIT ${candidates}`, signal)
    const found = await matching(page, wanted, limit, signal)
    if (wanted.matches === null || page.rows < candidates || found.length >= limit) return found
    const all: Arrival[] = []
    for (const source of group)
      all.push(...(await matching(await runOver([source], select, signal), wanted, limit, signal)))
    return all.sort(order.compare).slice(0, limit)
  }

  return {
    async search(request, signal) {
      using held = hold(shelf)
      return await search(request, held, (group, wanted, limit) =>
        collect(group, wanted, { order: newestFirst, limit }, signal),
      )
    },
    async histogram(request, signal) {
      using held = hold(shelf)
      const { plan, range } = request
      const sources = relevant(held.sources, plan, range)
      const wanted = wantedOf(plan, [timeCondition(range)])
      const counts = createCounts()
      const groups = wanted.matches === null ? inGroups(sources, GROUP_SOURCES_MAX) : inGroups(sources, 1)
      for (const group of groups) {
        const result = await runOver(group, (relation) => histogramSql(relation, request, wanted), signal)
        if (wanted.matches === null) addCounts(counts, result)
        else await countMatches(counts, result, request, wanted.matches, signal)
      }
      return { buckets: counts.buckets(request.by !== undefined), scanned: recordsOf(sources) }
    },
    async arrivals({ plan, after, limit }, signal) {
      using held = hold(shelf)
      const wanted = wantedOf(plan, [`pos > ${after}`])
      const sources = relevant(held.sources, plan, { fromMs: -Infinity, toMs: Infinity })
        .filter(({ lastPosition }) => lastPosition > after)
        .toSorted((left, right) => left.firstPosition - right.firstPosition)
      const arrivals: Arrival[] = []
      for (const group of inGrowingGroups(sources)) {
        const missing = { order: inOrderOfArrival, limit: limit - arrivals.length }
        arrivals.push(...(await collect(group, wanted, missing, signal)))
        const last = arrivals.at(-1)
        if (last !== undefined && arrivals.length >= limit) return { arrivals, position: last.position }
      }
      return { arrivals, position: Math.max(after, held.position) }
    },
  }
}

type Collect = (group: readonly Source[], wanted: Wanted, limit: number) => Promise<readonly Arrival[]>

/** Newest sources first, until nothing in the rest can be newer than what is found. */
async function search(request: SearchRequest, held: Snapshot, collect: Collect): Promise<SearchPage> {
  const { plan, range, limit, after } = request
  const within = after === undefined ? range : { ...range, toMs: Math.min(range.toMs, after.timeMs + 1) }
  const behind = after === undefined ? [] : [behindCondition(after)]
  const wanted = wantedOf(plan, [timeCondition(within), ...behind])
  const sources = relevant(held.sources, plan, within).toSorted((left, right) => right.maxMs - left.maxMs)
  let found: readonly Arrival[] = []
  let scanned = 0
  for (const group of inGrowingGroups(sources)) {
    const oldest = found[limit]
    if (oldest !== undefined && (group[0]?.maxMs ?? 0) < oldest.record.timeMs) break
    const more = await collect(group, wanted, limit + 1)
    found = [...found, ...more].sort(newestFirst.compare).slice(0, limit + 1)
    scanned += recordsOf(group)
  }
  const records = found.slice(0, limit).map(({ record }) => record)
  return { records, more: found.length > limit, scanned }
}

function hold(shelf: Shelf): Snapshot & Disposable {
  const snapshot = shelf.snapshot()
  return { ...snapshot, [Symbol.dispose]: () => snapshot.release() }
}

function wantedOf(plan: QueryPlan, conditions: readonly string[]): Wanted {
  const { sql, exact } = planToSql(plan)
  return {
    condition: [...conditions, sql].join(' AND '),
    matches: exact ? null : compileMatcher(plan),
  }
}

function timeCondition({ fromMs, toMs }: TimeRange): string {
  const range = { type: 'range', field: 'time', fromInclusive: true, toInclusive: false } as const
  return planToSql({ text: '', root: { ...range, from: fromMs, to: toMs } }).sql
}

function behindCondition({ timeMs, id }: { timeMs: number; id: string }): string {
  const { stream, seq, index } = splitId(id)
  if (Number.isNaN(seq) || Number.isNaN(index)) throw new ServiceError('BAD_REQUEST', 'the cursor is wrong')
  const before = `(stream < ${sqlText(stream)} OR (stream = ${sqlText(stream)} AND (seq < ${seq} OR (seq = ${seq} AND idx < ${index}))))`
  return `(time < ${timeMs} OR (time = ${timeMs} AND ${before}))`
}

function candidatesFor(limit: number): number {
  return Math.min(CANDIDATES_MAX, Math.max(CANDIDATES_MIN, limit * CANDIDATES_PER_RECORD))
}

/** The first `limit` rows that match. Lets others run between chunks. */
async function matching(
  result: SqlResult,
  { matches }: Wanted,
  limit: number,
  signal: AbortSignal,
): Promise<readonly Arrival[]> {
  const readRow = createRowReader()
  const found: Arrival[] = []
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) {
      const arrival = readRow(columns, row)
      if (matches === null || matches(arrival.record)) found.push(arrival)
      if (found.length >= limit) return found
    }
    await yieldNow()
    signal.throwIfAborted()
  }
  return found
}

function histogramSql(relation: string, { plan, intervalMs, by }: HistogramRequest, wanted: Wanted): string {
  if (wanted.matches !== null) {
    const fields = new Set([...fieldsOf(plan.root), 'timeMs' as const, ...(by === undefined ? [] : [by])])
    return `SELECT ${selectList(fields)} FROM ${relation} WHERE ${wanted.condition}`
  }
  const start = `(time - ((time % ${intervalMs} + ${intervalMs}) % ${intervalMs}))::DOUBLE`
  return `SELECT ${start} AS start, ${by ?? `''`} AS value, count(*)::DOUBLE FROM ${relation}
    WHERE ${wanted.condition} GROUP BY ALL`
}

function addCounts(counts: Counts, result: SqlResult): void {
  for (const { rows, columns } of result.chunks())
    for (let row = 0; row < rows; row++)
      counts.add(Number(columns[0]?.[row]), String(columns[1]?.[row]), Number(columns[2]?.[row]))
}

async function countMatches(
  counts: Counts,
  result: SqlResult,
  { intervalMs, by }: HistogramRequest,
  matches: (record: LogRecord) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const readRow = createRowReader()
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) {
      const { record } = readRow(columns, row)
      if (!matches(record)) continue
      counts.add(Math.floor(record.timeMs / intervalMs) * intervalMs, by === undefined ? '' : record[by], 1)
    }
    await yieldNow()
    signal.throwIfAborted()
  }
}

/** 1, 2, 4, … sources: the first page mostly is in the first of them. */
function* inGrowingGroups(sources: readonly Source[]): Generator<readonly Source[]> {
  for (let at = 0, size = 1; at < sources.length; at += size, size = Math.min(size * 2, GROUP_SOURCES_MAX))
    yield sources.slice(at, at + size)
}

function inGroups(sources: readonly Source[], size: number): readonly (readonly Source[])[] {
  return Array.from({ length: Math.ceil(sources.length / size) }, (_, i) =>
    sources.slice(i * size, (i + 1) * size),
  )
}

function recordsOf(sources: readonly Source[]): number {
  return sources.reduce((sum, { records }) => sum + records, 0)
}
