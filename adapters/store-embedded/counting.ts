import { ServiceError } from '../../core/errors.ts'
import type {
  HistogramAnswer,
  HistogramRequest,
  Quantile,
  TimeRange,
  TopAnswer,
  TopRequest,
  TopValue,
} from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import type { LogRecord } from '../../core/record.ts'
import { createCounts } from '../store-counts.ts'
import { createTop } from '../store-top.ts'
import type { Counts } from '../store-counts.ts'
import type { SqlResult } from './duckdb.ts'
import { partsIn, timeCondition } from './listing.ts'
import { recordsOf, rowsWhere, scansOf, selectParts } from './parts.ts'
import type { Part, Scan } from './parts.ts'
import { columnOf, possible, sure, unsure } from './plan-sql.ts'
import type { SqlCondition } from './plan-sql.ts'
import { hasRollup, rolledRows, rolledShare } from './rollups.ts'
import { fieldsOf, selectList } from './rows.ts'
import type { RowField } from './rows.ts'
import { readRows } from './run.ts'
import type { Run } from './run.ts'
import type { Snapshot, Source } from './shelf.ts'
import { createSlicer } from './slices.ts'
import { attrIsList, attrText, sqlText } from './text-sql.ts'

/** Records that are read at once to be looked at one by one: bounds the result of a statement. */
const LOOKED_AT_RECORDS_MAX = 1 << 19
/** Different values, or numbers, of records that were looked at one by one: they go back into SQL as text. */
const HANDED_BACK_MAX = 100_000

export async function histogram(
  request: HistogramRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<HistogramAnswer> {
  const rolled = rolledShare(request)
  const sources = rolled === null ? [] : held.sources.filter((source) => hasRollup(source, rolled))
  const counts = createCounts(request.quantile)
  let scanned = 0
  if (rolled !== null && sources.length > 0) {
    const inRange = sources.filter(
      ({ minMs, maxMs }) => maxMs >= rolled.range.fromMs && minMs < rolled.range.toMs,
    )
    if (inRange.length > 0) {
      const sql = histogramSql(rolledRows(inRange, request, rolled), request, 'sum(n)')
      addCounts(counts, await run.over(inRange.map(wholePart), sql, signal))
    }
    const { range } = request
    const edges = [
      { fromMs: range.fromMs, toMs: rolled.range.fromMs },
      { fromMs: rolled.range.toMs, toMs: range.toMs },
    ]
    for (const edge of edges)
      scanned += await countRows({ ...request, range: edge }, sources, counts, run, signal)
    scanned += recordsOf(inRange)
  }
  const others = held.sources.filter((source) => !sources.includes(source))
  scanned += await countRows(request, others, counts, run, signal)
  return { buckets: counts.buckets(request.by !== undefined), scanned }
}

/** Adds what the records of these sources count; returns how many were read. */
async function countRows(
  request: HistogramRequest,
  sources: readonly Source[],
  counts: Counts,
  run: Run,
  signal: AbortSignal,
): Promise<number> {
  const { plan, range, intervalMs, by, quantile } = request
  if (range.fromMs >= range.toMs) return 0
  const { parts } = await selectParts(sources, plan, range)
  if (parts.length === 0) return 0
  const scans = scansOf(parts, plan)
  const needed = fieldsNeeded(plan, by, quantile)
  const looked: LogRecord[] = []
  for await (const record of lookedAt({ plan, range, parts, scans, needed, pick: unsure }, run, signal)) {
    if (quantile === undefined)
      counts.add(bucketOf(record, intervalMs), by === undefined ? '' : record[by], 1)
    else if (looked.push(record) > HANDED_BACK_MAX) throw tooMany('records')
  }
  const found = rowsWhere(scans, [timeCondition(range)], sure)
  const rows = quantile === undefined ? found : withRecords(found, looked, request)
  if (rows !== null) addCounts(counts, await run.over(parts, histogramSql(rows, request), signal))
  return recordsOf(parts)
}

function histogramSql(
  rows: string,
  { intervalMs, by, quantile }: HistogramRequest,
  count = 'count(*)',
): string {
  const start = `(time - ((time % ${intervalMs} + ${intervalMs}) % ${intervalMs}))::DOUBLE`
  const number =
    quantile === undefined ? `'nan'::DOUBLE` : `coalesce(${quantileSql(quantile)}, 'nan'::DOUBLE)`
  return `SELECT ${start} AS start, ${by ?? `''`} AS value, ${count}::DOUBLE, ${number} FROM ${rows} GROUP BY start, value`
}

function quantileSql({ of, p }: Quantile): string {
  return `quantile_disc(${columnOf(of)}, ${p})`
}

/** The rows with the records that were looked at, as a quantile has to see all of them. */
function withRecords(rows: string | null, records: readonly LogRecord[], { by, quantile }: HistogramRequest) {
  if (quantile === undefined || records.length === 0) return rows
  const column = columnOf(quantile.of)
  const { key } = RECORD_FIELDS[quantile.of]
  const values = records.map(
    (record) =>
      `(${record.timeMs}, ${by === undefined ? `''` : sqlText(record[by])}, ${record[key] === null ? 'NULL' : `'${record[key]}'`}::DOUBLE)`,
  )
  const added = `SELECT * FROM (VALUES ${values.join(', ')}) AS looked(time, ${by ?? 'value'}, ${column})`
  if (rows === null) return `(${added})`
  return `(SELECT time, ${by ?? `'' AS value`}, ${column} FROM ${rows} UNION ALL ${added})`
}

function addCounts(counts: Counts, result: SqlResult): void {
  for (const { rows, columns } of result.chunks()) {
    const [start = [], value = [], count = [], quantile = []] = columns
    for (let row = 0; row < rows; row++) {
      const [at, of] = [Number(start[row]), String(value[row])]
      counts.add(at, of, Number(count[row]))
      const number = Number(quantile[row])
      if (!Number.isNaN(number)) counts.addNumber(at, of, { number, count: 1 })
    }
  }
}

export async function top(
  request: TopRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<TopAnswer> {
  const { plan, range, field } = request
  const looked = createTop(field)
  const { parts } = await selectParts(held.sources, plan, range)
  const scans = scansOf(parts, plan)
  const inSql = isFieldName(field) ? 'true' : `(plain AND NOT ${attrIsList(field)})`
  // What is left: records that SQL cannot decide, and values that it cannot read.
  const rest = (condition: SqlCondition) =>
    inSql === 'true' || condition.undecided === 'all'
      ? unsure(condition)
      : both(possible(condition), `NOT ${inSql}`)
  const needed = new Set<RowField>([...fieldsNeeded(plan, undefined, undefined), fieldKey(field)])
  for await (const record of lookedAt({ plan, range, parts, scans, needed, pick: rest }, run, signal))
    looked.add(record)
  const rows = rowsWhere(scans, [timeCondition(range)], (condition) => both(sure(condition), inSql))
  const beside = looked.answer(HANDED_BACK_MAX + 1)
  if (beside.distinct > HANDED_BACK_MAX) throw tooMany('different values')
  const scanned = recordsOf(parts)
  if (rows === null) return { ...beside, values: beside.values.slice(0, request.limit), scanned }
  const answer = readTop(await run.over(parts, topSql(rows, request, beside.values), signal), field)
  const matched = answer.matched + beside.matched
  return { ...answer, matched, having: answer.having + beside.having, scanned }
}

/** The values of the rows with those that were counted beside. */
function topSql(rows: string, { field, limit }: TopRequest, beside: readonly TopValue[]): string {
  const added = beside.map(
    ({ value, count, firstMs, lastMs }) =>
      `(${isNumber(field) ? `'${value}'::DOUBLE` : sqlText(value)}, ${count}, ${firstMs}, ${lastMs})`,
  )
  const looked =
    added.length === 0
      ? ''
      : ` UNION ALL SELECT * FROM (VALUES ${added.join(', ')}) AS looked(value, n, first, last)`
  return `WITH counted AS (SELECT ${topValue(field)} AS value, count(*) AS n, min(time) AS first, max(time) AS last
      FROM ${rows} GROUP BY 1),
    merged AS (SELECT value, sum(n) AS n, min(first) AS first, max(last) AS last
      FROM (SELECT * FROM counted${looked}) WHERE value IS NOT NULL GROUP BY value),
    best AS (SELECT * FROM merged ORDER BY n DESC, value LIMIT ${limit}),
    totals AS (SELECT sum(n) AS matched, sum(n) FILTER (value IS NOT NULL) AS having_it,
      (SELECT count(*) FROM merged) AS different FROM counted)
    SELECT ${['matched', 'having_it', 'different', 'n', 'first', 'last'].map((name) => `coalesce(${name}, 0)::DOUBLE`).join(', ')},
      coalesce(value::VARCHAR, '') FROM totals LEFT JOIN best ON true ORDER BY n DESC, value`
}

function readTop(result: SqlResult, field: string): Omit<TopAnswer, 'scanned'> {
  const values: TopValue[] = []
  const totals = { matched: 0, having: 0, distinct: 0 }
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) {
      const [matched = 0, having = 0, distinct = 0, count = 0, firstMs = 0, lastMs = 0] = columns
        .slice(0, -1)
        .map((column) => Number(column[row]))
      Object.assign(totals, { matched, having, distinct })
      const text = String(columns.at(-1)?.[row])
      if (count > 0)
        values.push({ value: isNumber(field) ? String(Number(text)) : text, count, firstMs, lastMs })
    }
  }
  return { values, ...totals }
}

/** NULL: the record has none. */
function topValue(field: string): string {
  if (!isFieldName(field)) return attrText(field)
  return isNumber(field) ? `${columnOf(field)}::DOUBLE` : `nullif(${field}, '')`
}

function isNumber(field: string): boolean {
  return isFieldName(field) && RECORD_FIELDS[field].kind === 'number'
}

function fieldKey(field: string): RowField {
  if (!isFieldName(field)) return 'attrs'
  const { key } = RECORD_FIELDS[field]
  return key === 'id' ? 'stream' : key
}

interface Looking {
  readonly plan: QueryPlan
  readonly range: TimeRange
  readonly parts: readonly Part[]
  readonly scans: readonly Scan[]
  readonly needed: ReadonlySet<RowField>
  /** Which records SQL leaves open. */
  readonly pick: (condition: SqlCondition) => string | null
}

/** The matches among the records that SQL leaves open. */
async function* lookedAt(looking: Looking, run: Run, signal: AbortSignal): AsyncGenerator<LogRecord> {
  const { plan, range, parts, scans, needed, pick } = looking
  if (rowsWhere(scans, [], pick) === null) return
  const matches = compileMatcher(plan)
  const slicer = createSlicer(parts, range, 'newest')
  for (
    let slice = slicer.next(LOOKED_AT_RECORDS_MAX);
    slice !== null;
    slice = slicer.next(LOOKED_AT_RECORDS_MAX)
  ) {
    const inSlice = partsIn(parts, slice)
    const rows = rowsWhere(scansOf(inSlice, plan), [timeCondition(slice)], pick)
    if (rows === null) continue
    const page = await run.over(inSlice, `SELECT ${selectList(needed)} FROM ${rows}`, signal)
    for await (const { record } of readRows(page, signal)) if (matches(record)) yield record
  }
}

function fieldsNeeded(
  { root }: QueryPlan,
  by: HistogramRequest['by'],
  quantile: Quantile | undefined,
): ReadonlySet<RowField> {
  const of = quantile === undefined ? [] : [RECORD_FIELDS[quantile.of].key]
  return new Set<RowField>([...fieldsOf(root), 'timeMs', ...(by === undefined ? [] : [by]), ...of])
}

function bucketOf({ timeMs }: LogRecord, intervalMs: number): number {
  return Math.floor(timeMs / intervalMs) * intervalMs
}

function both(left: string | null, right: string): string | null {
  return left === null || right === 'true' ? left : `(${left} AND ${right})`
}

function wholePart(source: Source): Part {
  const { records, minMs, maxMs } = source
  return { source, records, minMs, maxMs, words: null }
}

function tooMany(what: string): ServiceError {
  const message = `too many ${what} would have to be looked at one by one; ask for a shorter range`
  return new ServiceError('QUERY_TOO_BROAD', message, { max: HANDED_BACK_MAX })
}
